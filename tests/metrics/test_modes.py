"""Mode coverage against planted cases and a perfect sampler."""

import itertools
import math

import numpy as np
import pytest
import torch

from gan_lab.datasets import grid, ring
from gan_lab.metrics import class_ceiling, mixture_ceiling, mode_coverage
from gan_lab.metrics.modes import expected_divergence, expected_number


@pytest.mark.parametrize("make", [ring, grid])
def test_a_perfect_sampler_reaches_the_ceiling(make):
    """LITERATURE.md §5: high quality 1 − e^−4.5, reverse KL ≈ (K − 1)/(2N)."""
    data = make()
    scores = mode_coverage(data.train[:50_000], *data.mixture)
    modes = len(data.mixture.modes)
    assert scores["modes"] == modes
    assert scores["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=4 * (0.0109 / 50_000) ** 0.5)
    # 2N · KL is χ² with K − 1 degrees of freedom: mean K − 1, deviation √(2(K − 1))
    degrees = modes - 1
    assert 2 * 50_000 * scores["reverse_kl"] == pytest.approx(degrees, abs=4 * (2 * degrees) ** 0.5)


def test_planted_cases():
    modes = ring().mixture.modes
    one = mode_coverage(modes[:1].repeat(10, 1), modes, 0.01)
    assert one == {"modes": 1.0, "high_quality": 1.0, "reverse_kl": pytest.approx(math.log(8))}
    half = mode_coverage(torch.cat([modes, modes + 0.2]), modes, 0.01)
    assert half == {"modes": 8.0, "high_quality": 0.5, "reverse_kl": pytest.approx(0, abs=1e-12)}
    none = mode_coverage(modes + 0.2, modes, 0.01)
    assert none == {"modes": 0.0, "high_quality": 0.0, "reverse_kl": pytest.approx(math.log(8))}
    # 3 samples on one mode, 1 on another, of two: KL = ¾ ln(¾·2) + ¼ ln(¼·2)
    uneven = mode_coverage(modes[[0, 0, 0, 1]], modes[:2], 0.01)
    assert uneven["reverse_kl"] == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_three_standard_deviations_is_the_border():
    mode = torch.zeros(1, 2)
    samples = torch.tensor([[0.0299, 0.0], [0.0301, 0.0]])
    assert mode_coverage(samples, mode, 0.01)["high_quality"] == 0.5


@pytest.mark.parametrize("make", [ring, grid])
def test_the_ceiling_is_what_a_perfect_sampler_scores(make):
    """LITERATURE.md §5: high quality 98.89 %; reverse KL 0.0014 for the ring and 0.0048 for the grid at 2 500."""
    data = make()
    ceiling = mixture_ceiling(len(data.mixture.modes), 2, 2500)
    assert ceiling["modes"] == len(data.mixture.modes)
    assert ceiling["high_quality"] == pytest.approx(0.98889, abs=1e-5)
    assert ceiling["reverse_kl"] == pytest.approx({ring: 0.0014, grid: 0.0048}[make], rel=0.02)
    scores = [mode_coverage(rows, *data.mixture) for rows in data.train.split(2500)]
    degrees = len(data.mixture.modes) - 1
    for name, deviation in (("high_quality", (0.0109 / 2500) ** 0.5), ("reverse_kl", (2 * degrees) ** 0.5 / 5000)):
        mean = sum(score[name] for score in scores) / len(scores)
        assert mean == pytest.approx(ceiling[name], abs=4 * deviation / len(scores) ** 0.5)


def test_the_ceiling_of_stacked_digits():
    """LITERATURE.md §5: KL ≈ 999/(2·26 000) = 0.019; at 2 000 samples, 1 000(1 − e⁻²) modes."""
    likely = np.full(1000, 1e-3)
    assert class_ceiling(likely, 26_000)["reverse_kl"] == pytest.approx(0.0193, abs=1e-4)
    assert class_ceiling(likely, 26_000)["modes"] == pytest.approx(1000, abs=1e-6)
    drawn = torch.randint(1000, (2000,), generator=torch.Generator().manual_seed(0)).unique()
    ceiling = class_ceiling(likely, 2000)["modes"]
    assert ceiling == pytest.approx(1000 * (1 - math.exp(-2)), abs=0.5)
    assert len(drawn) == pytest.approx(ceiling, abs=4 * 10)


@pytest.mark.parametrize(
    ("modes", "samples", "divergence"),
    [(1000, 1000, 0.5730), (1000, 2500, 0.2229), (1000, 26_000, 0.01934), (8, 2500, 0.0014), (1, 5, 0.0)],
)
def test_the_divergence_of_a_perfect_sampler_is_exact(modes, samples, divergence):
    """The first three from the issue, by simulation; (K − 1)/(2N), the first order, gives 0.4995 for the first."""
    assert expected_divergence(np.full(modes, 1 / modes), samples) == pytest.approx(divergence, rel=2e-3, abs=1e-12)


def test_the_divergence_of_three_samples_by_enumeration():
    """Of classes of ½, ¼ and ¼: all 27 draws of three, each with its probability."""
    shares, total = np.array([0.5, 0.25, 0.25]), 0.0
    for draw in itertools.product(range(3), repeat=3):
        counts = np.bincount(draw, minlength=3)
        parts = counts[counts > 0] / 3
        total += shares[list(draw)].prod() * (parts @ np.log(3 * parts))
    assert expected_divergence(shares, 3) == pytest.approx(total, rel=1e-12)
    assert expected_number(shares, 3) == pytest.approx(3 - (1 / 8 + 2 * (3 / 4) ** 3), rel=1e-12)


def test_the_ceiling_of_a_mixture_by_simulation():
    """Of few samples, where their number on the modes matters: 20 000 draws of 50 points from the grid's 25 modes."""
    rng = np.random.default_rng(0)
    ceiling = mixture_ceiling(25, 2, 50)
    counts = rng.multinomial(rng.binomial(50, ceiling["high_quality"], 20_000), np.full(25, 1 / 25))
    shares = counts / counts.sum(1, keepdims=True)
    found = (shares * np.log(np.where(shares > 0, shares, 1))).sum(1) + math.log(25)
    assert ceiling["reverse_kl"] == pytest.approx(found.mean(), abs=4 * found.std() / 20_000**0.5)
    assert ceiling["modes"] == pytest.approx((counts > 0).sum(1).mean(), abs=0.05)
