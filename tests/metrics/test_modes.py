"""Mode coverage against planted cases and a perfect sampler."""

import math

import pytest
import torch

from gan_lab.datasets import grid, ring
from gan_lab.metrics import mode_coverage


@pytest.mark.parametrize("make", [ring, grid])
def test_a_perfect_sampler_reaches_the_ceiling(make):
    """LITERATURE.md §5: high quality 1 − e^−4.5, reverse KL ≈ (K − 1)/(2N)."""
    data = make()
    scores = mode_coverage(data.train[:50_000], data.modes, data.mode_std)
    modes = len(data.modes)
    assert scores["modes"] == modes
    assert scores["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=4 * (0.0109 / 50_000) ** 0.5)
    # 2N · KL is χ² with K − 1 degrees of freedom: mean K − 1, deviation √(2(K − 1))
    degrees = modes - 1
    assert 2 * 50_000 * scores["reverse_kl"] == pytest.approx(degrees, abs=4 * (2 * degrees) ** 0.5)


def test_planted_cases():
    modes = ring().modes
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
