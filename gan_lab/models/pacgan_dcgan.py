"""PacGAN's DCGAN for images (Lin et al. 2018, arXiv 1712.04086, §4.2): convolutions of 5x5 pixels, for any size.

These are the networks of VEEGAN's experiment on stacked MNIST, and with other sizes the ``dcgan`` of Lucic et al.'s
code. Each of four layers halves the sides, rounding up: 28 → 14 → 7 → 4 → 2. ``model.packing`` sets how many images are
judged at once.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.layers.heads import Logit
from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.normalisation import MAP_NORMS, check_map_norm
from gan_lab.models.layers.shapes import check_image
from gan_lab.validation import check_positive

_LAYERS = 4


def _sides(sample_shape: Sequence[int]) -> list[tuple[int, int]]:
    """The height and width before each of the discriminator's layers, and after the last."""
    check_image("pacgan_dcgan", sample_shape, instead="pacgan_mlp")
    sizes = [(sample_shape[1], sample_shape[2])]
    for _ in range(_LAYERS):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


class PacGANDCGANGenerator(nn.Sequential):
    """Latent → linear layer → transposed convolutions, with BatchNorm and ReLU between → tanh.

    Args:
        latent_dim: size of the latent, 100 in the paper.
        sample_shape: ``(C, H, W)``.
        channels: feature maps of the last hidden layer, 64 in the paper; each layer before it has twice as many.
    """

    def __init__(self, latent_dim: int, sample_shape: Sequence[int], channels: int = 64) -> None:
        check_positive("PacGANDCGANGenerator.channels", channels)
        sizes = _sides(sample_shape)[::-1]
        widths = [channels << i for i in reversed(range(_LAYERS))]
        base = (widths[0], *sizes[0])
        layers: list[nn.Module] = [nn.Linear(latent_dim, base[0] * base[1] * base[2]), nn.Unflatten(1, base)]
        for (fan_in, fan_out), (height, width) in zip(pairwise([*widths, sample_shape[0]]), sizes[1:], strict=True):
            # from n pixels come 2n − 1, and one more where the side is even
            more = (1 - height % 2, 1 - width % 2)
            layers += [nn.BatchNorm2d(fan_in), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(fan_in, fan_out, 5, stride=2, padding=2, output_padding=more))
        super().__init__(*layers, nn.Tanh())
        draw_normal(self)


class PacGANDCGANDiscriminator(nn.Sequential):
    """Pack of images → strided convolutions with LeakyReLU → logit.

    Args:
        sample_shape: ``(m·C, H, W)``.
        channels: feature maps of the first layer, 64 in the paper; each layer after it has twice as many.
        norm: normalisation of every layer but the first: batch (as in the paper), none, layer or instance, which
            images of at most 16x16 pixels exclude.
    """

    def __init__(self, sample_shape: Sequence[int], channels: int = 64, norm: str = "none") -> None:
        check_positive("PacGANDCGANDiscriminator.channels", channels)
        height, width = _sides(sample_shape)[-1]
        check_map_norm("PacGANDCGANDiscriminator.norm", norm, (height, width), sample_shape)
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(pairwise([sample_shape[0], *(channels << i for i in range(_LAYERS))])):
            layers.append(nn.Conv2d(fan_in, fan_out, 5, stride=2, padding=2))
            layers += [MAP_NORMS[norm if i else "none"](fan_out), nn.LeakyReLU(0.2)]
        super().__init__(*layers, Logit((channels << _LAYERS - 1) * height * width))
        draw_normal(self)
