"""Architectures: shapes for every size, initialisation, sentences for what they cannot do."""

import pytest
import torch
from torch import nn

from gan_lab.models import DCGANDiscriminator, DCGANGenerator, MLPDiscriminator, MLPGenerator


@pytest.mark.parametrize("side", [8, 16, 28, 32, 64])
@pytest.mark.parametrize("colours", [1, 3])
def test_dcgan_shapes(side, colours):
    shape = (colours, side, side)
    generator, discriminator = DCGANGenerator(5, shape, 4), DCGANDiscriminator(shape, 4, "none")
    samples = generator(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert samples.abs().max() <= 1
    assert discriminator(samples).shape == (3,)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (2,)])
def test_mlp_shapes(shape):
    samples = MLPGenerator(5, shape, [7, 6])(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert MLPDiscriminator(shape, [6, 7])(samples).shape == (3,)


def test_mlp_widths_of_the_source_articles():
    generator, discriminator = (
        MLPGenerator(100, (1, 28, 28), [256, 512, 1024]),
        MLPDiscriminator((1, 28, 28), [512, 256]),
    )
    widths = [
        [layer.out_features for layer in net if isinstance(layer, nn.Linear)] for net in (generator, discriminator)
    ]
    assert widths == [[256, 512, 1024, 784], [512, 256, 1]]


def test_points_are_not_squashed():
    generator = MLPGenerator(2, (2,), [4])
    with torch.no_grad():
        generator[-1].bias.fill_(5.0)
    assert generator(torch.zeros(1, 2)).min() > 1


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
def test_dcgan_norms_and_independence_of_samples(norm):
    torch.manual_seed(0)
    net = DCGANDiscriminator((1, 16, 16), 4, norm)
    samples = torch.randn(4, 1, 16, 16)
    together, alone = net(samples), torch.cat([net(sample[None].repeat(2, 1, 1, 1))[:1] for sample in samples])
    assert torch.allclose(together, alone, atol=1e-5) == (norm != "batch")


def test_dcgan_initialisation():
    """Radford et al. 2015, §4: weights from N(0, 0.02)."""
    torch.manual_seed(0)
    weights = torch.cat([p.flatten() for p in DCGANGenerator(100, (3, 32, 32), 32).parameters() if p.ndim == 4])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert weights.mean().item() == pytest.approx(0, abs=2e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DCGANGenerator(5, (2,), 4), r"not samples of shape \[2\]: use model=mlp"),
        (lambda: DCGANGenerator(5, (1, 30, 30), 4), "cannot draw images of 30x30 pixels"),
        (lambda: DCGANDiscriminator((1, 28, 32), 4), "cannot draw images of 28x32 pixels"),
        (lambda: DCGANGenerator(5, (1, 8, 8), 0), "DCGANGenerator.channels=0"),
        (lambda: DCGANDiscriminator((1, 8, 8), 4, "spectral"), "DCGANDiscriminator.norm='spectral'"),
        (lambda: MLPGenerator(5, (2,), []), r"MLPGenerator.hidden=\[\]"),
        (lambda: MLPDiscriminator((2,), [4, -1]), "MLPDiscriminator.hidden="),
        (lambda: MLPDiscriminator((2,), 5), "MLPDiscriminator.hidden=5"),
        (lambda: MLPDiscriminator((2,), [4], "instance"), "MLPDiscriminator.norm='instance'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
