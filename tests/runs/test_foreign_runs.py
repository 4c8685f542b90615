"""What a run folder from elsewhere can do: nothing of it runs, reads or writes."""

import os
import shutil
import zipfile

import pytest
import torch
from command_runs import refusal
from omegaconf import OmegaConf
from training_runs import SMALL, checkpoint, train_in

from gan_lab.cli.evaluate import main as evaluate
from gan_lab.cli.sample import main as sample
from gan_lab.cli.train import main as gan_lab
from gan_lab.errors import ConfigError
from gan_lab.report.collect import read
from gan_lab.runs.checkpoints import load_checkpoint, load_generator
from gan_lab.runs.evaluate import evaluate_run
from gan_lab.runs.folder import RunFolder

SINK = "touch ran"


class Quiet(torch.nn.Module):
    """A user's own network."""

    def __init__(self, latent_dim, sample_shape):
        super().__init__()
        self.linear = torch.nn.Linear(latent_dim, sample_shape[0])

    def forward(self, latents):
        return self.linear(latents)


@pytest.fixture
def run(ring_run, tmp_path, monkeypatch):
    """The run, in the working directory."""
    shutil.copytree(ring_run, tmp_path / "run", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize("key", ["model.generator", "dataset", "evaluation.extractor"])
def test_somebodys_run_is_not_asked_what_it_may_instantiate(run, monkeypatch, tmp_path, key):
    file = run.path / ".hydra" / "config.yaml"
    config = OmegaConf.load(file)
    config.allowed_targets = ["os", "posix"]
    OmegaConf.update(config, key, {"_target_": "os.system", "command": SINK}, merge=False)
    OmegaConf.save(config, file)
    for command, name, words in (
        (evaluate, "gan-lab-evaluate", ["run"]),
        (sample, "gan-lab-sample", ["run=run"]),
    ):
        if command is sample and key != "model.generator":
            continue  # of the others it makes nothing
        said = refusal(monkeypatch, tmp_path, command, name, *words)
        assert said.startswith(f"gan-lab: {key}._target_=os.system: expected one of gan_lab's losses")
    assert not (tmp_path / "ran").exists()


def test_the_command_line_allows_what_a_users_run_needs(composed, tmp_path):
    config = composed(*SMALL, "dataset=ring8", "iterations=4", "allowed_targets=[test_foreign_runs]")
    config.model.generator = {"_target_": "test_foreign_runs.Quiet"}
    folder = train_in(tmp_path / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    with pytest.raises(ConfigError, match=r"allowed_targets=\[test_foreign_runs\] lets it in"):
        load_generator(folder, "auto")
    assert type(load_generator(folder, "auto", ["test_foreign_runs"])).__name__ == "Quiet"
    assert evaluate_run(folder, "auto", [], ["test_foreign_runs"])["metrics"].keys() >= {"fd_points"}


@pytest.mark.parametrize(
    "word",
    ["--experimental-rerun=x", "-m", "hydra.callbacks.x._target_=os.system", "+hydra.job.env_set.A=b", "hydra/x=y"],
)
def test_somebodys_overrides_are_no_words_to_hydra(run, monkeypatch, tmp_path, word):
    file = run.path / ".hydra" / "overrides.yaml"
    OmegaConf.save(OmegaConf.create([*OmegaConf.load(file), word]), file)
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", "resume=run", "iterations=8")
    assert said == f"gan-lab: resume=run: '{word}' in its overrides.yaml: expected keys of gan-lab's own"


def test_what_a_run_was_allowed_it_is_not_allowed_again(run, monkeypatch, tmp_path):
    for name in ("config", "overrides"):
        file = run.path / ".hydra" / f"{name}.yaml"
        written = OmegaConf.load(file)
        if name == "config":
            written.model.generator._target_, written.allowed_targets = "os.system", ["os"]
        else:
            written += ["model.generator._target_=os.system", "allowed_targets=[os]"]
        OmegaConf.save(written, file)
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", "resume=run", "iterations=8")
    assert said.startswith("gan-lab: model.generator._target_=os.system: expected one of gan_lab's losses")


@pytest.mark.parametrize("name", ["config.yaml", "overrides.yaml"])
def test_yaml_makes_no_python_objects(run, monkeypatch, tmp_path, name):
    (run.path / ".hydra" / name).write_text("- !!python/object/apply:os.system [touch ran]\n")
    for command, words in ((gan_lab, ["gan-lab", "resume=run"]), (evaluate, ["gan-lab-evaluate", "run"])):
        if command is evaluate and name == "overrides.yaml":
            continue
        said = refusal(monkeypatch, tmp_path, command, *words)
        assert f"{name}: not the YAML of a run: " in said
    if name == "config.yaml":
        assert read([run.path]).runs[0].asked.config == {}
    assert not (tmp_path / "ran").exists()


class Touch:
    def __reduce__(self):
        return os.system, (SINK,)


@pytest.mark.parametrize("where", ["beside the tensors", "in their place"])
def test_a_checkpoint_with_code_in_it_is_refused(run, monkeypatch, tmp_path, where):
    content = checkpoint(run)
    torch.save(content | {"more": Touch()} if where == "beside the tensors" else Touch(), run.last_checkpoint.resolve())
    with zipfile.ZipFile(run.last_checkpoint) as archive:
        assert any(b"system" in archive.read(name) for name in archive.namelist())  # the payload is there
    with pytest.raises(ConfigError, match="not a checkpoint of gan-lab, or a broken one"):
        load_checkpoint(run.last_checkpoint)
    for command, words in (
        (sample, ["gan-lab-sample", "run=run"]),
        (evaluate, ["gan-lab-evaluate", "run"]),
        (gan_lab, ["gan-lab", "resume=run", "iterations=8"]),
    ):
        assert "not a checkpoint of gan-lab" in refusal(monkeypatch, tmp_path, command, *words)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["metrics.csv", "status.json", "samples", "checkpoints", ".hydra", ".lock", "samples/x.png"]
)
@pytest.mark.parametrize("how", ["absolute", ".."])
def test_a_link_out_of_a_run_folder_is_refused(run, monkeypatch, tmp_path, name, how):
    """Nothing outside is read, written, or deleted."""
    outside = tmp_path / "outside"
    entry = run.path / name
    if entry.exists():
        entry.rename(outside)
    else:
        outside.write_text("precious")
    target = outside if how == "absolute" else os.path.relpath(outside, entry.parent)
    entry.symlink_to(target)
    before = {path: path.lstat().st_mtime_ns for path in [outside, *outside.rglob("*")]}
    for command, words in (
        (sample, ["gan-lab-sample", "run=run"]),
        (evaluate, ["gan-lab-evaluate", "run"]),
        (gan_lab, ["gan-lab", "resume=run", "iterations=8"]),
        (gan_lab, ["gan-lab", "resume=auto", "hydra.run.dir=run"]),
    ):
        said = refusal(monkeypatch, tmp_path, command, *words)
        assert f"{name}: a link out of the folder of the run; expected everything to be in there" in said
    assert {path: path.lstat().st_mtime_ns for path in [outside, *outside.rglob("*")]} == before


def test_a_pipe_in_a_run_folder_is_refused(run, monkeypatch, tmp_path):
    """Who opens it waits for ever."""
    pipe = run.checkpoints / "iteration_0000099.ckpt"
    os.mkfifo(pipe)
    for command, words in (
        (sample, ["gan-lab-sample", "run=run"]),
        (evaluate, ["gan-lab-evaluate", "run"]),
        (gan_lab, ["gan-lab", "resume=run", "iterations=8"]),
    ):
        said = refusal(monkeypatch, tmp_path, command, *words)
        assert f"{pipe.name}: neither a file nor a folder; expected everything to be in there" in said
    (found,) = read([run.path]).runs
    assert (found.state, found.reason) == ("unreadable", f"checkpoints/{pipe.name}: neither a file nor a folder")


def test_a_report_does_not_show_what_a_link_leads_to(run, tmp_path):
    secret = tmp_path / "secret.png"
    (run.samples / "final.png").rename(secret)
    (run.samples / "final.png").symlink_to(secret)
    (found,) = read([run.path]).runs
    assert (found.state, found.reason) == ("unreadable", "samples/final.png: a link out of the folder of the run")
