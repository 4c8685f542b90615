"""The papers' networks have as many parameters as public code of the same networks, to the unit (NETWORKS.md A)."""

from typing import NamedTuple

import pytest
import torch
from torch import nn

from gan_lab.models import (
    BigGANDiscriminator,
    BigGANGenerator,
    InfoGANDiscriminator,
    InfoGANGenerator,
    MeschederResNetDiscriminator,
    MeschederResNetGenerator,
    PacGANDCGANDiscriminator,
    PacGANDCGANGenerator,
    PacGANMLPDiscriminator,
    PacGANMLPGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
    SNGANResNetDiscriminator,
    SNGANResNetGenerator,
)
from gan_lab.models.layers.attention import MapAttention
from gan_lab.models.packing import packed_shape


class Count(NamedTuple):
    """A pair of networks, their numbers of parameters, and where these were counted."""

    generator: nn.Module
    discriminator: nn.Module
    expected: tuple[int, int]
    source: str


def counts() -> dict[str, Count]:
    """Every published size. "Built": counted on the public network; "by hand": computed from its source."""
    toy, hidden = PacGANMLPGenerator(2, (2,), [400] * 4), [200] * 3
    stacked, image = PacGANDCGANGenerator(100, (3, 28, 28)), (3, 32, 32)
    packs = {m: packed_shape((3, 28, 28), m) for m in (1, 2)}
    collections, mimicry = "pytorch-gan-collections, built", "mimicry, built"
    studio, pacgan = "StudioGAN, built", "PacGAN's code, by hand"
    first, rest = "compare_gan v1, by hand", "compare_gan's dcgan, by hand"
    resnet = SNGANResNetGenerator, SNGANResNetDiscriminator
    return {
        **{
            f"sngan_cnn {side}": Count(
                SNGANGenerator(128, (3, side, side)), SNGANDiscriminator((3, side, side)), expected, collections
            )
            for side, expected in {
                32: (3_813_379, 5_860_865),
                48: (5_134_339, 5_871_105),
                64: (6_983_683, 5_885_441),
            }.items()
        },
        "sngan_cnn 32, z 100": Count(
            SNGANGenerator(100, image), SNGANDiscriminator(image), (3_584_003, 5_860_865), collections
        ),
        **{
            f"sngan_resnet {side}": Count(
                resnet[0](128, (3, side, side)), resnet[1]((3, side, side)), expected, mimicry
            )
            for side, expected in {
                32: (4_276_739, 1_053_825),
                48: (4_878_083, 10_141_441),
                64: (12_220_675, 10_141_441),
                128: (32_150_787, 29_017_857),
            }.items()
        },
        "sngan_resnet 32, 10 classes": Count(
            resnet[0](128, image, classes=10),
            resnet[1](image, conditioning="projection", classes=10),
            (4_304_387, 1_055_105),
            "mimicry and StudioGAN, built",
        ),
        "sngan_resnet 64, 100 classes, wide": Count(
            resnet[0](128, (3, 64, 64), classes=100),
            resnet[1]((3, 64, 64), wide=True, conditioning="projection", classes=100),
            (12_790_915, 19_645_121),
            studio,
        ),
        "sngan_resnet 128, 1000 classes, wide": Count(
            resnet[0](128, (3, 128, 128), classes=1000),
            resnet[1]((3, 128, 128), wide=True, conditioning="projection", classes=1000),
            (41_996_931, 39_443_137),
            studio,
        ),
        "infogan 28": Count(
            InfoGANGenerator(64, (1, 28, 28)),
            InfoGANDiscriminator((1, 28, 28), "batch"),
            (6_642_241, 6_559_169),
            first,
        ),
        "infogan 32": Count(
            InfoGANGenerator(64, image), InfoGANDiscriminator(image, "batch"), (8_616_131, 8_527_297), first
        ),
        **{
            f"pacgan_mlp, packing {m}": Count(
                toy, PacGANMLPDiscriminator(packed_shape((2,), m), hidden), (484_802, expected), pacgan
            )
            for m, expected in enumerate((405_201, 407_201, 409_201, 411_201), 1)
        },
        **{
            f"pacgan_dcgan 28, packing {m}": Count(
                stacked, PacGANDCGANDiscriminator(packs[m], norm="batch"), (4_514_819, expected), pacgan
            )
            for m, expected in {1: 4_310_401, 2: 4_315_201}.items()
        },
        **{
            f"pacgan_dcgan {side}": Count(
                PacGANDCGANGenerator(128, (3, side, side)),
                PacGANDCGANDiscriminator((3, side, side), norm="batch"),
                expected,
                rest,
            )
            for side, expected in {32: (4_572_163, 4_310_401), 64: (5_364_739, 4_316_545)}.items()
        },
    }


def sagan(side: int, classes: int, expected: tuple[int, int]) -> Count:
    """SAGAN of this size, its attention at half the side."""
    image, attention = (3, side, side), side // 2
    return Count(
        SNGANResNetGenerator(128, image, attention=attention, classes=classes),
        SNGANResNetDiscriminator(image, wide=True, conditioning="projection", attention=attention, classes=classes),
        expected,
        "StudioGAN, built; 32 pixels mimicry too, 128 BigGAN-PyTorch too",
    )


def biggan(side: int, classes: int, channels: int, latent_dim: int, expected: tuple[int, int], **asked) -> Count:
    """BigGAN of this size, its attention at half the side."""
    image = (3, side, side)
    how = {"channels": channels, "attention": side // 2, "classes": classes, "initialisation": "normal"}
    return Count(
        BigGANGenerator(latent_dim, image, **how, **asked),
        BigGANDiscriminator(image, conditioning="projection", **how),
        expected,
        "StudioGAN or BigGAN-PyTorch, built",
    )


def large() -> dict[str, Count]:
    """SAGAN, BigGAN, Mescheder's and R3GAN's networks."""

    def mescheder(side: int, expected: tuple[int, int], **asked) -> Count:
        image = (3, side, side)
        judge = MeschederResNetDiscriminator(image, conditioning="per_class", classes=1)
        return Count(MeschederResNetGenerator(256, image, **asked, classes=1), judge, expected, "GAN_stability, built")

    def r3gan(side: int, widths: list[int], expected: tuple[int, int], classes=None, groups=None) -> Count:
        image, how = (3, side, side), "none" if classes is None else "projection"
        judge = R3GANDiscriminator(image, widths, groups, conditioning=how, classes=classes)
        return Count(R3GANGenerator(64, image, widths, groups, classes=classes), judge, expected, "R3GAN, built")

    tables = BigGANGenerator(128, (3, 32, 32), 64, None, None, False, None, "normal", 10)
    wide = BigGANDiscriminator((3, 32, 32), 128, None, "normal", "projection", 10)
    return {
        "sagan 32, 10 classes": sagan(32, 10, (4_386_308, 1_075_586)),
        "sagan 64, 100 classes": sagan(64, 100, (12_811_396, 19_650_242)),
        "sagan 128, 1000 classes": sagan(128, 1000, (42_017_412, 39_448_258)),
        "biggan 32, 10 classes": biggan(32, 10, 96, 80, (9_416_196, 2_415_170)),
        "biggan 32 of the CIFAR script": Count(tables, wide, (4_304_387, 4_207_361), "BigGAN-PyTorch, built"),
        # parts of 24, as that code's default latent of 120 makes five of them
        "biggan 64, 1000 classes": biggan(64, 1000, 64, 120, (31_969_540, 20_571_842)),
        "biggan 64, 100 classes, other widths": biggan(
            64, 100, 80, 100, (17_322_404, 30_668_722), multiples=[16, 8, 4, 2, 1]
        ),
        "biggan 128, 96 channels": biggan(128, 1000, 96, 120, (70_433_988, 87_982_370)),
        "biggan 128, 64 channels": biggan(128, 1000, 64, 120, (31_978_628, 39_448_258)),
        "mescheder_resnet 32": mescheder(32, (6_773_699, 2_579_649)),
        "mescheder_resnet 64": mescheder(64, (11_493_315, 10_191_553)),
        "mescheder_resnet 256": mescheder(256, (52_154_052, 47_944_385), largest=1024, embedding=1),
        "r3gan 32, 10 classes": r3gan(32, [768] * 4, (20_781_952, 21_280_512), 10),
        "r3gan 32": r3gan(32, [768] * 4, (20_732_160, 20_683_776), None, [96] * 4),
        "r3gan 64": r3gan(64, [768] * 4 + [384], (22_429_824, 22_381_440)),
        "r3gan 256": r3gan(256, [768] * 4 + [384, 192, 96], (23_057_952, 23_009_568)),
        "r3gan 32, 1000 classes": r3gan(32, [1536] * 4, (82_914_304, 86_548_992), 1000, [96] * 4),
        "r3gan 64, 1000 classes": r3gan(64, [1536] * 5, (103_570_432, 107_205_120), 1000, [96] * 5),
    }


def test_parameters_are_as_many_as_published(monkeypatch):
    monkeypatch.setattr("gan_lab.models.biggan.bound_layers", lambda *_: None)  # it adds none, and takes seconds
    with torch.device("meta"):  # nothing is drawn
        made = counts() | large()
    found = {
        (name, one.source): tuple(sum(p.numel() for p in network.parameters()) for network in one[:2])
        for name, one in made.items()
    }
    assert found == {(name, one.source): one.expected for name, one in made.items()}


@pytest.mark.parametrize(("channels", "expected"), [(256, 81_921), (128, 20_481), (64, 5_121)])
def test_attention_has_five_quarters_of_its_channels_squared_and_one(channels, expected):
    assert sum(p.numel() for p in MapAttention(channels).parameters()) == expected
