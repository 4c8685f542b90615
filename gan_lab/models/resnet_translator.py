"""The residual translator of CycleGAN (Zhu et al. 2017, arXiv 1703.10593, after Johnson et al. 2016, arXiv 1603.08155).

For sides that are multiples of 4 and have at least 8 pixels, of which reflection needs two at a quarter of the size.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.labelled import LabelledSequential
from gan_lab.models.layers.pairs import check_pair
from gan_lab.models.layers.residual import Residual
from gan_lab.validation import check_positive


def _check(sample_shape: Sequence[int], source_shape: Sequence[int]) -> None:
    check_pair("resnet_translator", sample_shape, source_shape)
    _, height, width = sample_shape
    if height % 4 or width % 4 or min(height, width) < 8:
        raise ValueError(
            f"resnet_translator cannot translate images of {height}x{width} pixels: expected sides that are multiples "
            "of 4, of 8 pixels and more"
        )


def _normed(convolution: nn.Module, channels: int) -> list[nn.Module]:
    """The convolution and its instance norm, without gain and offset."""
    return [convolution, nn.InstanceNorm2d(channels)]


def _reflecting(fan_in: int, fan_out: int, kernel: int) -> nn.Conv2d:
    """A convolution that keeps the side: the border is padded with the picture's reflection."""
    return nn.Conv2d(fan_in, fan_out, kernel, padding=kernel // 2, padding_mode="reflect")


def _block(channels: int) -> Residual:
    """x + convolution, instance norm, ReLU, convolution, instance norm of x."""
    first, second = (_normed(_reflecting(channels, channels, 3), channels) for _ in range(2))
    return Residual(LabelledSequential(*first, nn.ReLU(), *second), nn.Identity())


class ResNetTranslator(nn.Module):
    """Source → 7x7 convolution → two strided convolutions → residual blocks → two transposed ones → 7x7, tanh.

    Instance norm, without gain and offset, and ReLU follow each convolution but the last. Convolutions that keep the
    side pad with reflections, as the paper says; the strided ones pad with zeros, as in the authors' code.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        source_shape: ``(C', H, W)``, of the same sides.
        channels: feature maps of the first and the last hidden layer, 64 in the paper; the blocks have four times as
            many.
        blocks: residual blocks; None for the paper's number, 9 if the longer side has 256 pixels or more, otherwise 6.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        source_shape: Sequence[int],
        channels: int = 64,
        blocks: int | None = None,
    ) -> None:
        check_positive("ResNetTranslator.channels", channels)
        _check(sample_shape, source_shape)
        if blocks is None:
            blocks = 9 if max(sample_shape[1:]) >= 256 else 6
        check_positive("ResNetTranslator.blocks", blocks)
        super().__init__()
        widths = (channels, 2 * channels, 4 * channels)
        layers = [*_normed(_reflecting(source_shape[0], channels, 7), channels), nn.ReLU()]
        for fan_in, fan_out in pairwise(widths):
            layers += [*_normed(nn.Conv2d(fan_in, fan_out, 3, stride=2, padding=1), fan_out), nn.ReLU()]
        layers += [_block(4 * channels) for _ in range(blocks)]
        for fan_in, fan_out in pairwise(widths[::-1]):
            doubling = nn.ConvTranspose2d(fan_in, fan_out, 3, stride=2, padding=1, output_padding=1)
            layers += [*_normed(doubling, fan_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _reflecting(channels, sample_shape[0], 7), nn.Tanh())
        draw_normal(self)

    def forward(self, latents: Tensor | None, source: Tensor) -> Tensor:
        """Sources ``[B, C', H, W]`` → samples ``[B, C, H, W]``; the latents are ignored."""
        return self.layers(source)
