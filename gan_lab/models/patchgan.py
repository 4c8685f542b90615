"""PatchGAN: a discriminator that judges every patch of an image (Isola et al. 2017, arXiv 1611.07004).

Its family differs in the number of strided convolutions, which follows here from the shorter side: three from 56
pixels, as in the paper, two from 28, one from 8. A logit's receptive field and the map of logits are then

======== ================= ================ ======================
side     strided           receptive field  map of logits
======== ================= ================ ======================
8        1                 16               2x2
16       1                 16               6x6
28       2                 34               5x5
32       2                 34               6x6
64       3                 70               6x6
128      3                 70               14x14
256      3                 70               30x30
======== ================= ================ ======================

Fields of 16 and 70 pixels are the paper's; that of 34 lies between them. A field that reaches over the border sees
zeros there.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.normalisation import MAP_NORMS
from gan_lab.models.layers.pairs import check_pair
from gan_lab.models.layers.shapes import check_image
from gan_lab.validation import check_choice, check_positive

_NORMS = {**MAP_NORMS, "instance": nn.InstanceNorm2d}  # CycleGAN's has neither gain nor offset


def _halvings(sample_shape: Sequence[int]) -> int:
    """The number of strided convolutions: up to three, and at least 7 pixels are left after the second and third."""
    check_image("patchgan", sample_shape)
    _, height, width = sample_shape
    shorter = min(height, width)
    if shorter < 8:
        raise ValueError(
            f"patchgan cannot judge images of {height}x{width} pixels: expected sides of at least 8 pixels"
        )
    return 1 + (shorter >= 28) + (shorter >= 56)


class PatchGANDiscriminator(nn.Module):
    """Image, and its source beside it if it is given → 4x4 convolutions with LeakyReLU → a map of logits.

    The first convolutions, as many as the module says, have stride 2; two more have stride 1. A convolution has a bias
    unless its norm brings an offset of its own.

    Args:
        sample_shape: ``(C, H, W)``, H and W at least 8.
        source_shape: ``(C', H, W)`` of the source that is judged with each sample (pix2pix); None for a discriminator
            that sees samples alone (CycleGAN).
        channels: feature maps of the first layer, 64 in the papers; each layer after it has twice as many.
        norm: normalisation of every layer but the first and the last: batch (pix2pix), instance (CycleGAN), none or
            layer.

    Attributes:
        uses_source: whether it is given sources.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        source_shape: Sequence[int] | None = None,
        channels: int = 64,
        norm: str = "batch",
    ) -> None:
        check_positive("PatchGANDiscriminator.channels", channels)
        check_choice("PatchGANDiscriminator.norm", norm, _NORMS)
        halvings = _halvings(sample_shape)
        if source_shape is not None:
            check_pair("patchgan", sample_shape, source_shape)
        super().__init__()
        self.uses_source = source_shape is not None
        first = sample_shape[0] + (0 if source_shape is None else source_shape[0])
        widths = [channels << i for i in range(halvings + 1)]
        layers = [nn.Conv2d(first, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for i, (fan_in, fan_out) in enumerate(pairwise(widths), 1):
            stride = 2 if i < halvings else 1
            biased = norm in ("none", "instance")
            layers.append(nn.Conv2d(fan_in, fan_out, 4, stride=stride, padding=1, bias=biased))
            layers += [_NORMS[norm](fan_out), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, padding=1))
        draw_normal(self)

    def forward(self, samples: Tensor, source: Tensor | None = None) -> Tensor:
        """Samples ``[B, C, H, W]``, and sources ``[B, C', H, W]`` if it uses them → logits ``[B, 1, H', W']``.

        Raises:
            ValueError: if sources are needed and missing.
        """
        if not self.uses_source:
            return self.layers(samples)
        if source is None:
            raise ValueError("PatchGANDiscriminator: the source is missing, expected the image that was translated")
        return self.layers(torch.cat([samples, source], 1))
