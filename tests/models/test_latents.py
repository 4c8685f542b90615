"""Truncated latents: bounds, the moments of the truncated normal distribution, and which latent becomes which."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from gan_lab.models.conditions import takes_labels
from gan_lab.models.latents import OfTruncatedLatents, Prior, truncated


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.0, 2.0])
def test_numbers_are_distributed_as_if_drawn_again_until_they_are_within_the_bound(bound):
    latents = Prior("normal", 50).first(2000, 0).double()
    moved = truncated(latents, bound)
    assert moved.abs().max() <= bound
    inside = 2 * stats.norm.cdf(bound) - 1
    variance = 1 - 2 * bound * stats.norm.pdf(bound) / inside  # of N(0, 1) given |z| ≤ τ, by partial integration
    assert moved.var().item() == pytest.approx(variance, rel=0.015)
    drawn = latents.flatten()
    kept = drawn[drawn.abs() <= bound]  # what drawing again would keep
    assert stats.ks_2samp(moved.flatten().numpy(), kept.numpy()).pvalue > 0.001


def test_order_is_kept_and_a_wide_bound_changes_nothing():
    latents = torch.linspace(-4, 4, 101, dtype=torch.float64)
    assert (truncated(latents, 0.7).diff() > 0).all()
    assert torch.allclose(truncated(latents, 30.0), latents, atol=1e-9)
    assert truncated(torch.tensor([0.0]), 0.7).item() == pytest.approx(0, abs=1e-7)
    far = truncated(torch.tensor([-math.inf, -40.0, 40.0, math.inf]), 0.7)
    assert far.tolist() == pytest.approx([-0.7, -0.7, 0.7, 0.7])


def test_the_first_latents_do_not_depend_on_how_many_there_are():
    few, many = (truncated(Prior("normal", 3).first(count, 0), 0.5) for count in (5, 50))
    assert torch.equal(few, many[:5])


def test_the_generator_gets_labels_if_it_takes_them():
    class Told(nn.Module):
        def forward(self, latents, labels):
            return latents + labels[:, None]

    told, plain = OfTruncatedLatents(Told(), 0.5), OfTruncatedLatents(nn.Identity(), 0.5)
    assert (takes_labels(told), takes_labels(plain)) == (True, False)
    latents = torch.full((2, 3), 9.0)
    assert told(latents, torch.tensor([0, 1])).flatten().tolist() == pytest.approx([0.5] * 3 + [1.5] * 3)
    assert plain(latents).flatten().tolist() == pytest.approx([0.5] * 6)
