"""Activations, upsampling and pooling of the papers' networks, which parameter counts do not show (NETWORKS.md A)."""

import pytest
import torch
from torch import nn

from gan_lab.models import (
    InfoGANDiscriminator,
    InfoGANGenerator,
    PacGANDCGANDiscriminator,
    SNGANDiscriminator,
    SNGANResNetDiscriminator,
    SNGANResNetGenerator,
)


def kinds(network, *of):
    return [module for module in network.modules() if isinstance(module, of)]


@pytest.mark.parametrize(
    ("network", "slope"),
    [
        (SNGANDiscriminator((3, 32, 32), channels=4), 0.1),  # A1
        (InfoGANGenerator(8, (1, 28, 28)), 0.2),  # A8
        (InfoGANDiscriminator((1, 28, 28)), 0.2),
        (PacGANDCGANDiscriminator((1, 28, 28), channels=4), 0.2),  # A9
    ],
    ids=lambda one: type(one).__name__,
)
def test_slopes_of_leaky_relus(network, slope):
    found = {module.negative_slope for module in kinds(network, nn.LeakyReLU)}
    assert found == {slope}
    assert kinds(network, nn.ReLU) == []


def test_sngan_resnets_generator_upsamples_to_the_nearest_pixel():
    """A2: both sides of each sum; three blocks for 32 pixels."""
    found = kinds(SNGANResNetGenerator(8, (3, 32, 32), channels=2), nn.Upsample)
    assert [(module.mode, float(module.scale_factor)) for module in found] == [("nearest", 2.0)] * 6


def test_sngan_resnets_discriminator_has_no_activation_before_its_first_convolution():
    """A2: the image itself goes into the first block; before the sum over positions there is a ReLU."""
    network = SNGANResNetDiscriminator((3, 32, 32), channels=2)
    first = network[0].branch
    assert isinstance(first[0], nn.Conv2d)
    activation, pool = network[-3], network[-2]
    assert isinstance(activation, nn.ReLU)
    features = torch.randn(2, 8, 8, 8)
    assert torch.allclose(pool(features), features.sum((2, 3)))
