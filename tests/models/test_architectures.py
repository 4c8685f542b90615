"""The papers' networks: shapes, first weights, and which layers spectral norm bounds."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.losses import SpectralNorm
from gan_lab.models import (
    InfoGANDiscriminator,
    InfoGANGenerator,
    PacGANDCGANDiscriminator,
    PacGANDCGANGenerator,
    PacGANMLPDiscriminator,
    PacGANMLPGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
    SNGANResNetDiscriminator,
    SNGANResNetGenerator,
)
from gan_lab.models.layers.initialisation import draw_glorot
from gan_lab.models.layers.maxout import Maxout
from gan_lab.models.packing import packed_shape

# ---- shapes: the sizes of the papers, others that fit, and sides that differ ----

THIN = {"channels": 2}
IMAGES = {
    "sngan_cnn": (SNGANGenerator, SNGANDiscriminator, THIN, [(8, 8), (32, 32), (48, 48), (64, 64), (16, 40)]),
    "sngan_resnet": (
        SNGANResNetGenerator,
        SNGANResNetDiscriminator,
        THIN,
        [(32, 32), (48, 48), (64, 64), (8, 32), (32, 24), (48, 16), (32, 64)],
    ),
    "infogan": (InfoGANGenerator, InfoGANDiscriminator, {}, [(8, 8), (28, 28), (32, 32), (12, 8)]),
    "pacgan_dcgan": (
        PacGANDCGANGenerator,
        PacGANDCGANDiscriminator,
        THIN,
        [(8, 8), (28, 28), (32, 32), (17, 30), (1, 5)],
    ),
}
SIZES = [pytest.param(name, size, id=f"{name} {size}") for name, row in IMAGES.items() for size in row[3]]


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(("name", "size"), SIZES)
def test_images_come_out_in_the_size_and_range_asked_for(name, size, colours):
    make_generator, make_discriminator, settings, _ = IMAGES[name]
    shape = (colours, *size)
    samples = make_generator(5, shape, **settings)(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert -1 <= samples.min() < 0 < samples.max() <= 1
    for packing in (1, 3):
        packs = torch.randn(2, *packed_shape(shape, packing))
        assert make_discriminator(packed_shape(shape, packing), **settings)(packs).shape == (2,)


def test_points():
    assert PacGANMLPGenerator(2, (3,), [8, 8])(torch.randn(4, 2)).shape == (4, 3)
    assert PacGANMLPDiscriminator((6,), [8, 8])(torch.randn(4, 6)).shape == (4,)


# ---- first weights ----


def weights(network: nn.Module) -> list[torch.Tensor]:
    return [module.weight for module in network.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SNGANGenerator(128, (3, 32, 32), 16),
        lambda: SNGANDiscriminator((3, 32, 32), 16),
        lambda: SNGANDiscriminator((3, 8, 8), 16, conditioning="projection", classes=10),
        lambda: InfoGANGenerator(64, (1, 8, 8)),
        lambda: InfoGANDiscriminator((1, 8, 8)),
        lambda: PacGANMLPGenerator(2, (2,), [400] * 2),
        lambda: PacGANMLPDiscriminator((2,), [200] * 2),
        lambda: PacGANDCGANGenerator(100, (3, 28, 28), 16),
        lambda: PacGANDCGANDiscriminator((3, 28, 28), 16),
    ],
)
def test_normal_first_weights(make):
    """N(0, 0.02): SN-GAN's in pytorch-gan-collections, compare_gan v1 and PacGAN's code; biases are 0."""
    torch.manual_seed(0)
    network = make()
    drawn = torch.cat([weight.flatten() for weight in weights(network)])
    assert drawn.std().item() == pytest.approx(0.02, rel=0.01)
    assert drawn.mean().item() == pytest.approx(0, abs=4e-4)
    beyond = (drawn.abs() > 0.04).double().mean().item()
    assert beyond == pytest.approx(0.0455, abs=0.005)  # a normal distribution has 4.55 % beyond two deviations
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    assert all(not bias.any() for bias in biases)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SNGANResNetGenerator(64, (3, 32, 32), 48),
        lambda: SNGANResNetDiscriminator((3, 64, 64), 8, conditioning="projection", classes=60),
    ],
)
def test_glorot_first_weights(make):
    """U(−a, a), a = gain·√(6 / (fan_in + fan_out)); gain √2 for the blocks' 3x3 convolutions, otherwise 1 (pfnet)."""
    torch.manual_seed(0)
    network = make()
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.out_channels == 3]
    scaled = []
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            inside = isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) and module not in last
            fan_out, fan_in = module.weight.shape[:2]
            positions = math.prod(module.weight.shape[2:])
            scaled.append(
                module.weight.flatten() / (6 / (positions * (fan_in + fan_out))) ** 0.5 / (2**0.5 if inside else 1)
            )
    assert all(values.abs().max() <= 1 + 1e-6 for values in scaled)
    assert all(values.std().item() == pytest.approx(3**-0.5, rel=0.06) for values in scaled if len(values) > 1000)
    assert torch.cat(scaled).std().item() == pytest.approx(3**-0.5, rel=0.01)


def test_glorot_has_a_gain_for_3x3_alone():
    network = nn.Sequential(nn.Conv2d(30, 30, 3), nn.Conv2d(30, 300, 1))
    torch.manual_seed(0)
    draw_glorot(network, 2.0, 0.5)
    for layer, gain, fans in ((network[0], 2.0, 9 * 60), (network[1], 0.5, 330)):
        assert layer.weight.std().item() == pytest.approx(gain * (2 / fans) ** 0.5, rel=0.03)


def test_batchnorm_settings():
    """pfnet's sngan_projection: eps 2e-5 in the ResNet; PacGAN's toy: statistics with momentum 0.05."""
    resnet = [m for m in SNGANResNetGenerator(4, (3, 32, 32), 2).modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in resnet} == {(2e-5, 0.1)}
    assert len(resnet) == 7
    toy = [m for m in PacGANMLPGenerator(2, (2,), [4] * 4).modules() if isinstance(m, nn.BatchNorm1d)]
    assert [m.momentum for m in toy] == [0.05] * 4


# ---- what layers do ----


def test_maxout_by_hand():
    layer = Maxout(1, 2, 2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0], [-1.0], [3.0], [0.5]]))
        layer.linear.bias.zero_()
    assert layer(torch.tensor([[2.0], [-4.0]])).tolist() == [[2.0, 6.0], [4.0, -2.0]]


def test_resnet_sums_over_positions():
    """Sum pooling (pfnet): a constant map of twice the area gives twice the logit, were there no border."""
    network = SNGANResNetDiscriminator((1, 32, 32), 4)
    features, head = torch.rand(2, 4, 8, 8), nn.Sequential(*list(network)[-2:])
    assert torch.allclose(head(features), head[1].logit(features.sum((2, 3)))[:, 0])
    assert torch.allclose(head(torch.cat([features, features], 2)), 2 * head(features), atol=1e-5)  # its bias is 0


def test_infogan_sees_and_draws_pixels_from_0_to_1():
    """Inside; the range between networks is [−1, 1]."""
    network = InfoGANDiscriminator((1, 8, 8))
    assert network[0](torch.tensor([-1.0, 0.0, 1.0])).tolist() == [0.0, 0.5, 1.0]
    ends = nn.Sequential(*list(InfoGANGenerator(4, (1, 8, 8)))[-2:])
    assert ends(torch.tensor([-100.0, 0.0, 100.0])).tolist() == [-1.0, 0.0, 1.0]


# ---- discriminators judge each sample alone, unless they have BatchNorm ----

JUDGES = {
    "sngan_cnn": lambda norm: (SNGANDiscriminator((1, 8, 8), 2, norm), (1, 8, 8)),
    "sngan_resnet": lambda norm: (SNGANResNetDiscriminator((1, 32, 32), 2, norm=norm), (1, 32, 32)),
    "infogan": lambda norm: (InfoGANDiscriminator((1, 8, 8), norm), (1, 8, 8)),
    "pacgan_mlp": lambda norm: (PacGANMLPDiscriminator((2,), [8, 8], 5, norm), (2,)),
    "pacgan_dcgan": lambda norm: (PacGANDCGANDiscriminator((1, 8, 8), 2, norm), (1, 8, 8)),
}


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("name", JUDGES)
def test_samples_are_judged_alone(name, norm):
    """The batch permuted and split, and the algorithm's own test."""
    torch.manual_seed(0)
    network, shape = JUDGES[name](norm)
    network.double()
    samples, order = torch.randn(6, *shape, dtype=torch.float64), torch.tensor([3, 0, 5, 1, 4, 2])
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.05)
        together = network(samples)
        split = torch.cat([network(samples[:2]), network(samples[2:])])
        assert torch.allclose(network(samples[order]), together[order], atol=1e-10)
    assert torch.allclose(split, together, atol=1e-10) == (norm != "batch")
    assert judges_each_alone(network, shape) == (norm != "batch")


@pytest.mark.parametrize("conditioning", ["none", "concat", "projection", "auxiliary", "per_class"])
@pytest.mark.parametrize(
    "make",
    [
        lambda **asked: SNGANDiscriminator((1, 8, 8), 2, **asked),
        lambda **asked: SNGANResNetDiscriminator((1, 32, 32), 2, **asked),
    ],
    ids=["cnn", "resnet"],
)
def test_spectral_norm_is_on_every_layer_with_weights_and_no_other(make, conditioning):
    """Miyato and Koyama 2018: on all of the discriminator's layers, the embedding among them."""
    network = make(conditioning=conditioning, classes=3)
    SpectralNorm().attach(network)
    bounded = {m for m in network.modules() if is_parametrized(m, "weight")}
    weighted = {m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)}
    assert bounded == weighted
    assert len([m for m in bounded if isinstance(m, nn.Embedding)]) == (conditioning in ("concat", "projection"))
    for module in bounded:  # attaching takes fifteen steps of power iteration
        assert torch.linalg.svdvals(module.weight.detach().flatten(1))[0].item() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SNGANGenerator(5, (3, 28, 28)), "sngan_cnn cannot draw images of 28x28 pixels: .* multiples of 8"),
        (lambda: SNGANDiscriminator((3, 32, 30)), "sngan_cnn cannot draw images of 32x30 pixels"),
        (lambda: SNGANGenerator(5, (2,)), r"sngan_cnn draws images .* not samples of shape \[2\]: use model=mlp"),
        (lambda: SNGANGenerator(5, (3, 8, 8), 0), "SNGANGenerator.channels=0"),
        (lambda: SNGANDiscriminator((3, 8, 8), norm="spectral"), "SNGANDiscriminator.norm='spectral'"),
        (
            lambda: SNGANDiscriminator((3, 8, 8), norm="instance"),
            "SNGANDiscriminator.norm=instance: expected none, batch or layer, .* images of 8x8 pixels has one pixel$",
        ),
        (
            lambda: PacGANDCGANDiscriminator((1, 8, 16), norm="instance"),
            "PacGANDCGANDiscriminator.norm=instance: expected none, batch or layer, .* of 8x16 pixels has one pixel$",
        ),
        (lambda: SNGANResNetGenerator(5, (3, 40, 40)), r"sngan_resnet \(or sagan\) cannot draw images of 40x40 pixels"),
        (lambda: SNGANResNetGenerator(5, (3, 64, 48)), "images of 64x48 pixels: .* 8, 16, 32 or 32 respectively"),
        (
            lambda: SNGANResNetDiscriminator((3, 48, 24)),
            r"sngan_resnet \(or sagan\) cannot draw images of 48x24 pixels",
        ),
        (lambda: SNGANResNetDiscriminator((3, 32, 32), wide="yes"), "SNGANResNetDiscriminator.wide='yes'"),
        (lambda: SNGANResNetDiscriminator((3, 32, 32), channels=2.5), "SNGANResNetDiscriminator.channels=2.5"),
        (lambda: InfoGANGenerator(5, (1, 30, 28)), "infogan cannot draw images of 30x28 pixels: .* multiples of 4"),
        (lambda: InfoGANDiscriminator((1, 8, 8), "instance"), "InfoGANDiscriminator.norm='instance'"),
        (lambda: PacGANMLPGenerator(2, (1, 8, 8), [4]), r"points of shape \[D\], not .* use model=pacgan_dcgan"),
        (lambda: PacGANMLPDiscriminator((2,), [4], 0), "PacGANMLPDiscriminator.pieces=0"),
        (lambda: PacGANDCGANGenerator(2, (2,)), r"not samples of shape \[2\]: use model=pacgan_mlp"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(("make", "shapes"), [
    (SNGANDiscriminator, [(1, 8, 16), (1, 16, 8), (1, 16, 16)]),
    (PacGANDCGANDiscriminator, [(1, 8, 17), (1, 17, 8), (1, 28, 28)]),
])  # fmt: skip
def test_instance_norm_of_maps_of_two_pixels(make, shapes):
    for shape in shapes:
        assert make(shape, 2, norm="instance")(torch.randn(3, *shape)).shape == (3,)
