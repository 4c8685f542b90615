"""The verdict on trainings that were made to fail, each in a known way, and on each rule's border."""

import math

import pytest
import torch
from torch import nn
from training_runs import train_in

from gan_lab.errors import Diverged
from gan_lab.metrics.verdict import Thresholds, verdict

RING = ["dataset=ring8", "trainer=cpu", "iterations=400", "pictures.samples=10", "evaluation.samples=500"]
QUICKER = ["optimizer.generator.lr=1e-3", "optimizer.discriminator.lr=1e-3"]  # of seeds 0, 1 and 2 all end healthy


class Constant(nn.Module):
    """Draws one point, wherever it likes."""

    def __init__(self, latent_dim, sample_shape):
        super().__init__()
        self.point = nn.Parameter(torch.zeros(sample_shape))

    def forward(self, latents):
        return self.point.expand(len(latents), -1) + 0 * latents.sum(1, keepdim=True)


class OneMode(nn.Module):
    """Draws from the ring's first mode, slightly displaced."""

    def __init__(self, latent_dim, sample_shape):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(sample_shape))

    def forward(self, latents):
        return torch.tensor([1.0, 0.0]) + 0.003 * self.shift.tanh() + 0.01 * latents


def judged(config, path):
    return train_in(path, config).result()["verdict"]


@pytest.mark.parametrize(
    ("overrides", "expected", "rule"),
    [
        (["model.generator._target_=test_verdict.Constant"], "collapsed", "the samples' diversity is 0 of real data's"),
        (["model.generator._target_=test_verdict.OneMode"], "collapsed", "the samples' diversity is 0.0"),
        (
            ["optimizer.discriminator.lr=1e-12"],
            "discriminator_frozen",
            "the discriminator's weight norm stayed the same",
        ),
        (["optimizer.generator.lr=1e-12"], "generator_frozen", "the generator's weight norm stayed the same"),
        (["iterations=800", "evaluation.every=800", *QUICKER], "healthy", "no rule fired"),
    ],
)
def test_planted_trainings(composed, tmp_path, overrides, expected, rule):
    config = composed(*RING, *overrides, "allowed_targets=[test_verdict]")
    if "_target_" in config.model.generator and "test_verdict" in config.model.generator._target_:
        config.model.generator = {"_target_": config.model.generator._target_}
    found = judged(config, tmp_path / "run")
    assert found["verdict"] == expected, found
    assert found["rule"].startswith(rule)


def test_a_learning_rate_of_100(composed, tmp_path):
    """On the ring values overflow; digits' pixels are bounded, so only the weights run away."""
    rates = [f"optimizer.{player}.lr=100" for player in ("generator", "discriminator")]
    with pytest.raises(Diverged):
        train_in(tmp_path / "ring", composed(*RING, *rates))
    config = composed("model=mlp", "loss=non_saturating", "trainer=cpu", "iterations=60", *rates)
    found = judged(config, tmp_path / "digits")
    assert found["verdict"] == "diverged"
    assert "times its first, above 100 times" in found["rule"]


def curves(**changes):
    """A healthy training's curves, but for changes."""
    healthy = {
        "weight_norm/generator": {0: 10.0, 50: 11.0, 100: 12.0, 150: 12.5},
        "weight_norm/discriminator": {0: 10.0, 50: 11.0, 100: 12.0, 150: 12.5},
        "accuracy/discriminator": {50: 0.9, 100: 0.8, 150: 0.8},
        "metric/modes": {100: 7.0, 150: 8.0},
        "signal/diversity": {100: 0.1, 150: 0.9},
        "signal/duplicates": {100: 0.9, 150: 0.0},
        "signal/realistic": {100: 0.0, 150: 0.8},
        "metric/coverage_points": {100: 0.0, 150: 0.5},
    }
    return healthy | {name.replace("__", "/"): curve for name, curve in changes.items()}


LATE = {50: 0.5, 100: 0.5, 150: 1.0}  # the last quarter counts
RISEN = dict.fromkeys(range(50, 400, 50), 0.9) | {400: 1.0}  # whose last quarter, of two points, is 0.95 in the mean


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "healthy"),
        ({"weight_norm__generator": {0: 10.0, 50: 999.0}}, "healthy"),
        ({"weight_norm__generator": {0: 10.0, 50: 1001.0}}, "diverged"),
        ({"weight_norm__discriminator": {0: 0.0, 50: 101.0}}, "diverged"),
        ({"weight_norm__discriminator": {0: 0.1, 50: 99.0}}, "healthy"),  # weights that began near 0 may grow
        ({"weight_norm__discriminator": {0: 1.0, 50: 2.0, 100: 2.0, 150: 2.0}}, "discriminator_frozen"),
        (
            {"weight_norm__discriminator": {0: 1.0, 50: 2.0, 100: 2.0}},
            "discriminator_frozen",
        ),  # an odd number
        ({"weight_norm__generator": {0: 2.0, 50: 2.0, 100: 2.0, 150: 2.00001}}, "healthy"),
        ({"weight_norm__generator": {0: 0.0, 50: 0.0}}, "generator_frozen"),
        ({"weight_norm__encoder": {0: 10.0, 50: 11.0, 100: 12.0, 150: 12.5}}, "healthy"),
        ({"weight_norm__encoder": {0: 1.0, 50: 2.0, 100: 2.0, 150: 2.0}}, "encoder_frozen"),
        ({"weight_norm__encoder": {0: 1.0, 50: 200.0}}, "diverged"),
        ({"signal__diversity": {150: 0.29}}, "collapsed"),
        ({"signal__diversity": {150: 0.31}}, "healthy"),
        ({"signal__class_diversity": {100: 0.9, 150: 0.29}}, "collapsed"),  # one sample of each class
        ({"signal__class_diversity": {100: 0.1, 150: 0.31}}, "healthy"),
        ({"signal__class_diversity": {150: math.nan}}, "healthy"),  # no class has two samples to compare
        ({"signal__duplicates": {150: 0.51}}, "collapsed"),
        ({"signal__duplicates": {150: 0.5}}, "healthy"),
        ({"metric__modes": {150: 3.0}}, "collapsed"),
        ({"metric__modes": {150: 4.0}}, "healthy"),
        ({"metric__classes": {150: 4.0}}, "collapsed"),
        ({"accuracy__discriminator": LATE, "signal__realistic": {150: 0.04}}, "discriminator_won"),
        (
            {"accuracy__discriminator": {50: 0.5, 100: 0.5, 150: 0.98}, "signal__realistic": {150: 0.04}},
            "unconverged",
        ),
        ({"accuracy__discriminator": {150: 1.0}, "signal__realistic": {150: 0.06}}, "healthy"),
        ({"accuracy__discriminator": {150: 0.99}, "signal__realistic": {150: 0.05}}, "discriminator_won"),
        ({"accuracy__discriminator": RISEN, "signal__realistic": {150: 0.0}}, "unconverged"),
        ({"signal__realistic": {150: 0.05}, "metric__modes": {150: 0.0}}, "unconverged"),  # many, and none realistic
        ({"signal__realistic": {150: 0.06}, "metric__modes": {150: 0.0}}, "collapsed"),
        ({"signal__realistic": {150: 0.0}, "signal__diversity": {150: 0.2}}, "collapsed"),
        ({"metric__coverage_points": {150: 0.08}}, "far_from_real"),
        ({"metric__coverage_points": {150: 0.1}}, "healthy"),
        (
            {"accuracy__discriminator": LATE, "signal__realistic": {150: 0.0}, "metric__modes": {1: 1.0}},
            "discriminator_won",
        ),
    ],
)
def test_rules(changes, expected):
    found = verdict(curves(**changes), {"modes": 8.0, "classes": 10.0, "coverage_points": 0.9}, Thresholds())
    assert found["verdict"] == expected, found


@pytest.mark.parametrize(
    ("changes", "fooled", "expected"),
    [
        ({}, ("precision",), "healthy"),
        ({}, ("precision", "realistic"), "not judged"),
        ({}, ("coverage",), "not judged"),
        ({"signal__realistic": {150: 0.0}}, ("realistic",), "unconverged"),  # such a signal errs by praising
        ({"signal__diversity": {150: 0.1}}, ("realistic",), "collapsed"),
    ],
)
def test_what_praises_falsely_makes_no_training_healthy(changes, fooled, expected):
    found = verdict(curves(**changes), {"modes": 8.0, "coverage_points": 0.9}, Thresholds(), fooled)
    assert found["verdict"] == expected, found


def test_the_yaml_has_the_thresholds(composed):
    assert Thresholds(**composed().evaluation.verdict) == Thresholds()
