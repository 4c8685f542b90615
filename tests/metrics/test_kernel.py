"""The kernel distance against an independent number, other libraries and its expectation."""

import pytest
import torch
import torch_fidelity.metric_kid
from torch import nn
from torchmetrics.image.kid import KernelInceptionDistance
from truth import random_sets, truth_sets

from gan_lab.metrics import kernel_distance, squared_mmd
from gan_lab.metrics.kernel import RealSubsets


def test_numeric_truth():
    assert squared_mmd(*truth_sets()) == pytest.approx(0.0203431721, rel=1e-8)


def test_agrees_with_torch_fidelity_down_to_its_random_subsets():
    real, fake = (features.double() for features in random_sets())
    theirs = torch_fidelity.metric_kid.kid_features_to_metric(
        real, fake, kid_subsets=20, kid_subset_size=100, verbose=False
    )
    ours = kernel_distance(real, fake, subsets=20, subset_size=100)
    assert ours == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)


def test_agrees_with_torchmetrics():
    """Whose subsets are its own: with one subset that is the whole set, none are drawn."""
    real, fake = (features[:200].double() for features in random_sets())
    metric = KernelInceptionDistance(feature=nn.Identity(), subsets=1, subset_size=200)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    ours = kernel_distance(real, fake, subsets=1, subset_size=200)
    assert ours == pytest.approx(metric.compute()[0].item(), rel=1e-6)
    assert ours == pytest.approx(squared_mmd(real, fake), rel=1e-12)


def test_zero_in_expectation_for_equal_distributions():
    """Over 400 pairs of sets of 20, the mean is within four of its standard errors of 0; the biased one is not."""
    generator = torch.Generator().manual_seed(0)
    values = torch.tensor([squared_mmd(*torch.randn(2, 20, 3, generator=generator)) for _ in range(400)])
    error = values.std() / 20
    assert abs(values.mean()) < 4 * error
    assert error < 0.05


def test_a_set_smaller_than_a_subset():
    with pytest.raises(ValueError, match=r"kid_subset_size=50: expected at most .* 40 real and 60 generated"):
        kernel_distance(torch.zeros(40, 2), torch.zeros(60, 2), subset_size=50)


def test_what_is_known_of_the_reals_changes_no_value():
    real, fake = (torch.randn(50, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    known = RealSubsets.of(real, 50, 7, 20)
    assert kernel_distance(real, fake, 7, 20, known) == kernel_distance(real, fake, 7, 20)
    assert kernel_distance(real, fake + 1, 7, 20, known) == kernel_distance(real, fake + 1, 7, 20)
