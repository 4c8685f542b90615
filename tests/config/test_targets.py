"""What a configuration may instantiate, and what a run folder from elsewhere can do: nothing runs, reads or writes."""

import os
import shutil
import sys
import zipfile

import pytest
import torch
from command_runs import refusal
from omegaconf import OmegaConf
from training_runs import SMALL, checkpoint, train_in

from gan_lab.cli.evaluate import main as evaluate
from gan_lab.cli.sample import main as sample
from gan_lab.cli.train import main as gan_lab
from gan_lab.config.leaves import named_targets
from gan_lab.config.targets import check_kind, check_names, check_targets
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

    system = staticmethod(os.system)


def quiet(latent_dim, sample_shape):
    return Quiet(latent_dim, sample_shape)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on the ring, complete with what Hydra writes."""
    folder = tmp_path_factory.mktemp("made") / "run"
    with pytest.MonkeyPatch.context() as patch:
        words = [*SMALL, "dataset=ring8", "iterations=4", f"hydra.run.dir={folder}"]
        patch.setattr(sys, "argv", ["gan-lab", *words])
        patch.setenv("HYDRA_FULL_ERROR", "0")
        gan_lab()
    return folder


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """The run, in the working directory."""
    shutil.copytree(made, tmp_path / "run", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return RunFolder(tmp_path / "run")


# ---- names, and what they lead to ----


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        "functools.partial",
        "hydra.utils.call",
        "hydra.utils.get_method",
        "hydra._internal.utils._locate",
        "torch.load",
        "torch.hub.load",
        "torch.utils.cpp_extension.load_inline",
        "torch.package.PackageImporter",
        "torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler",
        "torch.nnx.Tanh",
        "gan_lab.storage.files.write_json",
        "gan_lab.runs.folder.shutil.rmtree",
        "gan_lab.sweeps.hydra_callback.Launch",
        "pytorch_lightning.Callback",
        "test_targets.Quiet",
        "Quiet",
        "",
        "torch.nn.Tanh ",
        "gan_lab.losses.Hinge\n",
        3,
        None,
    ],
)
def test_a_name_is_refused_before_anything_is_imported_for_it(name):
    with pytest.raises(ConfigError, match=r"_target_=.*: expected"):
        check_names(named_targets({"a": [{"b": {"_target_": name}}]}, "model"), [])


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("gan_lab.datasets.mnist.os.system", r"gan_lab\.datasets\.mnist\.os\.system: "),
        ("gan_lab.models.mlp.Sequence", "collections.abc"),
        ("gan_lab.models.mlp.check_widths", "it is a function: expected a class"),
        ("gan_lab.metrics.extractors.Path", "pathlib"),
        ("gan_lab.losses.penalties.torch.load", "it is a function: expected a class"),
        ("gan_lab.losses.penalties.torch.package.PackageImporter", "torch.package"),
        ("torch.nn.modules.module.functools.partial", "functools"),
        ("torch.nn.modules.module.torch.hub.load", "it is a function"),
        ("torch.nn.Module.__init__.__globals__", "it is a dict"),
        ("torch.nn.Module.__subclasses__", "it is a function: expected a class"),
        ("torch.nn.functional.relu", "it is a function: expected a class"),
        ("torch.optim.Adam.step", "it is a function: expected a class"),
        ("torch.nn", "it is a module: expected a class"),
        ("pytorch_lightning.Trainer.fit", "it is a function"),
        ("gan_lab.models.Nothing", r"gan_lab\.models\.Nothing: "),
    ],
)
def test_a_name_that_begins_well_may_not_end_elsewhere(name, home):
    with pytest.raises(ConfigError, match=home):
        check_targets(named_targets({"_target_": name}, "model.generator"), [])


def test_what_the_user_allows_is_allowed_and_nothing_through_it():
    for name in ("test_targets.Quiet", "test_targets.quiet"):
        check_targets(named_targets({"_target_": name}, "model.generator"), ["test_targets"])
    with pytest.raises(ConfigError, match="it is a module: expected a class"):
        check_targets(named_targets({"_target_": "test_targets.os"}, "x"), ["test_targets"])
    for name in ("test_targets.os.system", "test_targets.Quiet.system"):
        with pytest.raises(ConfigError, match=r"allowed_targets=\[test_targets,posix\] lets it in"):
            check_targets(named_targets({"_target_": name}, "x"), ["test_targets"])


def test_everything_shipped_is_allowed(composed):
    for overrides in ([], ["dataset=mnist", "loss=wgan_gp", "penalty=[r1,r2]", "constraint=spectral_norm"]):
        check_targets(named_targets(OmegaConf.to_container(composed(*overrides), resolve=True), ""), [])


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "os.system", "command": SINK},
        {"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "os.system", "command": SINK}]},
        {"_target_": "torch.nn.Sequential", "_partial_": True, "deep": {"er": [[{"_target_": "os.system"}]]}},
        {"_target_": "torch.nn.Sequential", "_recursive_": False, "x": {"_target_": "os.system"}},
        {"_target_": "${oc.env:EVIL}", "command": SINK},
        {"_target_": "torch.nn.Sequential", "x": "${oc.decode:${oc.env:EVIL_NODE}}"},
        {"_target_": "torch.nn.Sequential", "x": "${oc.env:EVIL_TWICE}"},
    ],
)
def test_nothing_of_a_configuration_runs(composed, tmp_path, monkeypatch, node):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVIL", "os.system")
    monkeypatch.setenv("EVIL_NODE", "{_target_: os.system, command: touch ran}")
    monkeypatch.setenv("EVIL_TWICE", "${oc.decode:'{_target_: os.system, command: touch ran}'}")
    config = composed(*SMALL, "dataset=ring8")
    OmegaConf.set_struct(config, False)
    config.model.generator = node
    with pytest.raises(ConfigError, match=r"os\.system: expected one of gan_lab's|expected a value without \$\{"):
        train_in(tmp_path / "run", config)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("key", "base"), [("trainer", "pytorch_lightning.Trainer"), ("loss", "gan_lab.losses.Recipe"), ("model.x", None)]
)
def test_what_a_function_has_made_must_be_of_its_keys_kind(key, base):
    """A class is judged before it is called; a function of an allowed package can return anything."""
    made = torch.nn.Tanh()
    if base is None:
        check_kind(key, made)
    else:
        with pytest.raises(ConfigError, match=f"{key}: it is a Tanh: expected a {base}"):
            check_kind(key, made)


# ---- a configuration folder from elsewhere ----


@pytest.mark.parametrize(
    "yaml",
    [
        "allowed_targets: [os]\nmodel:\n  generator: {_target_: os.system, command: touch ran}\n",
        "hydra:\n  callbacks:\n    x: {_target_: os.system, command: touch ran}\n",
        "hydra:\n  callbacks:\n    x: ${dataset}\ndataset: {_target_: evil.run}\n",
        "hydra:\n  sweeper:\n    params: {allowed_targets: '[os]', seed: '0,1'}\n",
        "hydra:\n  job_logging:\n    formatters:\n      simple: {(): os.system, command: touch ran}\n",
        "hydra:\n  job_logging:\n    handlers:\n      file: {class: evil.run}\n",
        "hydra:\n  job_logging:\n    handlers:\n      file: {filename: victim}\n",
        "hydra:\n  job: {name: ../victim}\n",
        "seed: !!python/object/apply:os.system [touch ran]\n",
    ],
)
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1", "hydra.sweep.dir=s"]])
def test_somebodys_experiment_cannot_allow_itself_anything(tmp_path, monkeypatch, yaml, sweep):
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{yaml}")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef run(**_): pass\n")
    words = ["--config-dir", "theirs", "experiment=evil", *sweep]
    if "params" in yaml and not sweep:
        words += ["-m"]
    refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.py", "theirs"]


@pytest.mark.parametrize(
    "node",
    [
        "job_logging: {formatters: {simple: {(): evil.run}}}",
        "job_logging: {handlers: {file: {class: evil.run}}}",
        "callbacks: {x: {_target_: evil.run}}",
        "launcher: {_target_: evil.run}",
        "sweeper: {_target_: evil.run}",
        "callbacks: {x: '${dataset}'}",
    ],
)
@pytest.mark.parametrize("launcher", ["basic", "parallel"])
def test_an_option_that_is_swept_tells_hydra_to_run_nothing(tmp_path, monkeypatch, node, launcher):
    """Its YAML is read when its job is composed, after the sweep's own."""
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    for name, line in (("good", "seed: 1"), ("evil", f"hydra:\n  {node}")):
        (tmp_path / "theirs" / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{line}\n")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef run(**_): pass\n")
    words = ["--config-dir", "theirs", "-m", "experiment=good,evil", f"hydra/launcher={launcher}", "hydra.sweep.dir=s"]
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", *words)
    assert said.startswith("gan-lab: hydra.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.py", "theirs"]


@pytest.mark.parametrize("show", [["--help"], ["--cfg", "job"], ["--info", "config"]])
@pytest.mark.parametrize("part", ["hydra_logging", "job_logging"])
def test_showing_somebodys_experiment_runs_nothing(tmp_path, monkeypatch, show, part):
    """Hydra configures its logging before it shows anything."""
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    logging = f"hydra:\n  {part}:\n    formatters:\n      x: {{(): evil.run}}\n"
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{logging}")
    (tmp_path / "evil.py").write_text("import pathlib\npathlib.Path('ran').touch()\ndef run(**_): pass\n")
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", "--config-dir", "theirs", "experiment=evil", *show)
    assert said.startswith(f"gan-lab: hydra.{part}.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.py", "theirs"]


def test_what_hydra_is_told_may_not_change_between_two_readings(tmp_path, monkeypatch):
    """An interpolation is not what it leads to now: the clock, say, may lead it elsewhere when Hydra uses it."""
    (tmp_path / "theirs" / "experiment").mkdir(parents=True)
    text = "# @package _global_\nhydra:\n  callbacks:\n    gan_lab:\n      _target_: {}\n"
    target = "${oc.select:hydra.launcher.${now:%S},gan_lab.sweeps.hydra_callback.Launch}"
    (tmp_path / "theirs" / "experiment" / "evil.yaml").write_text(text.format(target))
    said = refusal(monkeypatch, tmp_path, gan_lab, "gan-lab", "--config-dir", "theirs", "experiment=evil")
    assert said.startswith("gan-lab: hydra.callbacks.gan_lab._target_=${oc.select:")


# ---- a run folder from elsewhere ----


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
    config = composed(*SMALL, "dataset=ring8", "iterations=4", "allowed_targets=[test_targets]")
    config.model.generator = {"_target_": "test_targets.Quiet"}
    folder = train_in(tmp_path / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    with pytest.raises(ConfigError, match=r"allowed_targets=\[test_targets\] lets it in"):
        load_generator(folder, "auto")
    assert type(load_generator(folder, "auto", ["test_targets"])).__name__ == "Quiet"
    assert evaluate_run(folder, "auto", [], ["test_targets"])["metrics"].keys() >= {"fd_points"}


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
