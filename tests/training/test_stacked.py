"""Runs as one program are what they would be alone, and each has its own folder, end and record."""

import json
import os
import signal

import pytest
import torch
from configurations import composed_of
from stacked_runs import RING, stack_in
from training_runs import train_in, weights_of

from gan_lab.distributed.forkserver import forkserver
from gan_lab.errors import Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.training.stacked import Stack

SEEDS = (3, 4, 5)


def stacked_in(path, *words, resume=False):
    """Train all seeds together; what each ended with."""
    return stack_in(path, SEEDS, words, resume)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a stack that nothing disturbed; tests do not change it."""
    path = tmp_path_factory.mktemp("stacked") / "whole"
    stacked_in(path)
    return path


def files(path):
    """The names of a run's files; TensorBoard's tell the time."""
    names = [str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()]
    return sorted("events" if "tfevents" in name else name for name in names)


def same_bits(one, two):
    """Whether two runs have the same weights and curves to the last bit."""
    first, second = (weights_of(RunFolder(path)) for path in (one, two))
    weights = all(torch.equal(first[name], second[name]) for name in first)
    return weights and (one / "metrics.csv").read_bytes() == (two / "metrics.csv").read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        ["loss=wgan_gp", "clip_grad.generator=0.01", "ema_decay=0.9", "model.generator.norm=batch"],
        ["loss=sngan", "n_critic=2", "lr_schedule=linear"],
        ["loss=dragan", "model=pacgan_mlp", "model.packing=2"],
        ["loss=ragan_attention", "model.discriminator.norm=layer"],
    ],
    ids=" ".join,
)
def test_stacked_is_as_alone(tmp_path, words):
    """In float64 nothing but the order of sums differs: 1e-9 is above what that makes, and far below a step."""
    assert stacked_in(tmp_path, *words) == [None] * 3
    alone = train_in(tmp_path / "alone", composed_of(*RING, *words, f"seed={SEEDS[1]}"))
    together = RunFolder(tmp_path / f"{SEEDS[1]}")
    expected, found = weights_of(alone), weights_of(together)
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.allclose(expected[name].double(), found[name].double(), rtol=0, atol=1e-9), name
    assert files(alone.path) == files(together.path)
    for mine, theirs in zip(together.points(), alone.points(), strict=True):
        assert (mine.iteration, mine.name) == (theirs.iteration, theirs.name)
        assert mine.name.startswith("time/") or mine.value == pytest.approx(theirs.value, rel=1e-4, abs=1e-6)
    result = json.loads(together.result_file.read_text())
    assert result.pop("stacked") == 3
    assert list(result) == list(json.loads(alone.result_file.read_text()))


def test_a_checkpoint_holds_its_own_run_alone(whole):
    sizes = {one.untyped_storage().nbytes() - one.nbytes for one in weights_of(RunFolder(whole / "3")).values()}
    assert sizes == {0}


def killed_in(path, environment):
    """Train together, in a process that dies in iteration 6."""
    os.environ.update(environment)
    iterate = Stack.iterate

    def until(self):
        if self.iteration == 5:
            os._exit(9)
        iterate(self)

    Stack.iterate = until
    stacked_in(path, "loss=wgan_gp")


def test_a_killed_stack_goes_on_together_or_alone(tmp_path):
    stacked_in(tmp_path / "whole", "loss=wgan_gp")
    process = forkserver().Process(target=killed_in, args=(tmp_path / "killed", dict(os.environ)))
    process.start()
    process.join()
    assert process.exitcode == 9
    first = RunFolder(tmp_path / "killed" / "3")
    train_in(first.path, composed_of(*RING, "loss=wgan_gp", "seed=3"), resume=True)
    expected, found = weights_of(RunFolder(tmp_path / "whole" / "3")), weights_of(first)
    assert all(torch.allclose(expected[name], found[name], rtol=0, atol=1e-9) for name in expected)
    stacked_in(tmp_path / "killed", "loss=wgan_gp", resume=True)
    for seed in ("4", "5"):
        assert same_bits(tmp_path / "whole" / seed, tmp_path / "killed" / seed)


def test_a_signal_stops_all_and_they_go_on(monkeypatch, tmp_path, whole):
    iterate = Stack.iterate

    def told(self):
        if self.iteration == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        iterate(self)

    with monkeypatch.context() as patch:
        patch.setattr(Stack, "iterate", told)
        with pytest.raises(SystemExit) as stop:
            stacked_in(tmp_path / "told")
    assert stop.value.code == 128 + signal.SIGTERM
    states = [RunFolder(tmp_path / "told" / f"{seed}").status() for seed in SEEDS]
    assert [(one["state"], one["iteration"]) for one in states] == [("interrupted", 5)] * 3
    stacked_in(tmp_path / "told", resume=True)
    assert all(same_bits(whole / f"{seed}", tmp_path / "told" / f"{seed}") for seed in SEEDS)


def test_one_that_diverges_ends_and_the_others_are_as_they_would_be(monkeypatch, tmp_path, whole):
    iterate = Stack.iterate

    def planted(self):
        if self.iteration == 4:
            with torch.no_grad():
                self.game.players["generator"].flat[1, 0] = torch.nan
        iterate(self)
        stacks.append(self)

    stacks = []
    monkeypatch.setattr(Stack, "iterate", planted)
    ended = stacked_in(tmp_path / "planted")
    assert ended[0] is ended[2] is None
    assert isinstance(ended[1], Diverged)
    status = RunFolder(tmp_path / "planted" / "4").status()
    assert (status["state"], status["iteration"]) == ("diverged", 5)
    assert same_bits(whole / "3", tmp_path / "planted" / "3")
    assert same_bits(whole / "5", tmp_path / "planted" / "5")
    assert stacks[-1].curves._told == [[], [], []]  # the curves of the one that ended are not kept
