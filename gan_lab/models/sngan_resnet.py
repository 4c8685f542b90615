"""The residual networks of SN-GAN (Miyato et al. 2018, arXiv 1802.05957, tables 4 to 6), for 32, 48 and 64 pixels.

With labels: conditional BatchNorm in the generator and a projection in the discriminator (Miyato and Koyama 2018, arXiv
1802.05637). The longer side of an image chooses the network.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from gan_lab.models.conditions import check_discriminator_conditioning, check_generator_conditioning
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.initialisation import draw_glorot
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.normalisation import MAP_NORMS, batch_norm
from gan_lab.models.layers.residual import down_block, first_down_block, up_block
from gan_lab.models.layers.shapes import ANY_SIZE, check_image
from gan_lab.validation import check_choice, check_flag, check_positive

_EPS = 2e-5  # of BatchNorm, as in the authors' code


class _Plan(NamedTuple):
    """The widths of the networks for a size, in multiples of ``channels``, and their ``channels`` in the paper."""

    generator: tuple[int, ...]
    generator_channels: int
    discriminator: tuple[int, ...]
    discriminator_channels: int
    pools: int  # the first so many blocks of the discriminator halve the sides


_PLANS = {
    32: _Plan((1, 1, 1, 1), 256, (1, 1, 1, 1), 128, 2),
    48: _Plan((8, 4, 2, 1), 64, (1, 2, 4, 8, 16), 64, 4),
    64: _Plan((16, 8, 4, 2, 1), 64, (1, 2, 4, 8, 16), 64, 5),
}


def _plan(sample_shape: Sequence[int]) -> _Plan:
    check_image("sngan_resnet", sample_shape)
    sides = sample_shape[1:]
    plan = _PLANS.get(max(sides))
    if plan is not None:
        multiple = 1 << max(len(plan.generator) - 1, plan.pools)
        if all(side % multiple == 0 for side in sides):
            return plan
    raise ValueError(
        f"sngan_resnet cannot draw images of {sides[0]}x{sides[1]} pixels: expected a longer side of 32, 48 or 64, and "
        f"a shorter one that is a multiple of 8, 16 or 32 respectively; {ANY_SIZE}"
    )


class SNGANResNetGenerator(LabelledSequential):
    """Latent → linear layer → residual blocks that double the side → BatchNorm, ReLU, convolution, tanh.

    Args:
        latent_dim: size of the latent, 128 in the paper.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the last block; None for the paper's, 256 for 32 pixels, and otherwise 64.
        conditioning: how labels are taken: concat appends an embedding to the latent, batch_norm makes the blocks'
            BatchNorm conditional.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        channels: int | None = None,
        conditioning: str = "batch_norm",
        classes: int | None = None,
    ) -> None:
        plan = _plan(sample_shape)
        channels = plan.generator_channels if channels is None else channels
        check_positive("SNGANResNetGenerator.channels", channels)
        check_generator_conditioning("SNGANResNetGenerator", conditioning, classes, has_batchnorm=True)
        widths = [factor * channels for factor in plan.generator]
        colours, height, width = sample_shape
        blocks = len(widths) - 1
        base = (widths[0], height >> blocks, width >> blocks)
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(ConcatLabel(classes, latent_dim))
            latent_dim *= 2
        norm = batch_norm(nn.BatchNorm2d, conditioning, classes, _EPS)
        layers += [nn.Linear(latent_dim, base[0] * base[1] * base[2]), nn.Unflatten(1, base)]
        layers += [up_block(*widths_of_block, norm) for widths_of_block in pairwise(widths)]
        last = nn.Conv2d(widths[-1], colours, 3, padding=1)
        super().__init__(*layers, nn.BatchNorm2d(widths[-1], _EPS), nn.ReLU(), last, nn.Tanh())
        draw_glorot(self)
        nn.init.xavier_uniform_(last.weight)  # gain 1, though it is of 3x3 pixels


class _SumPool(nn.Module):
    """Features ``[B, C, H, W]`` → their sums over the positions, ``[B, C]``."""

    def forward(self, features: Tensor) -> Tensor:
        return features.sum((2, 3))


class SNGANResNetDiscriminator(LabelledSequential):
    """Image → residual blocks → ReLU, sum over the positions → logit. ``loss=sngan`` adds spectral norm.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the first block; None for the paper's, 128 for 32 pixels, and otherwise 64.
        wide: a block's hidden convolution has as many channels as its output (as in SAGAN and BigGAN), not as its input
            (as in SN-GAN).
        norm: normalisation before each activation of a block: none (as in the paper), batch, layer or instance.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channels: int | None = None,
        wide: bool = False,
        norm: str = "none",
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        plan = _plan(sample_shape)
        channels = plan.discriminator_channels if channels is None else channels
        check_positive("SNGANResNetDiscriminator.channels", channels)
        check_flag("SNGANResNetDiscriminator.wide", wide)
        check_choice("SNGANResNetDiscriminator.norm", norm, MAP_NORMS)
        check_discriminator_conditioning("SNGANResNetDiscriminator", conditioning, classes)
        widths = [factor * channels for factor in plan.discriminator]
        fan_in, norms = sample_shape[0], MAP_NORMS[norm]
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            fan_in += concat.width
        layers.append(first_down_block(fan_in, widths[0], norms))
        for i, (fan_in, fan_out) in enumerate(pairwise(widths), 2):
            layers.append(down_block(fan_in, fan_out, norms, down=i <= plan.pools, wide=wide))
        last = head(conditioning, widths[-1], classes, lambda: Logit(widths[-1]))
        super().__init__(*layers, nn.ReLU(), _SumPool(), last)
        draw_glorot(self)
