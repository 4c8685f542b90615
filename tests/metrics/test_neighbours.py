"""Precision, recall, density and coverage against an independent number, the authors' package and planted cases."""

import prdc
import pytest
import torch
from truth import random_sets, truth_sets

from gan_lab.datasets import digits, ring
from gan_lab.metrics import neighbour_radii, neighbours, precision_recall_density_coverage, signals


@pytest.mark.parametrize(
    ("k", "expected"), [(3, (1 / 60, 4 / 60, 1 / 180, 1 / 60)), (5, (2 / 60, 8 / 60, 1 / 100, 3 / 60))]
)
def test_numeric_truth(k, expected):
    """LITERATURE.md §6: k = 3: .016667, .066667, .005556, .016667; k = 5: .033333, .133333, .01, .05."""
    scores = precision_recall_density_coverage(*truth_sets(), k)
    assert list(scores) == ["precision", "recall", "density", "coverage"]
    assert tuple(scores.values()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("pairs", [2**24, 2000])
def test_agrees_with_the_authors_package_in_chunks_of_any_size(k, pairs, monkeypatch):
    monkeypatch.setattr(neighbours, "_PAIRS", pairs)
    real, fake = (features.double() for features in random_sets())
    theirs = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
    assert precision_recall_density_coverage(real, fake, k) == pytest.approx(theirs, rel=1e-6)


def test_planted_cases():
    real = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    assert precision_recall_density_coverage(real, real, 5) == {
        "precision": 1, "recall": 1, "density": pytest.approx(1), "coverage": 1,
    }  # fmt: skip
    far = precision_recall_density_coverage(real, real + 100, 5)
    assert far == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    one = precision_recall_density_coverage(real, real[:1].repeat(200, 1), 5)
    assert (one["precision"], one["recall"]) == (1, 0)
    assert one["coverage"] < 0.1


def test_radii():
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert neighbour_radii(points, 1).tolist() == pytest.approx([1, 1, 2, 4])
    assert neighbour_radii(points, 3).tolist() == pytest.approx([7, 6, 4, 7])
    with pytest.raises(ValueError, match=r"k=4: expected fewer neighbours than samples, of which there are 4"):
        neighbour_radii(points, 4)


@pytest.mark.parametrize("shift", [0.0, 1e5, 1e6])
def test_a_shift_of_all_features_changes_nothing(shift):
    """The issue: the ring shifted by 1e6 had a precision of .453 instead of .991, by 1e5 .223 duplicates for .006."""
    real, fake = ring().test[:1000].double(), ring().train[:1000].double()
    assert precision_recall_density_coverage(real + shift, fake + shift, 5) == precision_recall_density_coverage(
        real, fake, 5
    )
    assert signals(real + shift, fake + shift) == pytest.approx(signals(real, fake), rel=1e-6)


def grid(side):
    """A grid of whole numbers in three dimensions, most of whose distances tie."""
    return torch.cartesian_prod(*[torch.arange(float(side))] * 3)


@pytest.mark.parametrize(("side", "k"), [(4, 5), (6, 5), (6, 1), (5, 7)])
def test_ties_are_strict_and_no_order_decides_them(side, k):
    """By hand, from all differences of whole numbers, which are exact."""
    points = grid(side)
    apart = (points[:, None] - points[None]).square().sum(2)
    limits = apart.sort(1).values[:, k]
    expected = (apart < limits).sum().item() / (k * len(points))
    for shift in (0.0, 0.1, 1e6):
        shuffled = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(3))]
        found = precision_recall_density_coverage(shuffled + shift, points + shift, k)
        if shift != 0.1:  # which whole numbers plus a tenth are not exactly
            assert found["density"] == pytest.approx(expected, abs=1e-12)
        assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)


def test_a_set_has_the_density_one_against_itself():
    """Each ball holds the k − 1 nearest and the feature itself; the issue: 1.0024 for digits."""
    digits_ = digits().train.flatten(1)
    assert precision_recall_density_coverage(digits_, digits_[torch.randperm(len(digits_))], 5)["density"] == 1


def test_copies_by_the_thousand_are_compared_exactly():
    real = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    assert precision_recall_density_coverage(real, real[:1].repeat(300, 1), 5)["recall"] == 0
    doubled = real[:150].repeat(2, 1)  # every distance twice, and the nearest other at none
    assert neighbour_radii(doubled, 1).tolist() == [0] * 300
    assert precision_recall_density_coverage(doubled, doubled, 1)["density"] == 0  # no distance is below none
