"""Signs of collapse on sets that were made to show them."""

import pytest
import torch

from gan_lab.datasets import ring
from gan_lab.metrics import precision_recall_density_coverage, signals
from gan_lab.metrics.collapse import RealSigns


def normal(count, seed, dimensions=3):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed)).double()


def test_equal_distributions():
    found = signals(normal(900, 0), normal(900, 1))
    assert found["diversity"] == pytest.approx(1, abs=0.03)
    assert found["duplicates"] < 0.01
    assert found["realistic"] > 0.95


def test_diversity_is_a_ratio_of_mean_distances():
    """Two points at distance 2: the mean distance of fakes is that between them times the share of unequal pairs."""
    real = torch.tensor([[0.0], [1.0], [3.0], [7.0]])  # distances 1, 3, 7, 2, 6, 4: 23/6
    fake = torch.tensor([[0.0], [0.0], [2.0], [2.0]])  # of six pairs, four at distance 2
    assert signals(real, fake)["diversity"] == pytest.approx((4 * 2 / 6) / (23 / 6))


def test_diversity_within_a_class_is_a_mean_over_classes():
    """Fakes of class 0 differ by a third as much as reals, those of class 1 not at all, and class 2 has none."""
    real = torch.tensor([[0.0], [2.0], [100.0], [101.0], [50.0], [51.0]])
    fake = torch.tensor([[0.0], [1.0], [100.0], [100.0], [0.5], [100.0]])
    labels, asked = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 1, 0, 1])
    assert "class_diversity" not in signals(real, fake)
    assert signals(real, fake, labels)["diversity"] == signals(real, fake, labels, asked)["diversity"]
    of_class_0 = (1 + 0.5 + 0.5) / 3 / 2  # fakes at 0, 1 and 0.5; reals at 0 and 2
    assert signals(real, fake, labels, asked)["class_diversity"] == pytest.approx((of_class_0 + 0) / 2)
    assert signals(real, fake, labels, labels)["class_diversity"] == pytest.approx((0.5 + 0 + 99.5) / 3)


def test_one_sample_over_and_over_has_no_diversity_at_all():
    real = normal(50, 0, 64) + 1000
    assert signals(real, real[:1].expand(50, -1))["diversity"] == 0


def test_duplicates_lie_ten_times_closer_than_real_neighbours():
    real = torch.arange(50.0)[:, None]  # neighbours at distance 1
    pairs = torch.arange(25.0)[:, None] * 4
    for gap, share in ((0.09, 1.0), (0.11, 0.0)):
        assert signals(real, torch.cat([pairs, pairs + gap]))["duplicates"] == share
    half = torch.cat([pairs[:12], pairs[:12] + 0.01, 200 + pairs[:24]])
    assert signals(real, half)["duplicates"] == pytest.approx(24 / 48)


def test_duplicates_among_samples_of_which_most_have_exact_twins():
    """Half the distance to the nearest other one is then 0, and so would be the tenth of it."""
    real = torch.cat([torch.randn(40, 2, generator=torch.Generator().manual_seed(0))] * 2)
    assert signals(real, real[:1].repeat(80, 1))["duplicates"] == 1


def test_what_is_far_from_all_is_not_realistic():
    assert signals(normal(300, 0), normal(300, 1) + 50)["realistic"] == 0


def test_a_thousand_are_looked_at():
    real, fake = normal(1000, 0), normal(1000, 1)
    longer = torch.cat([fake, torch.zeros(5000, 3).double()])
    assert signals(real, longer) == signals(real, fake)


def test_a_few_large_balls_make_nothing_realistic():
    """Of seven outliers, which hold all fakes: precision says 1, and they count five times their share at most."""
    real = torch.cat([normal(993, 0), 40 * torch.nn.functional.normalize(normal(7, 1))])
    fake = 15 + normal(1000, 2)
    assert precision_recall_density_coverage(real, fake, 5)["precision"] > 0.99
    assert signals(real, fake)["realistic"] <= 5 * 7 / 1000 + 1e-9
    assert signals(real, fake)["realistic"] > 0


def test_one_mode_of_eight_is_realistic():
    modes = ring().mixture.modes.repeat_interleave(125, 0)
    real = modes + 0.01 * normal(1000, 0, 2)
    fake = modes[:1] + 0.01 * normal(1000, 1, 2)
    assert signals(real, fake)["realistic"] == pytest.approx(
        5 / 8, abs=0.05
    )  # a ball of the mode holds eight times its share


def test_what_is_known_of_the_reals_changes_no_signal():
    real = RealSigns.of(normal(60, 0), 50)
    for fake in (normal(50, 1), 3 * normal(50, 2)):
        assert real.compare(fake) == signals(normal(60, 0), fake)
