"""Precision, recall, density and coverage against an independent number, the authors' package and planted cases."""

import prdc
import pytest
import torch
from truth import random_sets, truth_sets

from gan_lab.metrics import neighbour_radii, neighbours, precision_recall_density_coverage


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
