"""VAE/GAN: an encoder, a decoder and a discriminator (Larsen et al. 2016, arXiv 1512.09300), for images of any size.

Three layers halve or double the sides, as in the paper, whose images have 64 pixels (8 at the smallest map), and in the
authors' code for 32 pixels (4). Numbers of feature maps are those of that code: one layer of the decoder and of the
discriminator has 256 of them from 64 pixels on, and 192 below.

Ours are the other sizes: sides are halved, rounding up, until the longer one has at most 4 pixels, one to three times
(8 → 4, 16 → 8 → 4, 28 → 14 → 7 → 4). With fewer than three layers those of the most feature maps are left out. Above 64
pixels the smallest map grows with the image, and the linear layers with it.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan_lab.models.layers.heads import Logit
from gan_lab.models.layers.normalisation import MAP_NORMS, VECTOR_NORMS
from gan_lab.models.layers.shapes import check_image
from gan_lab.validation import check_choice, check_positive

_LAYERS = 3


def _sides(sample_shape: Sequence[int]) -> list[tuple[int, int]]:
    """The height and width before each layer that halves them, and after the last."""
    check_image("vae_gan", sample_shape)
    sizes = [(sample_shape[1], sample_shape[2])]
    while len(sizes) == 1 or (len(sizes) <= _LAYERS and max(sizes[-1]) > 4):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def _widths(sizes: Sequence[tuple[int, int]], channels: int) -> list[int]:
    """Feature maps of the decoder and the discriminator at each size."""
    third = 8 if max(sizes[0]) >= 64 else 6
    return [factor * channels for factor in (1, 4, third, 8)[: len(sizes)]]


def _draw(network: nn.Module) -> None:
    """Draw weights from U(−a, a) with a = 1 / √(3 · fan_in), as the authors' code does, and set biases to 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            bound = (3 * math.prod(module.weight.shape[1:])) ** -0.5
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class VAEGANEncoder(nn.Module):
    """Image → 5x5 convolutions of stride 2 → linear layer, with BatchNorm and ReLU → mean and log variance.

    Its distribution of the latent is normal, independent in each dimension.

    Args:
        latent_dim: size of the latent, 128 in the paper.
        sample_shape: ``(C, H, W)``.
        channels: feature maps of the first layer, 64 in the paper; each layer after it has twice as many, and the
            linear layer sixteen times as many.
    """

    def __init__(self, latent_dim: int, sample_shape: Sequence[int], channels: int = 64) -> None:
        check_positive("VAEGANEncoder.latent_dim", latent_dim)
        check_positive("VAEGANEncoder.channels", channels)
        sizes = _sides(sample_shape)
        super().__init__()
        widths = [channels << i for i in range(len(sizes) - 1)]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([sample_shape[0], *widths]):
            layers.append(nn.Conv2d(fan_in, fan_out, 5, stride=2, padding=2, bias=False))
            layers += [nn.BatchNorm2d(fan_out), nn.ReLU()]
        hidden = 16 * channels
        layers += [nn.Flatten(), nn.Linear(widths[-1] * math.prod(sizes[-1]), hidden, bias=False)]
        self.layers = nn.Sequential(*layers, nn.BatchNorm1d(hidden), nn.ReLU())
        self.mean = nn.Linear(hidden, latent_dim)
        self.log_variance = nn.Linear(hidden, latent_dim)
        _draw(self)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Samples ``[B, C, H, W]`` → mean and logarithm of the variance of their latents, ``[B, latent_dim]`` each."""
        features = self.layers(samples)
        return self.mean(features), self.log_variance(features)


class VAEGANGenerator(nn.Sequential):
    """The decoder: latent → linear layer → 5x5 transposed convolutions, with BatchNorm and ReLU → convolution → tanh.

    Args:
        latent_dim: size of the latent, 128 in the paper.
        sample_shape: ``(C, H, W)``.
        channels: feature maps of the last hidden layer, 32 in the paper; the layers before it have four, six or eight
            times as many.
    """

    def __init__(self, latent_dim: int, sample_shape: Sequence[int], channels: int = 32) -> None:
        check_positive("VAEGANGenerator.latent_dim", latent_dim)
        check_positive("VAEGANGenerator.channels", channels)
        sizes = _sides(sample_shape)
        widths = _widths(sizes, channels)[::-1]
        base = (widths[0], *sizes[-1])
        features = math.prod(base)
        layers = [nn.Linear(latent_dim, features, bias=False), nn.BatchNorm1d(features), nn.ReLU()]
        layers.append(nn.Unflatten(1, base))
        for (fan_in, fan_out), (height, width) in zip(pairwise(widths), sizes[-2::-1], strict=True):
            # from n pixels come 2n − 1, and one more where the side is even
            more = (1 - height % 2, 1 - width % 2)
            doubling = nn.ConvTranspose2d(fan_in, fan_out, 5, stride=2, padding=2, output_padding=more, bias=False)
            layers += [doubling, nn.BatchNorm2d(fan_out), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(channels, sample_shape[0], 5, padding=2), nn.Tanh())
        _draw(self)


class VAEGANDiscriminator(nn.Module):
    """Image → 5x5 convolutions, all but the first of stride 2 → linear layer → logit, with ReLU between.

    Args:
        sample_shape: ``(C, H, W)``.
        channels: feature maps of the first layer, 32 in the paper; the layers after it have four, six or eight times
            as many, and the linear layer sixteen times as many.
        norm: normalisation of every layer but the first: batch (as in the paper), none or layer.

    Attributes:
        trunk: samples → `features`.
        head: features → logits ``[B]``, so that one pass can give both.
    """

    def __init__(self, sample_shape: Sequence[int], channels: int = 32, norm: str = "batch") -> None:
        check_positive("VAEGANDiscriminator.channels", channels)
        check_choice("VAEGANDiscriminator.norm", norm, VECTOR_NORMS)
        sizes = _sides(sample_shape)
        super().__init__()
        widths = _widths(sizes, channels)
        biased = norm == "none"  # a normalisation has an offset of its own
        trunk: list[nn.Module] = [nn.Conv2d(sample_shape[0], channels, 5, padding=2), nn.ReLU()]
        for fan_in, fan_out in pairwise(widths):
            trunk.append(nn.Conv2d(fan_in, fan_out, 5, stride=2, padding=2, bias=biased))
            trunk += [MAP_NORMS[norm](fan_out), nn.ReLU()]
        *trunk, last_norm, activation = trunk
        features, hidden = widths[-1] * math.prod(sizes[-1]), 16 * channels
        self.trunk = nn.Sequential(*trunk)
        self.head = nn.Sequential(
            last_norm,
            activation,
            nn.Flatten(),
            nn.Linear(features, hidden, bias=biased),
            VECTOR_NORMS[norm](hidden),
            nn.ReLU(),
            Logit(hidden),
        )
        _draw(self)

    def features(self, samples: Tensor) -> Tensor:
        """Samples ``[B, C, H, W]`` → what the last strided convolution gives, before its normalisation.

        For 32 and 64 pixels that is the third, the paper's layer l, in which it compares an image with its
        reconstruction.
        """
        return self.trunk(samples)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples ``[B, C, H, W]`` → logits ``[B]``."""
        return self.head(self.features(samples))
