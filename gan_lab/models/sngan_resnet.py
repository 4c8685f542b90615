"""The residual networks of SN-GAN (Miyato et al. 2018, arXiv 1802.05957, tables 4 to 6), for 32, 48, 64 and 128 pixels.

With labels: conditional BatchNorm in the generator and a projection in the discriminator (Miyato and Koyama 2018, arXiv
1802.05637). With self-attention in both and spectral norm in the generator they are the networks of SAGAN (Zhang et al.
2019, arXiv 1805.08318). The longer side of an image chooses the network.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.conditions import check_discriminator_conditioning, check_generator_conditioning
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.initialisation import draw_glorot
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.normalisation import MAP_NORMS, batch_norm, bound_layers
from gan_lab.models.layers.plans import Plan, attention_after, plan_for, with_attention
from gan_lab.models.layers.residual import SumPool, down_blocks, up_block
from gan_lab.validation import check_choice, check_flag, check_positive

_EPS = 2e-5  # of BatchNorm, as in the authors' code


_PLANS = {
    32: Plan((1, 1, 1, 1), 256, (1, 1, 1, 1), 128, 2),
    48: Plan((8, 4, 2, 1), 64, (1, 2, 4, 8, 16), 64, 4),
    64: Plan((16, 8, 4, 2, 1), 64, (1, 2, 4, 8, 16), 64, 5),
    128: Plan((16, 16, 8, 4, 2, 1), 64, (1, 2, 4, 8, 16, 16), 64, 5),
}


def _plan(sample_shape: Sequence[int]) -> Plan:
    return plan_for("sngan_resnet (or sagan)", _PLANS, sample_shape)


class SNGANResNetGenerator(LabelledSequential):
    """Latent → linear layer → residual blocks that double the side → BatchNorm, ReLU, convolution, tanh.

    Args:
        latent_dim: size of the latent, 128 in the paper.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the last block; None for the paper's, 256 for 32 pixels, and otherwise 64.
        conditioning: how labels are taken: concat appends an embedding to the latent, batch_norm makes the blocks'
            BatchNorm conditional.
        attention: longer side of the map after whose block attention stands, such as 16; None for no attention.
        spectral_norm: divide the weights of linear layers and convolutions by their spectral norms (as in SAGAN).
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        channels: int | None = None,
        conditioning: str = "batch_norm",
        attention: int | None = None,
        spectral_norm: bool = False,
        classes: int | None = None,
    ) -> None:
        plan = _plan(sample_shape)
        channels = plan.generator_channels if channels is None else channels
        check_positive("SNGANResNetGenerator.channels", channels)
        check_generator_conditioning("SNGANResNetGenerator", conditioning, classes, has_batchnorm=True)
        check_flag("SNGANResNetGenerator.spectral_norm", spectral_norm)
        widths = [factor * channels for factor in plan.generator]
        colours, height, width = sample_shape
        blocks = len(widths) - 1
        base = (widths[0], height >> blocks, width >> blocks)
        maps = [(base[1] << block, base[2] << block) for block in range(1, blocks + 1)]
        after = attention_after("SNGANResNetGenerator", attention, maps)
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(ConcatLabel(classes, latent_dim))
            latent_dim *= 2
        norm = batch_norm(nn.BatchNorm2d, conditioning, classes, _EPS)
        layers += [nn.Linear(latent_dim, base[0] * base[1] * base[2]), nn.Unflatten(1, base)]
        layers += with_attention([up_block(*ends, norm) for ends in pairwise(widths)], widths[1:], after)
        last = nn.Conv2d(widths[-1], colours, 3, padding=1)
        super().__init__(*layers, nn.BatchNorm2d(widths[-1], _EPS), nn.ReLU(), last, nn.Tanh())
        draw_glorot(self)
        nn.init.xavier_uniform_(last.weight)  # gain 1, though it is of 3x3 pixels
        if spectral_norm:
            bound_layers(self)


class SNGANResNetDiscriminator(LabelledSequential):
    """Image → residual blocks → ReLU, sum over the positions → logit. ``loss=sngan`` adds spectral norm.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the first block; None for the paper's, 128 for 32 pixels, and otherwise 64.
        wide: a block's hidden convolution has as many channels as its output (as in SAGAN and BigGAN), not as its input
            (as in SN-GAN).
        norm: normalisation before each activation of a block: none (as in the paper), batch, layer or instance.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class.
        attention: longer side of the map after whose block attention stands, such as 16; None for no attention.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channels: int | None = None,
        wide: bool = False,
        norm: str = "none",
        conditioning: str = "none",
        attention: int | None = None,
        classes: int | None = None,
    ) -> None:
        plan = _plan(sample_shape)
        channels = plan.discriminator_channels if channels is None else channels
        check_positive("SNGANResNetDiscriminator.channels", channels)
        check_flag("SNGANResNetDiscriminator.wide", wide)
        check_choice("SNGANResNetDiscriminator.norm", norm, MAP_NORMS)
        check_discriminator_conditioning("SNGANResNetDiscriminator", conditioning, classes)
        widths = [factor * channels for factor in plan.discriminator]
        colours = sample_shape[0]
        after = attention_after("SNGANResNetDiscriminator", attention, plan.judged_maps(sample_shape))
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            colours += concat.width
        layers += with_attention(down_blocks(colours, widths, MAP_NORMS[norm], plan.pools, wide), widths, after)
        last = head(conditioning, widths[-1], classes, lambda: Logit(widths[-1]))
        super().__init__(*layers, nn.ReLU(), SumPool(), last)
        draw_glorot(self)
