"""Run folders that a hand, a disk or a stranger has been at: sentences, and nothing lost or run."""

import faulthandler
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from command_runs import ended, refusal
from filelock import FileLock
from training_runs import OFTEN, SMALL, differences, train_in

from gan_lab.callbacks import logger
from gan_lab.cli.evaluate import main as evaluate
from gan_lab.cli.sample import main as sample
from gan_lab.cli.train import main
from gan_lab.errors import Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.training import build as building
from gan_lab.training import run as training

WORDS = ["gan-lab", *SMALL, *OFTEN, "dataset=ring8", "threads=1"]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n"
for before, name in zip("abcdefg", "bcdefgh", strict=True):
    BOMB += f"{name}: &{name} [{', '.join(9 * [f'*{before}'])}]\n"


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "gan-lab.log"}


@pytest.mark.long
def test_a_working_directory_that_is_somebodys_runs_no_code(place):
    """Hydra imports whatever it takes for a plugin, and libraries whatever they may make use of."""
    run = place / "part"
    touch = f"open({str(place / 'ran')!r}, 'w')\n"
    (run / "hydra_plugins").mkdir()
    for name in ("hydra_plugins/evil.py", "dill.py", "psutil.py", "sitecustomize.py", "selectors.py"):
        (run / name).write_text(touch)
    script = place / "bin" / "gan-lab"  # as it is installed: what Python finds first is the script's folder
    script.parent.mkdir()
    script.write_text("from gan_lab.cli.train import main\nif __name__ == '__main__':\n    main()\n")
    words = ["resume=.", "trainer.devices=2"]  # and what it starts
    done = subprocess.run([sys.executable, script, *words], cwd=run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (place / "ran").exists()
    assert RunFolder(run).status()["state"] == "done"


@pytest.mark.parametrize("at", ["set-up", "training", "result"])
def test_a_finished_run_loses_nothing_if_its_extension_is_interrupted(place, monkeypatch, at):
    run = RunFolder(place / "run")
    assert ended(monkeypatch, place, evaluate, "gan-lab-evaluate", "run", "evaluation.samples=50") == 0
    before = run.result()
    assert len(before["evaluations"]) == 1
    status = run.status_file.read_bytes()

    class Broken(BaseException):
        pass

    def breaks(*_, **__):
        raise Broken

    def begins_and_breaks(self, *_):
        self.function()
        raise Broken

    with monkeypatch.context() as patch:
        if at == "set-up":
            patch.setattr(building, "build_dataset", breaks)
        elif at == "training":
            patch.setattr(building.AtStart, "on_train_start", begins_and_breaks)
        else:
            patch.setattr(training, "write_json", breaks)
        with pytest.raises(Broken):
            ended(patch, place, main, "gan-lab", "resume=run", "iterations=20")
    if at == "set-up":
        assert run.status_file.read_bytes() == status
        assert run.result() == before
    else:
        assert run.status()["state"] == "interrupted"
        assert json.loads((run.path / "result_0000011.json").read_text()) == before
    assert ended(monkeypatch, place, main, "gan-lab", "resume=run") == 0
    kept = run.result() if at == "set-up" else json.loads((run.path / "result_0000011.json").read_text())
    assert kept == before


def test_a_result_that_was_measured_again_keeps_it(place, monkeypatch):
    run = RunFolder(place / "run")
    assert ended(monkeypatch, place, evaluate, "gan-lab-evaluate", "run", "evaluation.samples=50") == 0
    before = run.result()
    run.update_status(state="running")  # as if killed between its result and its last word
    assert ended(monkeypatch, place, main, "gan-lab", "resume=run") == 0
    after = run.result()
    assert after["evaluations"] == before["evaluations"]
    assert after["metrics"] == before["metrics"]


def test_a_lost_result_is_made_again(place, monkeypatch):
    run = RunFolder(place / "run")
    before = run.result()
    run.result_file.unlink()
    assert ended(monkeypatch, place, main, "gan-lab", "resume=run") == 0
    assert run.result()["metrics"] == before["metrics"]


@pytest.mark.parametrize(
    ("change", "words", "sentence"),
    [
        ({"metrics": {}}, ["gan-lab", "resume=run"], "result.json: it holds no metric"),
        ({"metrics": {"fd": "x"}}, ["gan-lab", "resume=run"], "result.json: 'fd' is missing or of the wrong kind"),
        ({"budget": {}}, ["gan-lab", "resume=run", "iterations=12"], "result.json: 'iterations' is missing or of"),
        ({"budget": {"iterations": "x"}}, ["gan-lab", "resume=run"], "result.json: 'iterations' is missing or of"),
        ({"evaluations": [1]}, ["gan-lab", "resume=run"], "result.json: 'fingerprint' is missing or of"),
        ({"evaluations": [{}]}, ["gan-lab", "resume=run"], "result.json: 'fingerprint' is missing or of"),
    ],
)
def test_a_result_of_the_wrong_shape(place, monkeypatch, change, words, sentence):
    file = place / "run" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    before = contents(place)
    assert sentence in refusal(monkeypatch, place, main, *words)
    assert contents(place) == before


COMMANDS = [(sample, ["gan-lab-sample", "run=part", "out=x.png"]), (evaluate, ["gan-lab-evaluate", "part"])]
COMMANDS += [(main, ["gan-lab", "resume=part"])]


@pytest.fixture
def within_a_minute():
    """Ends the process with its traceback if the test takes longer, even inside a library's C code."""
    faulthandler.dump_traceback_later(60, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.usefixtures("within_a_minute")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (BOMB, "not the YAML of a run: "),
        ("a: &a [*a]\n", "not the YAML of a run: "),
        ("[" * 3000, "not the YAML of a run: "),
        ("[" * 900 + "]" * 900, "not the YAML of a run: "),
        ("a: [1", "not the YAML of a run: "),
        ("", "it is a NoneType: expected a mapping of keys"),
        ("seed: ???\n", ": "),  # a key that has no value is named; which comes first is the library's choice
        ("- a\n", "expected a mapping of keys"),
    ],
    ids=["bomb", "holds itself", "deep", "deep and whole", "torn", "empty", "without a value", "a list"],
)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[1][0])
def test_a_configuration_that_is_none(place, monkeypatch, command, text, sentence):
    """Status 1 and one sentence that names the file, in little time."""
    file = place / "part" / ".hydra" / "config.yaml"
    file.write_text(text)
    said = refusal(monkeypatch, place, command[0], *command[1])
    assert f"{file.relative_to(place)}: " in said
    assert sentence in said.partition("config.yaml: ")[2]


@pytest.mark.parametrize("command", COMMANDS[:2], ids=lambda command: command[1][0])
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("latent_dim: abc", "latent_dim: expected a whole number"),
        ("latent_dim: -1", "latent_dim=-1: expected a whole number of at least 1"),
        ("latent_dim: null", "latent_dim: "),
        ("latent_dim: 1000000000000", "latent_dim=1000000000000: expected a whole number of at most 1000000"),
        ("model: null", "model"),
        ("model: x", ""),  # the words are OmegaConf's
        ("dataset: null", "dataset=null: expected a block with a _target_"),
        ("batch_size: abc", "batch_size"),
        ("evaluation: null", "evaluation"),
    ],
)
def test_a_configuration_with_a_wrong_value(place, monkeypatch, command, line, sentence):
    file = place / "part" / ".hydra" / "config.yaml"
    file.write_text(_with(file.read_text(), line))
    said = refusal(monkeypatch, place, command[0], *command[1])
    assert said.startswith(f"gan-lab: {file.relative_to(place)}: ")
    assert sentence in said


def _with(text: str, line: str) -> str:
    """The YAML with a key of the root replaced, and what is below it."""
    key = line.partition(":")[0]
    kept, inside = [], False
    for one in text.splitlines():
        inside = one.startswith(f"{key}:") or (inside and one.startswith((" ", "-")))
        kept += [] if inside else [one]
    return "\n".join([*kept, line, ""])


def test_rows_that_are_gone_are_missed(place, monkeypatch, capfd):
    file = place / "part" / "metrics.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*rows[:3], "4,loss/gen", "\n", *rows[5:]]))
    assert ended(monkeypatch, place, main, "gan-lab", "resume=part") == 0
    assert "metrics.csv: rows that are gone: 2 of " in capfd.readouterr().out


def test_a_value_that_is_none_is_no_row(place, monkeypatch, capfd):
    file = place / "part" / "metrics.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*rows[:3], "4,loss/generator,abc\n", *rows[4:]]))
    assert ended(monkeypatch, place, main, "gan-lab", "resume=part") == 0
    assert "metrics.csv: rows that are gone: 1 of " in capfd.readouterr().out
    assert "abc" not in file.read_text()


def test_a_checkpoint_under_another_name_is_none(place, monkeypatch, capfd):
    checkpoints = place / "part" / "checkpoints"
    shutil.copyfile(checkpoints / "iteration_0000006.ckpt", checkpoints / "iteration_0000009.ckpt")
    assert ended(monkeypatch, place, main, "gan-lab", "resume=part") == 0
    assert "iteration_0000009.ckpt: it was saved at iteration 6" in capfd.readouterr().out
    assert differences(place / "run", place / "part") == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"state_dict": None}, "not a checkpoint of gan-lab"),
        ({"state_dict": {"x": 1}}, "not a checkpoint of gan-lab"),
        ({"noise": None}, "not a checkpoint of gan-lab"),
        ({"callbacks": {}}, "it lacks the state of Randomness"),
        ({"loops": {}}, "it lacks the state of an optimizer or of the loop"),
        ({"optimizer_states": []}, "it lacks the state of an optimizer or of the loop"),
    ],
)
def test_a_checkpoint_without_one_of_its_parts(place, monkeypatch, change, sentence):
    folder = RunFolder(place / "part")
    folder.checkpoint(3).unlink()
    torch.save(torch.load(folder.checkpoint(6), weights_only=True) | change, folder.checkpoint(6))
    before = contents(place)
    assert sentence in refusal(monkeypatch, place, main, "gan-lab", "resume=part")
    after = contents(place)
    assert {file.name for file in after if after[file] != before.get(file)} <= {"status.json"}


def test_a_lock_that_is_a_folder(place, monkeypatch):
    lock = place / "part" / ".lock"
    lock.unlink()
    lock.mkdir()
    assert ".lock: it is a folder: expected a file" in refusal(monkeypatch, place, main, "gan-lab", "resume=part")


def test_a_run_that_is_being_extended_is_measured_but_not_recorded(place, monkeypatch, caplog, capsys):
    run = RunFolder(place / "run")
    before = run.result()
    with FileLock(run.lock_file):
        assert ended(monkeypatch, place, evaluate, "gan-lab-evaluate", "run", "evaluation.samples=50") == 0
    assert "not recorded: run: another process is at work on this run" in caplog.text
    assert json.loads(capsys.readouterr().out)["metrics"]
    assert run.result() == before


def test_a_run_that_is_out_of_time_is_done(monkeypatch, tmp_path, capsys):
    assert ended(monkeypatch, tmp_path, main, *WORDS, "budget.seconds=1e-6", "hydra.run.dir=run") == 0
    before = contents(tmp_path)
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "resume=run", "iterations=2000") == 0
    assert "the run is done, nothing is left to do" in capsys.readouterr().out
    assert contents(tmp_path) == before


def test_rarely_written_curves_are_looked_at_all_the_same(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(logger, "_MOST_KEPT", 3)
    config = composed(*SMALL, "dataset=ring8", "iterations=50", "log_every=1000", "evaluation.every=1000")
    config.optimizer.discriminator = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 1e30}
    with pytest.raises(Diverged) as ending:
        train_in(tmp_path / "run", config)
    assert ending.value.iteration < 10
    assert not RunFolder(tmp_path / "run").saved_iterations()
