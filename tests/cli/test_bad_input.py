"""Wrong lines in a process of their own, and among a user's files; test_refusals.py has the others."""

import pytest
import torch
from command_runs import refusal
from training_runs import train_in

from gan_lab.cli.train import main
from gan_lab.errors import ConfigError
from gan_lab.training import build as training


def test_the_sentence_is_all_there_is_on_stderr(gan_lab):
    """What libraries might say while they are imported is looked for in `test_wheel.py`."""
    done = gan_lab("model=dcgan", "dataset=ring8")
    assert done.returncode == 1
    assert done.stderr == (
        "gan-lab: model.generator: dcgan draws images of shape [C, H, W], not samples of shape [2]: use model=mlp\n"
    )
    assert done.stdout == ""


def test_full_errors_can_be_asked_for(gan_lab, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert "Traceback" in gan_lab("seed=abc").stderr


@pytest.mark.parametrize("arguments", [["batch_size=99999"], ["iterations=0"], ["loss=wgann"]])
@pytest.mark.parametrize("where", [".", "mine", "mine/deeper"])
def test_a_users_files_are_never_touched(tmp_path, monkeypatch, arguments, where):
    work = tmp_path / "work"
    (work / "mine" / ".hydra").mkdir(parents=True)
    for name in ("notes.txt", "gan-lab.log", "mine/.hydra/note.txt", "mine/gan-lab.log"):
        (work / name).write_text("precious")
    before = {path: path.is_file() and path.read_text() for path in work.rglob("*")}
    assert refusal(monkeypatch, work, main, "gan-lab", f"hydra.run.dir={where}", *arguments).startswith("gan-lab: ")
    assert {path: path.is_file() and path.read_text() for path in work.rglob("*")} == before


def test_an_empty_folder_of_the_users_stays(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    assert "batch_size=99999" in refusal(
        monkeypatch, tmp_path, main, "gan-lab", "hydra.run.dir=empty", "batch_size=99999"
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]
    assert not any((tmp_path / "empty").iterdir())


def test_a_device_that_is_missing_is_noticed_before_anything_is_built(composed, tmp_path, monkeypatch):
    """The default dataset's classifier would be trained first."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(training, "build_dataset", lambda _: pytest.fail("it was built"))
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu: this machine has no GPU"):
        train_in(tmp_path / "run", composed("trainer=gpu"))
