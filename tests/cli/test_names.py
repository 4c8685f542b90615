"""Names: those that the program chooses are unique, those that the user gives are taken as they are, or refused."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command_runs import ended, refusal

from gan_lab.cli.train import main
from gan_lab.runs.making import make_new_folder, remove_made

TINY = ["dataset=ring8", "trainer=debug", "evaluation.samples=100", "model.generator.hidden=[8]"]


def test_a_name_that_the_program_chooses_is_made_unique(monkeypatch, tmp_path):
    """``${now:same}`` is a clock that always shows the same, as two commands in one second see it."""
    line = ["gan-lab", *TINY, "hydra.run.dir='out/${now:same}_seed${seed}'"]
    for _ in range(2):
        assert ended(monkeypatch, tmp_path, main, *line) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"same_seed0", "same_seed0_2"}
    for folder in (tmp_path / "out").iterdir():
        assert json.loads((folder / "status.json").read_text())["state"] == "done"
    sweep = ["gan-lab", "-m", *TINY, "hydra.sweep.dir='sweeps/${now:same}'", "seed=3"]
    for _ in range(2):
        assert ended(monkeypatch, tmp_path, main, *sweep) == 0
    assert {path.name for path in (tmp_path / "sweeps").iterdir()} == {"same", "same_2"}
    for folder in (tmp_path / "sweeps").iterdir():
        assert json.loads((folder / "sweep.json").read_text())["counts"] == {"done": 1}
        assert (folder / "report" / "index.html").exists()


def test_a_refused_run_takes_its_own_folder_back_and_no_other(monkeypatch, tmp_path):
    line = ["gan-lab", *TINY, "hydra.run.dir='out/${now:same}'", "batch_size=10000000"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "same").mkdir()
    refusal(monkeypatch, tmp_path, main, *line)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["same"]


def test_of_many_that_begin_at_once_each_has_a_folder(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: make_new_folder(tmp_path / "a" / "run", "key")[0], range(40)))
    assert sorted(made) == sorted([tmp_path / "a" / "run", *(tmp_path / "a" / f"run_{i}" for i in range(2, 41))])


def test_folders_that_others_use_stay(tmp_path):
    (tmp_path / "out" / "mine").mkdir(parents=True)
    (tmp_path / "out" / "theirs").mkdir()
    remove_made([tmp_path / "out" / "mine", tmp_path / "out"])
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "theirs"]


def test_the_default_name_tells_dataset_loss_and_seed(monkeypatch, tmp_path):
    assert ended(monkeypatch, tmp_path, main, "gan-lab", *TINY, "seed=7", "loss=lsgan") == 0
    (folder,) = (tmp_path / "outputs").iterdir()
    assert folder.name.endswith("_ring8_lsgan_seed7")


@pytest.mark.parametrize("how", ["dataset=npz dataset.path=", "hydra.run.dir="])
@pytest.mark.parametrize("name", [b"caf\xe9", b"caf\x85"])
def test_a_name_that_no_record_could_hold_is_refused_before_training(monkeypatch, tmp_path, how, name):
    *words, last = how.split()
    word = f"{last}'{os.fsdecode(name)}'"
    said = refusal(monkeypatch, tmp_path, main, "gan-lab", *words, word)
    assert said.endswith("expected text in UTF-8 without control characters, which YAML can hold")
    assert said.isprintable()
    assert not list(tmp_path.iterdir())


def test_a_working_directory_that_no_record_could_hold_is_refused(monkeypatch, tmp_path):
    place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    place.mkdir()
    said = refusal(monkeypatch, place, main, "gan-lab", *TINY)
    assert said == (
        f"gan-lab: the working directory {tmp_path}/caf\\xe9: expected text in UTF-8 without control characters, "
        "which YAML can hold"
    )
    assert not list(place.iterdir())


def test_names_in_any_language_are_taken(monkeypatch, tmp_path):
    line = ["gan-lab", *TINY, "hydra.run.dir='läufe/日本 1'"]
    assert ended(monkeypatch, tmp_path, main, *line) == 0
    assert ended(monkeypatch, tmp_path, main, "gan-lab", "resume=läufe/日本 1", "iterations=12") == 0
