"""Lightning's callbacks beside ours: when they are called, where their curves go, what their errors cost."""

import sys
import types

import pytest
import pytorch_lightning as pl
import torch
from configurations import composed_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import checkpoint, killed, train_in

from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder

TINY = [
    "dataset=ring8",
    "trainer=debug",
    "model.generator.hidden=[8]",
    "model.discriminator.hidden=[8]",
    "batch_size=16",
    "evaluation.samples=40",
    "pictures.samples=4",
]


class Counts(pl.Callback):
    """Changes a weight after every iteration, counts, and logs the count in both ways that Lightning has."""

    def __init__(self) -> None:
        self.count = 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        assert {"loss/generator", "logits/real"} <= outputs.keys()
        self.count += 1
        with torch.no_grad():
            next(pl_module.players["generator"].network.parameters()).flatten()[0] = self.count
        self.log("mine/logged", float(self.count))
        trainer.logger.log_metrics({"mine/direct": self.count}, step=trainer.global_step)

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class Fails(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == 7:
            raise ValueError("a bug of the user's")


class Stops(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.global_step == 3


class StopsAtOnce(pl.Callback):
    def on_train_start(self, trainer, pl_module):
        trainer.should_stop = True


class HoldsObjects(pl.Callback):
    def state_dict(self):
        return {"folder": RunFolder("x")}


@pytest.fixture(autouse=True)
def mine(monkeypatch):
    """A user's module."""
    module = types.ModuleType("mine")
    for kind in (Counts, Fails, HoldsObjects, Stops, StopsAtOnce):
        monkeypatch.setattr(kind, "__module__", "mine")
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "mine", module)


def config_with(kind: str):
    config = composed_of(*TINY, f"+callbacks.mine={{_target_:mine.{kind}}}")
    config.allowed_targets = ["mine"]
    return config


@pytest.mark.parametrize("stopped", [False, True])
def test_what_a_callback_does_after_an_iteration_is_in_its_checkpoint_and_curves(tmp_path, stopped):
    if stopped:
        with killed(7):
            train_in(tmp_path / "run", config_with("Counts"))
    folder = train_in(tmp_path / "run", config_with("Counts"), resume=stopped)
    last = checkpoint(folder)
    weights = [value for key, value in last["state_dict"].items() if key.startswith("generator.")]
    assert weights[0].flatten()[0] == 10
    assert last["callbacks"]["Counts"] == {"count": 10}
    points = [(one.name, one.iteration, one.value) for one in folder.points() if one.name.startswith("mine/")]
    assert sorted(points) == [(f"mine/{kind}", i, float(i)) for kind in ("direct", "logged") for i in range(1, 11)]
    assert not [name for name in folder.curves() if name.startswith("mine/")]
    events = EventAccumulator(str(folder.path), size_guidance={"scalars": 0}).Reload()
    assert [(one.step, one.value) for one in events.Scalars("mine/logged")] == [(i, i) for i in range(1, 11)]


def test_a_run_shorter_than_log_every_has_a_point_and_no_warning(tmp_path, recwarn):
    config = config_with("Counts")
    config.log_every = 50
    folder = train_in(tmp_path / "run", config)
    points = [(one.iteration, one.value) for one in folder.points() if one.name == "mine/logged"]
    assert points == [(10, 10.0)]
    assert not [one for one in recwarn if "pytorch_lightning" in one.filename]


def test_a_bug_in_a_callback_keeps_its_traceback_and_the_folder_true(tmp_path):
    with pytest.raises(ValueError, match="a bug of the user's"):
        train_in(tmp_path / "run", config_with("Fails"))
    folder = RunFolder(tmp_path / "run")
    status = folder.status()
    assert (status["state"], status["iteration"]) == ("failed", 5)
    assert "in on_train_batch_end" in status["error"]
    assert max(at for curve in folder.curves().values() for at in curve) == 6
    train_in(tmp_path / "run", composed_of(*TINY), resume=True)
    assert folder.status()["state"] == "done"


@pytest.mark.parametrize(("kind", "done"), [("Stops", 3), ("StopsAtOnce", 0)])
def test_a_callback_that_stops_training_loses_nothing(tmp_path, kind, done):
    with pytest.raises(ConfigError, match=rf"^callbacks: one has set trainer.should_stop, after {done} of 10 iterat"):
        train_in(tmp_path / "run", config_with(kind))
    folder = RunFolder(tmp_path / "run")
    assert folder.saved_iterations() == ([done] if done else [])
    assert folder.status()["state"] == "failed"
    train_in(tmp_path / "run", composed_of(*TINY), resume=True)
    assert folder.result()["budget"]["iterations"] == 10


def test_a_state_that_no_checkpoint_gives_back_ends_the_run(tmp_path):
    with pytest.raises(ConfigError, match=r"^callbacks.mine: its state_dict holds objects; expected tensors and plain"):
        train_in(tmp_path / "run", config_with("HoldsObjects"))
    assert not RunFolder(tmp_path / "run").saved_iterations()


@pytest.mark.parametrize("kind", ["simple", "advanced"])
def test_lightnings_profiler_writes_into_the_run(tmp_path, kind):
    folder = train_in(tmp_path / "run", composed_of(*TINY, f"+trainer.profiler={kind}"))
    assert "run_training_batch" in (folder.path / "fit-profile.txt").read_text()
