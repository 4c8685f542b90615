"""A resume that is refused, by whatever a checkpoint holds, has changed nothing."""

import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from command_runs import ended, refusal
from training_runs import OFTEN, SMALL, differences

from gan_lab.cli.train import main
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.resume import CHANGEABLE, _harmless

WORDS = ["gan-lab", *SMALL, *OFTEN, "dataset=ring8", "threads=1"]
SWEEP = ["gan-lab", "-m", *SMALL, "dataset=ring8", "iterations=2", "loss=lsgan,hinge", "hydra.sweep.dir=sweep"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep that is done, in a folder of its own."""
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        assert ended(patch, folder, main, *SWEEP) == 0
    return folder / "sweep"


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def sparse(content):
    name = next(iter(content["state_dict"]))
    content["state_dict"][name] = content["state_dict"][name].to_sparse()


def another_optimizer(content):
    content["optimizer_states"][0]["state"] = {0: 5}


def no_groups(content):
    content["optimizer_states"][1]["param_groups"] = []


def curves(content):
    content["callbacks"]["Curves"] = {"seen": 5}


def random_state(content):
    content["callbacks"]["Randomness"] = {"torch": torch.zeros(3)}


def loops(content):
    content["loops"]["fit_loop"] = 5


def schedule(content):
    content["lr_schedulers"] = [5, 5]


def short_averages(content):
    """A fused Adam would read beyond them."""
    for state in content["optimizer_states"]:
        for entry in state["state"].values():
            entry["exp_avg"] = entry["exp_avg_sq"] = torch.zeros(1)


def a_word_for_a_tensor(content):
    content["optimizer_states"][0]["state"][0]["exp_avg_sq"] = "x"


def another_rate(content):
    content["optimizer_states"][0]["param_groups"][0]["lr"] = 7.0


def a_word_for_a_rate(content):
    content["optimizer_states"][1]["param_groups"][0]["lr"] = "x"


def other_betas(content):
    content["optimizer_states"][1]["param_groups"][0]["betas"] = (0.1, 0.2)


def in_itself(content):
    nest = []
    nest.append(nest)
    content["callbacks"]["x"] = nest


def very_deep(content):
    nest = []
    for _ in range(300):
        nest = [nest]
    content["callbacks"]["x"] = nest


def other_base_rates(content):
    for state in content["lr_schedulers"]:
        state["base_lrs"] = [1e-7]


def another_iteration_of_the_schedule(content):
    content["lr_schedulers"][1]["last_epoch"] += 1


def factors_that_are_none(content):
    content["lr_schedulers"][0]["lr_lambdas"] = [{"__wrapped__": 1}]


def more_updates(content):
    content["updates"]["generator"] += 5


def a_word_for_updates(content):
    content["updates"] = {"generator": "x", "discriminator": "y"}


def more_skipped_than_made(content):
    content["skipped"]["discriminator"] = 10**6


def no_time(content):
    content["callbacks"]["Stopwatch"] = {"seconds": math.nan}


def time_before_time(content):
    content["callbacks"]["Stopwatch"] = {"seconds": -1e9}


def whole_numbers(content):
    content["state_dict"] = {name: weight.long() for name, weight in content["state_dict"].items()}


def complex_numbers(content):
    content["state_dict"] = {name: weight.to(torch.complex64) for name, weight in content["state_dict"].items()}


DAMAGES = [
    sparse, another_optimizer, no_groups, curves, random_state, loops, schedule, short_averages, a_word_for_a_tensor,
    another_rate, a_word_for_a_rate, other_betas, in_itself, very_deep, other_base_rates,
    another_iteration_of_the_schedule, factors_that_are_none, more_updates, a_word_for_updates, more_skipped_than_made,
    no_time, time_before_time, whole_numbers, complex_numbers,
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "damage"), [*(("part", damage) for damage in DAMAGES), ("run", sparse), ("run", schedule)]
)
def test_a_checkpoint_that_cannot_be_restored_changes_nothing(place, monkeypatch, name, damage):
    folder = RunFolder(place / name)
    for iteration in folder.saved_iterations():
        file = folder.checkpoint(iteration)
        content = torch.load(file, weights_only=True)
        damage(content)
        torch.save(content, file)
    before = contents(place)
    line = ["gan-lab", f"resume={name}", *(["iterations=14"] if name == "run" else [])]
    said = refusal(monkeypatch, place, main, *line)
    assert ".ckpt" in said
    after = contents(place)
    assert {file.name for file in {*before, *after} if after.get(file) != before.get(file)} <= {"gan-lab.log"}


def test_what_is_taken_up_at_the_start_of_training_ends_the_same(place, monkeypatch):
    assert ended(monkeypatch, place, main, "gan-lab", "resume=part") == 0
    assert differences(place / "run", place / "part") == []


def test_rows_that_cannot_be_read_are_told_before_they_are_dropped(place, monkeypatch, capfd):
    file = place / "part" / "metrics.csv"
    rows = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*rows[:3], ",loss/generator,1.0\n", "x\n", *rows[3:], "9,loss/gen"]))
    assert ended(monkeypatch, place, main, "gan-lab", "resume=part") == 0
    assert "part/metrics.csv: rows that cannot be read are dropped: 2" in capfd.readouterr().out
    assert differences(place / "run", place / "part") == []


@pytest.mark.parametrize(
    "name",
    ["metrics.csv", "times.csv", "gan-lab.log", "checkpoints/last.ckpt", "samples/final.png", ".hydra/hydra.yaml"],
)
def test_a_folder_in_the_place_of_a_file_changes_nothing(place, monkeypatch, name):
    file = place / "part" / name
    file.unlink(missing_ok=True)
    file.mkdir()
    before = contents(place)
    said = refusal(monkeypatch, place, main, "gan-lab", "resume=part")
    assert f"{name}: " in said
    assert contents(place) == before


@pytest.mark.parametrize("text", ["", "- a", "3", "null"])
def test_what_hydra_recorded_must_be_a_mapping(place, monkeypatch, text):
    (place / "part" / ".hydra" / "hydra.yaml").write_text(text)
    before = contents(place)
    said = refusal(monkeypatch, place, main, "gan-lab", "resume=part")
    assert "part/.hydra/hydra.yaml: it is a " in said
    assert contents(place) == before


def test_a_run_that_begins_again_writes_through_no_link(monkeypatch, tmp_path):
    """resume=auto takes a folder that a killed run has left, or somebody has laid out so."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "config.yaml").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".hydra").symlink_to(tmp_path / "outside")
    said = refusal(monkeypatch, tmp_path, main, *WORDS, "hydra.run.dir=run", "resume=auto")
    assert ".hydra: a link out of the folder of the run" in said
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["config.yaml"]
    assert (tmp_path / "outside" / "config.yaml").read_text() == "precious"


@pytest.mark.parametrize("kind", ["link", "pipe", "loop"])
def test_a_sweep_opens_no_log_elsewhere(monkeypatch, tmp_path, swept, kind):
    """Hydra opens a run's log before the run is looked at."""
    shutil.copytree(swept, tmp_path / "sweep", symlinks=True)
    log = tmp_path / "sweep" / "loss=hinge" / "gan-lab.log"
    log.unlink()
    if kind == "link":
        log.symlink_to(tmp_path / "elsewhere")
    elif kind == "loop":
        log.symlink_to(log.name)
    else:
        os.mkfifo(log)
    said = refusal(monkeypatch, tmp_path, main, *SWEEP)
    assert "loss=hinge/gan-lab.log: " in said
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("subdir", ["../x", "/tmp/x", "a/../../x", "~/x", "${latent_prior}/../../x"])
def test_a_run_of_a_sweep_lies_within_it(monkeypatch, tmp_path, subdir):
    line = ["gan-lab", "-m", *SMALL, "dataset=ring8", "iterations=2", "seed=0,1", "hydra.sweep.dir=sweep"]
    said = refusal(monkeypatch, tmp_path, main, *line, f"hydra.sweep.subdir='{subdir}'")
    assert said.endswith(": expected a folder within the sweep's")
    assert not list(tmp_path.iterdir())


def test_a_link_to_itself_is_refused(place, monkeypatch):
    (place / "run" / "loop").symlink_to("loop")
    said = refusal(monkeypatch, place, main, "gan-lab", "resume=run", "iterations=14")
    assert "loop: a link that cannot be followed: " in said


@pytest.mark.parametrize("name", ["sweep.json", ".sweep.lock", "multirun.yaml", "report", "tuning", "loss=lsgan"])
def test_a_sweep_writes_through_no_link(monkeypatch, tmp_path, swept, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.png").write_text("precious")
    (tmp_path / "file").write_text("precious")
    shutil.copytree(swept, tmp_path / "sweep", symlinks=True)
    entry = tmp_path / "sweep" / name
    if entry.is_dir():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)
    entry.symlink_to(outside if "." not in name else tmp_path / "file")
    said = refusal(monkeypatch, tmp_path, main, *SWEEP)
    assert f"{name}: a link out of the folder of the sweep; expected everything in there" in said
    assert (tmp_path / "file").read_text() == "precious"
    assert os.listdir(outside) == ["precious.png"]


@pytest.mark.parametrize(
    ("words", "may_grow"),
    [
        ([], True),
        (["lr_schedule=cosine"], False),
        (["augmentation=ada", "augmentation.p=0.5", "augmentation.schedule=cosine"], False),
        (["model=progressive"], False),
        (["model=progressive", "algorithm.stable=1"], False),
        (["model=progressive", "algorithm.stable=1", "algorithm.fade=1"], True),
        (["model=progressive", "algorithm.growth=5"], True),
    ],
)
def test_more_iterations_are_harmless_if_nothing_is_planned_by_their_number(composed, words, may_grow):
    assert _harmless("iterations", (10, 20), composed(*words)) is may_grow
    assert not _harmless("iterations", (20, 10), composed(*words))


def test_the_manual_lists_what_may_change():
    text = (Path(__file__).parents[2] / "docs" / "resuming.md").read_text()
    assert [key for key in CHANGEABLE if f"`{key}`" not in text] == []
