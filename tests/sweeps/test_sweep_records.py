"""What a sweep's folder says stays true, and a sweep that lost something never ends well."""

import json
import re
import shutil
from contextlib import nullcontext

import pytest
from command_runs import ended, refusal
from filelock import FileLock
from omegaconf import OmegaConf

from gan_lab.cli.train import main
from gan_lab.config.hashing import config_hash
from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.runs.sweep_folder import REPLICATES, SweepFolder
from gan_lab.sweeps import worker
from gan_lab.sweeps.hydra_callback import Launch

TINY = ["dataset=ring8", "trainer=cpu", "threads=1", "iterations=6", "evaluation.every=6", "evaluation.samples=100"]
TINY += ["pictures.samples=4", "log_every=6", "hydra.sweep.dir=sweep"]


ONE = ["gan-lab", "-m", *TINY, "loss=lsgan", "seed=0"]
"""A sweep of one run."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        assert ended(patch, folder, main, *ONE) == 0
    return folder / "sweep"


@pytest.fixture
def run(made, tmp_path):
    """The run of such a sweep, which is done; a test may change it."""
    shutil.copytree(made, tmp_path / "sweep", symlinks=True)
    return RunFolder(tmp_path / "sweep" / "loss=lsgan,seed=0")


@pytest.fixture
def own_loss(tmp_path):
    """A user's recipe, whose n_critic a test may change."""

    def write(n_critic):
        file = tmp_path / "own" / "loss" / "mine.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        target = "gan_lab.losses.LeastSquares"
        file.write_text(f"# @package _global_\nloss:\n  objective:\n    _target_: {target}\nn_critic: {n_critic}\n")

    return write


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "gan-lab.log"}


def test_a_rerun_with_another_configuration_leaves_every_record_as_it_was(monkeypatch, tmp_path, own_loss):
    line = ["gan-lab", "--config-dir", "own", "-m", *TINY, "loss=mine", "seed=0"]
    own_loss(1)
    assert ended(monkeypatch, tmp_path, main, *line) == 0
    run = RunFolder(tmp_path / "sweep" / "loss=mine,seed=0")
    assert run.configuration.read().n_critic == 1
    assert config_hash(run.configuration.read()) == run.result()["config_hash"] == run.status()["config_hash"]
    assert run.configuration.overrides() == [*TINY[:-1], "loss=mine", "seed=0"]
    assert run.configuration.config_folder() == str(tmp_path / "own")
    before = contents(run.path)
    for broken, told in (
        (2, "loss=mine,seed=0: the folder holds a run of another configuration; name another folder"),
        ("${oc.env:NOPE_NOPE}", "Environment variable 'NOPE_NOPE' not found"),  # it cannot be had
    ):
        own_loss(broken)
        assert told in refusal(monkeypatch, tmp_path, main, *line)
        assert contents(run.path) == before


def test_what_a_run_is_made_with_is_written_resolved(monkeypatch, tmp_path, own_loss):
    """So that it says the same, and its hash is the same, where the environment is another one."""
    monkeypatch.setenv("HOW_MANY", "3")
    own_loss("${oc.env:HOW_MANY}")
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "--config-dir", "own", "-m", *TINY, "loss=mine") == 0
    assert "n_critic: 3" in (tmp_path / "sweep" / "loss=mine" / ".hydra" / "config.yaml").read_text()


def test_two_runs_in_one_folder_are_refused(monkeypatch, tmp_path):
    line = ["gan-lab", "-m", *TINY, "seed=0,1", "hydra.sweep.subdir=same"]
    said = refusal(monkeypatch, tmp_path, main, *line)
    assert "same: the folder holds a run of another configuration" in said


def test_a_run_that_another_process_is_at_is_let_alone(run, monkeypatch, tmp_path, capfd):
    run.update_status(state="running")
    before = contents(run.path)
    with FileLock(run.lock_file):
        assert ended(monkeypatch, tmp_path, main, *ONE) == 1
    said = capfd.readouterr().err
    assert said.startswith("gan-lab: loss=lsgan,seed=0: left as it is: ")
    assert "sweep/loss=lsgan,seed=0: another process is at work on this run; wait for it or stop it\n" in said
    assert contents(run.path) == before


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("status.json", "{", " cannot be read: "),
        ("status.json", '{"state": 3}', ": 'state' is missing or of the wrong kind"),
        ("result.json", "{}", ": 'budget' is missing or of the wrong kind"),
    ],
)
def test_one_runs_broken_record_does_not_keep_the_others_from_being_made(
    run, monkeypatch, tmp_path, capfd, name, content, reason
):
    (run.path / name).write_text(content)
    before = contents(run.path)
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "-m", *TINY, "loss=lsgan", "seed=0,1") == 1
    assert RunFolder(tmp_path / "sweep" / "loss=lsgan,seed=1").status()["state"] == "done"
    said = capfd.readouterr()
    assert "1 of 2 done, 1 unreadable" in said.out
    assert f"  unreadable: loss=lsgan,seed=0: sweep/{run.path.name}/{name}{reason}" in said.err
    assert contents(run.path) == before


def test_a_link_out_of_a_sweeps_run_is_refused(run, monkeypatch, tmp_path, capfd):
    run.samples.rename(tmp_path / "outside")
    run.samples.symlink_to(tmp_path / "outside")
    run.update_status(state="interrupted")
    before = contents(tmp_path / "outside")
    assert ended(monkeypatch, tmp_path, main, *ONE) == 1
    assert "sweep/loss=lsgan,seed=0/samples: a link out of the folder of the run" in capfd.readouterr().err
    assert contents(tmp_path / "outside") == before


def test_a_run_whose_checkpoints_are_gone_does_not_keep_the_others_from_being_made(run, monkeypatch, tmp_path, capfd):
    shutil.rmtree(run.checkpoints)
    run.update_status(state="interrupted", error="stopped by SIGTERM")
    before = contents(run.path)
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "-m", *TINY, "seed=0,1", "loss=lsgan") == 1
    said = capfd.readouterr()
    assert "checkpoints: no checkpoint is left of 6 iterations" in said.err
    assert "  interrupted: loss=lsgan,seed=0: stopped by SIGTERM\n" in said.err
    assert "1 of 2 done, 1 interrupted" in said.out
    assert "report  sweep/report/index.html" in said.out
    assert contents(run.path) == before


def test_a_run_that_ends_the_program_has_failed(monkeypatch, tmp_path, capfd):
    faults = """
import os, sys
from gan_lab.losses import NonSaturating

class Leaves(NonSaturating):
    def discriminator(self, real, fake):
        os._exit(3)

class Exits(NonSaturating):
    def discriminator(self, real, fake):
        sys.exit(0)
"""
    (tmp_path / "leaving.py").write_text(faults)
    (tmp_path / "own" / "loss").mkdir(parents=True)
    for name in ("Leaves", "Exits"):
        text = f"# @package _global_\nloss:\n  objective:\n    _target_: leaving.{name}\n"
        (tmp_path / "own" / "loss" / f"{name.lower()}.yaml").write_text(text)
    line = ["gan-lab", "--config-dir", "own", "-m", *TINY, "loss=leaves,exits", "allowed_targets=[leaving]"]
    assert ended(monkeypatch, tmp_path, main, *line) == 1
    said = capfd.readouterr()
    for loss, reason in (("leaves", "exited with status 3"), ("exits", "exited with status 0")):
        status = RunFolder(tmp_path / "sweep" / f"loss={loss}").status()
        assert (status["state"], status["error"]) == ("failed", reason)
        assert f"  failed: loss={loss}: {reason}\n" in said.err
    assert "0 of 2 done, 2 failed\n" in said.out


@pytest.fixture
def over(tmp_path):
    """A sweep with one run, which failed, and the configuration Hydra ends it with."""
    sweep = SweepFolder(tmp_path / "sweep")
    sweep.open([], {"seed": ["0"]}, 1, {})
    run = RunFolder(sweep.path / "seed=0")
    (run.path / ".hydra").mkdir(parents=True)
    (run.path / ".hydra" / "overrides.yaml").write_text("- seed=0\n")
    run.update_status(state="failed", error="Traceback\nRuntimeError: boom")
    return OmegaConf.create({"hydra": {"sweep": {"dir": str(sweep.path)}}})


@pytest.mark.parametrize("broken", [ConfigError("out=report: no"), ZeroDivisionError("a bug")])
def test_a_report_that_fails_hides_nothing(monkeypatch, over, capsys, broken):
    def write_report(*_, **__):
        raise broken

    monkeypatch.setattr("gan_lab.report.render.write_report", write_report)
    with pytest.raises(SystemExit) as stop:
        Launch().on_multirun_end(over)
    said = capsys.readouterr()
    assert "0 of 1 done, 1 failed" in said.out
    assert "  failed: seed=0: RuntimeError: boom\n" in said.err
    if isinstance(broken, ConfigError):
        assert stop.value.code == "gan-lab: out=report: no"
    else:
        assert stop.value.code == 1
        assert "ZeroDivisionError: a bug" in said.err


def test_a_foreign_folder_where_the_report_goes_is_one_sentence(over, tmp_path):
    (tmp_path / "sweep" / "report").mkdir()
    (tmp_path / "sweep" / "report" / "notes.txt").write_text("precious")
    with pytest.raises(SystemExit) as stop:
        Launch().on_multirun_end(over)
    assert str(stop.value.code).endswith("the folder holds something else than a report; name another folder")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((["seed=0"], {"loss": ["a", "b"]}), ([], {"loss": ["a", "b"], "seed": ["0", "1"]})),
        ((["loss=a"], {"seed": ["0", "1"]}), ([], {"loss": ["a", "b"], "seed": ["0", "1"]})),
        (([], {"loss": ["a", "b"], "seed": ["0", "1"]}), (["loss=a"], {"seed": ["0", "1"]})),
        (([], {"seed": ["0", "1"]}), ([], {"seed": ["2", "3"]})),
    ],
)
def test_a_sweep_grows_by_losses_and_seeds(tmp_path, first, then):
    for held, swept in (first, then):
        SweepFolder(tmp_path / "sweep").open(held, swept, 2, {})
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["swept"] == then[1]


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        ((["seed=0"], {"loss": ["a"]}), ([], {"loss": ["a"], "seed": ["1", "2"]}), "has seed=0, and this one seed=1,2"),
        ((["n_critic=1"], {}), ([], {"n_critic": ["1", "2"]}), "holds n_critic=1, and this one nothing"),
        (([], {"loss": ["a"]}), ([], {"loss": ["a"], "seed": ["0"]}), "sweeps loss, and this one loss, seed"),
    ],
)
def test_a_sweep_becomes_no_other(tmp_path, first, then, words):
    SweepFolder(tmp_path / "sweep").open(*first, 2, {})
    with pytest.raises(ConfigError, match=f"the sweep in it {words}; name another folder"):
        SweepFolder(tmp_path / "sweep").open(*then, 2, {})


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"trials": 3}, "has hydra.sweeper.trials=2, and this one hydra.sweeper.trials=3"),
        ({"seeds": [1, 2]}, "has hydra.sweeper.seeds=[0], and this one hydra.sweeper.seeds=[1,2]"),
        ({"metric": "modes"}, "has hydra.sweeper.metric=null, and this one hydra.sweeper.metric=modes"),
    ],
)
def test_a_search_becomes_no_other_once_something_is_chosen(tmp_path, asked, words):
    search = {"trials": 2, "seeds": [0], "metric": None}
    sweep = SweepFolder(tmp_path / "sweep")
    sweep.open([], {"loss": ["a"]}, 2, search)
    (sweep.path / REPLICATES).mkdir()
    with pytest.raises(ConfigError, match=re.escape(f"the sweep in it {words}; name another folder")):
        sweep.open([], {"loss": ["a"]}, 2, search | asked)


@pytest.mark.parametrize(
    "damage",
    [{"held": 5}, {"held": [5]}, {"swept": [1]}, {"swept": {"loss": "a"}}, {"swept": {"loss": [1]}}, {"search": 3}],
    ids=str,
)
def test_a_damaged_index_is_none_of_a_sweep(tmp_path, damage):
    sweep = SweepFolder(tmp_path / "sweep")
    sweep.open(["seed=0"], {"loss": ["a"]}, 1, {})
    content = json.dumps(json.loads(sweep.index_file.read_text()) | damage)
    sweep.index_file.write_text(content)
    with pytest.raises(ConfigError, match=r"sweep\.json: not the index of a sweep; name another folder$"):
        sweep.open(["seed=0"], {"loss": ["a"]}, 1, {})
    assert sweep.index_file.read_text() == content


@pytest.mark.parametrize("at_work", [True, False])
def test_a_run_that_another_process_is_at_work_on_has_not_failed(run, monkeypatch, at_work):
    """Two lines of one sweep may begin at once: the run of the one that comes too late is refused."""
    monkeypatch.setattr(worker, "_run_in_child", lambda jobs: 0)
    run.update_status(state="running")
    job = worker.Job(run, SweepFolder(run.path.parent), RunRequest(OmegaConf.create(), run, {}), {})
    with FileLock(run.lock_file) if at_work else nullcontext():
        worker.carry_out([job])
    assert run.status()["state"] == ("running" if at_work else "failed")
