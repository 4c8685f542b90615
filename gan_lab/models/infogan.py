"""The networks of InfoGAN (Chen et al. 2016, arXiv 1606.03657) as Lucic et al. 2018 (arXiv 1711.10337) compare losses.

For sides that are multiples of 4. They work on pixels in [0, 1]; the range [−1, 1] that all networks here share is
converted at their ends.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from gan_lab.models.layers.heads import Logit
from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.normalisation import MAP_NORMS, VECTOR_NORMS
from gan_lab.models.layers.shapes import check_sides
from gan_lab.validation import check_choice


class _Scale(nn.Module):
    """x → factor · x + offset."""

    def __init__(self, factor: float, offset: float) -> None:
        super().__init__()
        self.factor = factor
        self.offset = offset

    def forward(self, samples: Tensor) -> Tensor:
        return samples * self.factor + self.offset


class InfoGANGenerator(nn.Sequential):
    """Latent → two linear layers → two transposed convolutions, with BatchNorm and LeakyReLU between → sigmoid.

    Args:
        latent_dim: size of the latent, 64 in the comparison.
        sample_shape: ``(C, H, W)``, H and W multiples of 4.
    """

    def __init__(self, latent_dim: int, sample_shape: Sequence[int]) -> None:
        check_sides("infogan", sample_shape, 4)
        colours, height, width = sample_shape
        base = (128, height // 4, width // 4)
        features = base[0] * base[1] * base[2]
        layers: list[nn.Module] = []
        for fan_in, fan_out in ((latent_dim, 1024), (1024, features)):
            layers += [nn.Linear(fan_in, fan_out), nn.BatchNorm1d(fan_out), nn.LeakyReLU(0.2)]
        layers += [nn.Unflatten(1, base), nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1)]
        layers += [nn.BatchNorm2d(64), nn.LeakyReLU(0.2), nn.ConvTranspose2d(64, colours, 4, stride=2, padding=1)]
        super().__init__(*layers, nn.Sigmoid(), _Scale(2.0, -1.0))
        draw_normal(self)


class InfoGANDiscriminator(nn.Sequential):
    """Image → two strided convolutions → linear layer → logit, with LeakyReLU between.

    Args:
        sample_shape: ``(C, H, W)``, H and W multiples of 4.
        norm: normalisation after the second convolution and the linear layer: batch (as in the paper), none or layer.
    """

    def __init__(self, sample_shape: Sequence[int], norm: str = "none") -> None:
        check_choice("InfoGANDiscriminator.norm", norm, VECTOR_NORMS)
        check_sides("infogan", sample_shape, 4)
        colours, height, width = sample_shape
        features = 128 * (height // 4) * (width // 4)
        super().__init__(
            _Scale(0.5, 0.5),
            nn.Conv2d(colours, 64, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, stride=2, padding=1),
            MAP_NORMS[norm](128),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(features, 1024),
            VECTOR_NORMS[norm](1024),
            nn.LeakyReLU(0.2),
            Logit(1024),
        )
        draw_normal(self)
