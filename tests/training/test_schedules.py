"""Schedules at the points where their value is known."""

import math

import pytest
import torch
from torch import nn

from gan_lab.algorithms.player import Player
from gan_lab.config.checks import check
from gan_lab.errors import ConfigError
from gan_lab.losses import R1
from gan_lab.losses.weighted import weights_due, with_added
from gan_lab.training.build import build_module
from gan_lab.training.schedules import Decay, Schedule


@pytest.mark.parametrize(
    ("decay", "warmup", "expected"),
    [
        ("constant", 0, {0: 1.0, 50: 1.0, 100: 1.0}),
        ("linear", 0, {0: 1.0, 25: 0.75, 100: 0.0, 120: 0.0}),
        ("cosine", 0, {0: 1.0, 50: 0.5, 25: 0.5 * (1 + 0.5**0.5), 100: 0.0}),  # cos(π/4) = √½
        ("constant", 4, {0: 0.2, 3: 0.8, 4: 1.0}),
        ("linear", 20, {19: 20 / 21, 20: 1.0, 60: 0.5, 100: 0.0}),
    ],
)
def test_factors(decay, warmup, expected):
    schedule = Schedule(decay, warmup, 100)
    assert {i: schedule(i) for i in expected} == pytest.approx(expected, abs=1e-12)


def test_the_rates_of_cyclegan():
    """As they are for the first half of training, then linearly to 0 (Zhu et al. 2017, appendix 7.1)."""
    schedule = Schedule("linear", 0, 200, hold=100)
    assert [schedule(i) for i in (0, 100, 125, 150, 199, 200)] == pytest.approx([1, 1, 0.75, 0.5, 0.01, 0])
    warm = Schedule("cosine", 10, 30, 0.5, hold=10)
    assert [warm(i) for i in (9, 10, 20, 25, 30)] == pytest.approx([10 / 11, 1, 1, 0.75, 0.5])
    assert [warm.between(0.9, 0.99, i) for i in (5, 20, 30)] == pytest.approx([0.9, 0.9, 0.99])


def test_a_warmup_longer_than_training():
    assert Schedule("linear", 10, 5)(4) == pytest.approx(5 / 11)


@pytest.mark.parametrize(("decay", "half"), [("linear", 0.5), ("cosine", 0.5 * (1 + 0.5**0.5))])
def test_a_decay_that_ends_early_and_above_zero(decay, half):
    """A quarter of the rate from iteration 80 on; after a quarter of the way, `half` of the fall is still to come."""
    at = 40 if decay == "linear" else 20
    schedule = Schedule(decay, 0, 80, 0.25)
    expected = {0: 1, at: 0.25 + 0.75 * half, 80: 0.25, 200: 0.25}
    assert {i: schedule(i) for i in expected} == pytest.approx(expected)
    assert schedule.between(0.9, 0.99, at) == pytest.approx(0.99 - 0.09 * half)
    assert (schedule.between(0.9, 0.99, 0), schedule.between(0.9, 0.99, 90)) == pytest.approx((0.9, 0.99))
    assert Schedule(decay, 10, 80).between(0.9, 0.99, 5) == 0.9  # during warm-up


def test_a_penaltys_weight_moves_along_half_a_cosine():
    """R3GAN's γ: 0.05 to 0.005 (NETWORKS.md D); cos(π/4) = √½ after a quarter of the way."""
    penalty = R1(0.05, final_weight=0.005, until=200)
    expected = {0: 0.05, 50: 0.005 + 0.045 * (1 + 0.5**0.5) / 2, 100: 0.0275, 200: 0.005, 900: 0.005}
    assert {i: penalty.weight_at(i) for i in expected} == pytest.approx(expected)
    assert R1(3.0).weight_at(500) == 3.0
    assert R1(0.0, final_weight=1.0, until=5).counts
    assert not R1(0.0, final_weight=0.0, until=5).counts


def test_an_averages_half_life_rises_along_half_a_cosine():
    """0.5 ** (batch / half-life): of 10 thousand samples, half of it after half the rise, and all of it after it."""
    decay = Decay(None, 10, None, 50, 4)
    expected = {40: 0.5 ** (50 / 5_000), 80: 0.5 ** (50 / 10_000), 500: 0.5 ** (50 / 10_000)}
    expected[20] = 0.5 ** (50 / (10_000 * (1 - math.cos(math.pi / 4)) / 2))
    assert {i: decay(i) for i in expected} == pytest.approx(expected)
    assert Decay(None, 5000, None, 1, 10**9)(1) == 0  # so short a half-life keeps nothing


def test_adams_second_decay_rate_follows_the_learning_rate():
    weight = nn.Linear(1, 1)
    schedule = Schedule("cosine", 0, 4, 0.5)
    adam = torch.optim.Adam(weight.parameters(), 1.0, (0.1, 0.9))
    player = Player("generator", weight, adam, schedule, beta2=lambda done: schedule.between(0.9, 0.99, done))
    seen = []
    for _ in range(6):
        (group,) = adam.param_groups
        seen.append((group["lr"], *group["betas"]))
        adam.step()
        player.advance()
    expected = [(1 - 0.5 * (1 - left), 0.1, 0.99 - 0.09 * left) for left in map(Schedule("cosine", 0, 4), range(6))]
    assert seen == [pytest.approx(row) for row in expected]


class Two(R1):
    """A penalty of 2."""

    def __call__(self, judge, real, fake):
        return torch.tensor(2.0, requires_grad=True)


def test_a_run_gives_every_schedule_what_it_needs(composed):
    """Penalties by the discriminator's updates; rates, β₂ and the average as the experiment's file says."""
    narrow = [f"model.{role}.widths=[4,4]" for role in ("generator", "discriminator")]
    words = ["experiment=r3gan_digits", *narrow, "batch_size=4"]
    module = build_module(composed(*words, "lr_iterations=2"), (1, 8, 8), class_counts=[4, 4])
    players = module.players
    for player in players.values():
        for _ in range(2):
            player.optimizer.step()
            player.advance()
        (group,) = player.optimizer.param_groups
        assert (group["lr"], *group["betas"]) == pytest.approx((5e-5, 0.0, 0.99))
    assert players["generator"].average_decay(10) == pytest.approx(
        0.5 ** (4 / (10_000 * (1 - math.cos(math.pi * 40 / 128_000)) / 2))
    )
    penalty = Two(0.05, 2, final_weight=0.005, until=2000)
    for updates, weight in ((0, 0.05), (2000, 0.005)):
        weights = weights_due({"r1": penalty}, updates)
        curves = {}
        total = with_added(torch.ones(()), {"r1": penalty}, weights, curves, None, None, None)
        assert total.item() == pytest.approx(1 + 2 * 2 * weight)
        assert not curves["loss/r1"].requires_grad  # a curve would keep the graph of its update
    assert module.loss.penalties["r2"].weight_at(1000) == pytest.approx(0.0275)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lr_final=0.1"], r"^lr_final=0.1: it does nothing with lr_schedule=constant; expected lr_schedule=cos"),
        (["lr_iterations=5"], r"^lr_iterations=5: it does nothing with lr_schedule=constant"),
        (["beta2_final=0.9"], r"^beta2_final=0.9: it does nothing with lr_schedule=constant"),
        (["lr_schedule=cosine", "lr_final=1.5"], r"^lr_final=1.5: expected a number of at most 1"),
        (["lr_schedule=cosine", "lr_iterations=0"], r"^lr_iterations=0: expected a whole number of at least 1"),
        (["lr_schedule=cosine", "lr_warmup=9", "lr_iterations=9"], r"^lr_iterations=9: expected more than lr_warmup=9"),
        (["lr_schedule=cosine", "beta2_final=1"], r"^beta2_final=1.0: expected null or a number from 0 to below 1"),
        (["ema.rise=3"], r"^ema.rise=3.0: expected null without ema.half_life, which it shortens"),
        (["ema.half_life=3", "ema.rise=3", "ema.ramp=0.1"], r"^ema.rise=3.0: expected null with ema.ramp=0.1"),
        (["compile=cudagraph", "lr_schedule=cosine", "beta2_final=0.9"], r"^beta2_final=0.9: expected null with comp"),
        (["compile=cudagraph", "penalty=r1", "loss.penalties.r1.final_weight=1", "loss.penalties.r1.until=9"],
         r"^loss.penalties.r1.final_weight=1: expected null with compile=cudagraph"),
        (["compile=cudagraph", "ema.half_life=3", "ema.rise=3"], r"^ema.rise=3.0: expected null with compile"),
        (["compile=cudagraph", "ema.half_life=3", "ema.ramp=3"], r"^ema.ramp=3.0: expected null with compile"),
    ],
)  # fmt: skip
def test_schedules_that_are_refused(composed, words, message):
    with pytest.raises(ConfigError, match=message):
        check(composed(*words))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"final_weight": 1.0}, "R1.until=null: expected a whole number of at least 1"),
        ({"until": 4}, "R1.until=4: expected null without final_weight"),
        ({"final_weight": -1.0, "until": 4}, "R1.final_weight=-1.0: expected a number of at least 0"),
        ({"final_weight": 1.0, "until": 0}, "R1.until=0: expected a whole number of at least 1"),
    ],
)
def test_bad_weights(settings, message):
    with pytest.raises(ValueError, match=message):
        R1(**settings)


def test_a_second_decay_rate_is_adams(composed):
    config = composed("optimizer=rmsprop", "lr_schedule=linear", "beta2_final=0.9")
    with pytest.raises(ConfigError, match=r"^beta2_final=0.9: expected null, as RMSprop of .* has no betas"):
        build_module(config, (1, 8, 8))
