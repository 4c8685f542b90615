"""The U-Net of pix2pix (Isola et al. 2017, arXiv 1611.07004): strided convolutions down, skips, up again.

The depth follows from the shorter side, which is halved until one pixel is left: three times for 8 pixels, eight times
for the paper's 256. So the shorter side is a power of two of at least 8 pixels, and the longer one a multiple of it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.latent_dropout import LatentDropout
from gan_lab.models.layers.pairs import check_pair
from gan_lab.validation import check_number, check_positive

_WITH_DROPOUT = 3  # of the blocks up, the innermost


def _depth(sample_shape: Sequence[int], source_shape: Sequence[int]) -> int:
    """How often the sides are halved."""
    check_pair("unet", sample_shape, source_shape)
    _, height, width = sample_shape
    shorter, longer = sorted((height, width))
    if shorter < 8 or shorter & (shorter - 1) or longer % shorter:
        raise ValueError(
            f"unet cannot translate images of {height}x{width} pixels: expected a shorter side of 8, 16, 32 ... pixels "
            "and a longer one that is a multiple of it; model=resnet_translator takes all multiples of 4"
        )
    return shorter.bit_length() - 1


class UNetGenerator(nn.Module):
    """Source → convolutions down to one pixel → transposed convolutions up, each given the map of its size → tanh.

    Down: 4x4 convolutions of stride 2 with LeakyReLU between, of 1, 2, 4, 8, 8 … times ``channels`` feature maps. Up:
    ReLU and 4x4 transposed convolutions of stride 2. BatchNorm follows each of them but the first, the innermost and
    the last. So the smallest map it sees has 2x2 pixels, and a batch of one sample trains: BatchNorm is then instance
    norm, as in the paper's experiments. Behind the innermost convolution, whose map is one pixel, it would set a single
    sample to zero; the paper's errata and its public code leave it out there.

    The latent carries no information. The paper's noise is dropout, here in the three innermost blocks up (in both for
    8 pixels). In eval mode its masks are drawn from the latent (`LatentDropout`), so that a translation is a pure
    function of latent and source. For the same reason BatchNorm then uses running statistics, where the paper uses
    those of the batch.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        source_shape: ``(C', H, W)``, of the same sides.
        channels: feature maps of the first layer, 64 in the paper.
        dropout: probability of dropout, 0.5 in the paper; with 0 the latent is ignored.
    """

    def __init__(
        self, sample_shape: Sequence[int], source_shape: Sequence[int], channels: int = 64, dropout: float = 0.5
    ) -> None:
        check_positive("UNetGenerator.channels", channels)
        check_number("UNetGenerator.dropout", dropout, at_least=0, below=1)
        depth = _depth(sample_shape, source_shape)
        super().__init__()
        widths = [min(1 << i, 8) * channels for i in range(depth)]
        down: list[nn.Module] = [nn.Conv2d(source_shape[0], widths[0], 4, stride=2, padding=1, bias=False)]
        for i in range(1, depth):
            halving = nn.Conv2d(widths[i - 1], widths[i], 4, stride=2, padding=1, bias=False)
            norms = [nn.BatchNorm2d(widths[i])] if i < depth - 1 else []
            down.append(nn.Sequential(nn.LeakyReLU(0.2), halving, *norms))
        up = []
        for i in range(depth - 1, 0, -1):
            fan_in = widths[i] if i == depth - 1 else 2 * widths[i]  # its own map, and that of its size from before
            doubling = nn.ConvTranspose2d(fan_in, widths[i - 1], 4, stride=2, padding=1, bias=False)
            up.append(nn.Sequential(nn.ReLU(), doubling, nn.BatchNorm2d(widths[i - 1])))
        self.down = nn.ModuleList(down)
        self.up = nn.ModuleList(up)
        self.dropouts = nn.ModuleList(
            LatentDropout(dropout if i < _WITH_DROPOUT else 0.0, number=i) for i in range(len(up))
        )
        last = nn.ConvTranspose2d(2 * channels, sample_shape[0], 4, stride=2, padding=1)
        self.out = nn.Sequential(nn.ReLU(), last, nn.Tanh())
        draw_normal(self)

    def forward(self, latents: Tensor, source: Tensor) -> Tensor:
        """Latents ``[B, latent_dim]`` and sources ``[B, C', H, W]`` → samples ``[B, C, H, W]``."""
        maps = []
        for block in self.down:
            source = block(source)
            maps.append(source)
        features = maps.pop()
        for block, dropout in zip(self.up, self.dropouts, strict=True):
            features = torch.cat([dropout(block(features), latents), maps.pop()], 1)
        return self.out(features)
