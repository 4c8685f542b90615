"""The Fréchet distance against closed forms and an independent number."""

import numpy as np
import pytest
import torch

from gan_lab.metrics import Gaussian, frechet_distance


def test_numeric_truth():
    """LITERATURE.md §6: A[i,j] = sin(.7i + 1.3j) + .1cos(.37i(j + 1)); B the same with +.4 in the sine, ×1.1 + .15."""
    i, j = np.arange(60)[:, None], np.arange(4)[None]
    first = np.sin(0.7 * i + 1.3 * j) + 0.1 * np.cos(0.37 * i * (j + 1))
    second = (np.sin(0.7 * i + 1.3 * j + 0.4) + 0.1 * np.cos(0.37 * i * (j + 1))) * 1.1 + 0.15
    distance = frechet_distance(*(Gaussian.fit(torch.from_numpy(part)) for part in (first, second)))
    assert distance == pytest.approx(0.1125769017, rel=1e-8)


def test_gaussians_with_known_moments():
    """Diagonal covariances commute: the distance is ‖μ₁ − μ₂‖² + Σ(σ₁ − σ₂)²."""
    first = Gaussian(torch.tensor([1.0, 0.0, 2.0]).double(), torch.diag(torch.tensor([4.0, 1.0, 0.0]).double()))
    second = Gaussian(torch.tensor([0.0, 0.0, 0.0]).double(), torch.diag(torch.tensor([1.0, 9.0, 0.25]).double()))
    assert frechet_distance(first, second) == pytest.approx(5 + 1 + 4 + 0.25, rel=1e-12)
    assert frechet_distance(second, first) == pytest.approx(10.25, rel=1e-12)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-12)


def test_fit_is_unbiased():
    gaussian = Gaussian.fit(torch.tensor([[0.0], [2.0]]))
    assert (gaussian.mean.item(), gaussian.covariance.item()) == (1.0, 2.0)


def test_bad_features():
    with pytest.raises(ValueError, match=r"N of at least 2"):
        Gaussian.fit(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"not finite"):
        Gaussian.fit(torch.tensor([[0.0], [float("nan")]]))
