"""Benchmarks run, and judge nothing here: times are for `scripts/benchmark.py` on a quiet machine.

Those of whole sweeps and of what is compiled (`start`, `compiled`, `stacked`, `sweep`) take too long for a test.
"""

import json
import math
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from training_runs import SMALL, train_in, weights_of

from gan_lab.algorithms.gan import GAN
from gan_lab.datasets import BatchStream, digits
from gan_lab.training.build import build_module

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))


MNIST = pytest.param("steps --case MNIST", marks=pytest.mark.long)  # of the others one is below


@pytest.mark.parametrize("what", [MNIST, "steps --case ring", "evaluation", "growth", "ddp"])
def test_quick(what, tmp_path, monkeypatch, data_root, capsys):
    import benchmark

    benchmark.main([*what.split(), "--quick", "--data", str(data_root), "--out", str(tmp_path / "out.json")])
    claims = json.loads((tmp_path / "out.json").read_text())["claims"]
    assert len(claims) >= 1
    assert all(math.isfinite(claim["ratio"]) for claim in claims)  # differences of so short runs may be anything
    assert claims[0]["claimed"] in capsys.readouterr().out


def test_a_part_of_a_name_chooses_cases(tmp_path):
    import benchmark

    benchmark.main(["steps", "--quick", "--case", "32x32", "--out", str(tmp_path / "out.json")])
    (claim,) = json.loads((tmp_path / "out.json").read_text())["claims"]
    assert claim["name"].startswith("SN-GAN's CNN, 32x32")
    with pytest.raises(SystemExit, match=r"^--case StyleGAN9: expected .*DCGAN, MNIST; "):
        benchmark.main(["steps", "--quick", "--case", "StyleGAN9"])


def _nothing(*_, **__):
    """A loop that is over at once."""


def _idle(game, generator, discriminator, samples, batch_size, latent_dim, iterations, device, pace):
    """A loop that keeps pace, and trains nothing."""
    for _ in range(iterations):
        pace()


@pytest.mark.parametrize(
    ("loop", "quick", "fault"),
    [
        (None, False, None),
        (_nothing, False, "^best ended before its time$"),
        (_idle, False, r"^gan_lab moves the generator by \d\S*, best by 0$"),
        (_idle, True, None),
    ],
)
def test_a_side_that_does_not_train_alike_is_no_measure(monkeypatch, loop, quick, fault):
    from benchmarks import hand_written, steps
    from benchmarks.measuring import Scale

    settings = ("dataset=ring8", "evaluation.samples=100", "log_every=10")
    ring = steps.Case("non_saturating", settings, 20, 10, {("gan_lab", "best"): 9.0})
    monkeypatch.setattr(steps, "CPU", {"ring": ring})
    scale = Scale(repeats=2, quick=quick, device="cpu", threads=1, data="")
    monkeypatch.setattr(hand_written, "best", loop or hand_written.best)
    if fault is None:
        assert len(steps.steps(scale)) == 1
    else:
        with pytest.raises(RuntimeError, match=fault):
            steps.steps(scale)


@pytest.mark.parametrize("game", ["non_saturating", "rsgan", "wgan_gp"])
def test_by_hand_is_computed_what_gan_lab_computes(composed, tmp_path, monkeypatch, game):
    """The same data and noise: after four iterations the weights are the same, but for rounding."""
    from benchmarks import hand_written

    count = 4
    config = composed(*SMALL, f"loss={game}", f"iterations={count}", "batch_size=16")
    data = digits()
    streams = [
        BatchStream(data.train, 16, 10**6, config.seed, purpose=purpose) for purpose in ("batches", "generator_batches")
    ]
    orders = iter([stream.indices(0, len(data.train)) for stream in streams])
    iteration = GAN.training_step

    def training_step(self, dataloader_iter):
        torch.manual_seed(self.trainer.global_step)
        return iteration(self, dataloader_iter)

    monkeypatch.setattr(GAN, "training_step", training_step)
    monkeypatch.setattr(GAN, "draw_latents", lambda self, count: torch.randn(count, self.prior.dim))
    module = build_module(config, data.sample_shape)
    start = {key: value.clone() for key, value in module.named_parameters()}
    theirs = weights_of(train_in(tmp_path / "run", config))
    seeds = iter(range(count))
    monkeypatch.setattr(torch, "randperm", lambda *_, **__: next(orders))
    hand_written.best(
        hand_written.GAMES[game],
        module.generator,
        module.discriminator,
        data.train,
        16,
        config.latent_dim,
        count,
        torch.device("cpu"),
        lambda: torch.manual_seed(next(seeds)),
    )
    for player in ("generator", "discriminator"):
        # of a difference of logits, the bias has a gradient of rounding alone, of which Adam makes whole steps
        keys = [key for key in start if key.startswith(player) and (game, key) != ("rsgan", list(start)[-1])]
        ours = dict(module.named_parameters())
        apart = sum((ours[key] - theirs[key]).square().sum() for key in keys).sqrt()
        way = sum((theirs[key] - start[key]).square().sum() for key in keys).sqrt()
        assert apart < 1e-5 * way


def _marking(letter, file, pace):
    """A side that leaves a mark in a file in each of its iterations."""
    for _ in range(13):
        pace()
        with file.open("a") as marks:
            marks.write(letter)
    return letter


def test_sides_take_turns(tmp_path):
    from benchmarks.turns import Course, race

    course = Course(iterations=10, turn=2)
    assert course.length == 13
    marks = tmp_path / "marks"
    finish = race({letter: partial(_marking, letter, marks) for letter in "ab"}, course)
    assert [(name, at.end) for name, at in finish.items()] == [("a", "a"), ("b", "b")]
    made = marks.read_text()
    assert made[4:24] == "aabb" * 5
    assert sorted(made[:4]) == ["a", "a", "b", "b"]  # the first turn is taken by both at once
    assert sorted(made[24:]) == ["a", "b"]  # the last iteration is nobody's turn
    assert all(at.seconds > 0 for at in finish.values())


def test_what_is_claimed_can_fail():
    from benchmarks.measuring import Claim

    sides = {"ours": [12.0, 24.0, 90.0], "theirs": [10.0, 20.0, 30.0]}  # the machine was slower from time to time
    assert Claim("slow", sides, at_most=1.25).holds is True
    assert Claim("slow", sides, at_most=1.15).holds is False
    assert Claim("fast", sides, at_least=1.15).holds is True
    assert Claim("fast", sides, at_least=1.25).holds is False
    assert Claim("unclaimed", sides).holds is None
