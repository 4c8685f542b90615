"""The Fréchet distance against closed forms, an independent number and other libraries."""

import pytest
import torch
import torch_fidelity.metric_fid
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from truth import random_sets, truth_sets

from gan_lab.metrics import Moments, frechet_distance


def distance(first, second):
    return frechet_distance(Moments.of(first), Moments.of(second))


def test_numeric_truth():
    assert distance(*truth_sets()) == pytest.approx(0.1125769017, rel=1e-8)


def test_gaussians_with_known_moments():
    """Diagonal covariances commute: the distance is ‖μ₁ − μ₂‖² + Σ(σ₁ − σ₂)²."""
    first = Moments(5, torch.tensor([1.0, 0.0, 2.0]).double(), 4 * torch.diag(torch.tensor([4.0, 1.0, 0.0]).double()))
    second = Moments(3, torch.tensor([0.0, 0.0, 0.0]).double(), 2 * torch.diag(torch.tensor([1.0, 9.0, 0.25]).double()))
    assert frechet_distance(first, second) == pytest.approx(5 + 1 + 4 + 0.25, rel=1e-12)
    assert frechet_distance(second, first) == pytest.approx(10.25, rel=1e-12)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-12)


def test_gaussians_whose_covariances_do_not_commute():
    """tr(Σ₁Σ₂)^½ of two 2×2 matrices is √(tr Σ₁Σ₂ + 2√(det Σ₁Σ₂)), by Cayley-Hamilton."""
    a, b = torch.tensor([[2.0, 1.0], [1.0, 3.0]]).double(), torch.tensor([[4.0, -1.0], [-1.0, 1.0]]).double()
    zero = torch.zeros(2).double()
    root = ((a @ b).trace() + 2 * (a.det() * b.det()).sqrt()).sqrt()
    expected = (a.trace() + b.trace() - 2 * root).item()
    assert frechet_distance(Moments(2, zero, a), Moments(2, zero, b)) == pytest.approx(expected, rel=1e-12)


def test_agrees_with_torchmetrics_and_torch_fidelity():
    real, fake = random_sets()
    metric = FrechetInceptionDistance(feature=nn.Identity(), input_img_size=(1, 1, 12)).set_dtype(torch.float64)
    metric.num_features = 12
    metric.reset()
    for features, is_real in ((real, True), (fake, False)):
        metric.update(features.double(), real=is_real)
    ours = distance(real, fake)
    assert ours == pytest.approx(metric.compute().item(), rel=1e-6)
    theirs = [torch_fidelity.metric_fid.fid_features_to_statistics(features.double()) for features in (real, fake)]
    value = torch_fidelity.metric_fid.fid_statistics_to_metric(*theirs, verbose=False)
    assert ours == pytest.approx(value["frechet_inception_distance"], rel=1e-6)


def test_pieces_add_up_without_losing_digits():
    """Means of 10⁶ against deviations of 1: a running sum of squares would lose 12 of 16 digits."""
    features = torch.randn(5000, 6, generator=torch.Generator().manual_seed(0)).double() + 1e6
    whole = Moments.of(features)
    pieces = Moments.of(features[:7]) + Moments.of(features[7:8]) + Moments.of(features[8:])
    for moments in (whole, pieces):
        assert moments.count == 5000
        assert torch.allclose(moments.mean, features.mean(0), rtol=1e-14)
        assert torch.allclose(moments.covariance, torch.cov(features.T), rtol=1e-8, atol=1e-10)


def test_bad_features():
    with pytest.raises(ValueError, match=r"N of at least 1"):
        Moments.of(torch.zeros(0, 3))
    with pytest.raises(ValueError, match=r"at least 2"):
        distance(torch.zeros(1, 3), torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"not finite"):
        Moments.of(torch.tensor([[0.0], [float("nan")]]))
