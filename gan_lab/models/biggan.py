"""BigGAN's networks (Brock, Donahue and Simonyan 2019, arXiv 1809.11096, appendix B), for 32, 64 and 128 pixels.

Each block of the generator is told the class and a part of the latent of its own. Without labels it is told its part of
the latent alone, by maps with a bias: the embedding of a single class would be a constant, and a bias is what a linear
map makes of a constant. The longer side of an image chooses the networks.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import check_discriminator_conditioning
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.initialisation import draw_all
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential, ModulatedBatchNorm, missing_labels
from gan_lab.models.layers.normalisation import Norm, bound_layers
from gan_lab.models.layers.plans import Plan, attention_after, plan_for, with_attention
from gan_lab.models.layers.residual import SumPool, down_blocks, up_block
from gan_lab.validation import check_choice, check_flag, check_positive, check_widths

_PLANS = {
    32: Plan((4, 4, 4, 4), 96, (2, 2, 2, 2), 96, 2),
    64: Plan((16, 16, 8, 4, 2), 64, (1, 2, 4, 8, 16), 64, 4),
    128: Plan((16, 16, 8, 4, 2, 1), 96, (1, 2, 4, 8, 16, 16), 96, 5),
}
_SPECTRAL_EPS = 1e-6  # in the author's code
_DRAWS: Mapping[str, Callable[[Tensor], object]] = {
    "orthogonal": nn.init.orthogonal_,
    "normal": partial(nn.init.normal_, std=0.02),
}


class BigGANGenerator(nn.Module):
    """Latent → linear layer → residual blocks that double the side → BatchNorm, ReLU, convolution, tanh.

    The latent is split in equal parts, one for the linear layer and one for each block. BatchNorm in a block has gains
    and offsets that are linear maps of its part and the label's embedding. All layers but embeddings have spectral
    norm.

    Args:
        latent_dim: size of the latent: 20 for each part in the paper.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps, of which each map has a multiple; None for 96 with 32 and 128 pixels, and 64 with 64.
        multiples: of the first map and of the one after each block; None for those of the size.
        shared: size of the label's embedding, which all blocks share; None for gains and offsets in a table for each
            class, which take no part of the latent.
        hierarchical: split the latent; if not, the linear layer has all of it.
        attention: longer side of the map after whose block attention stands, such as 16; None for no attention.
        initialisation: of weights: orthogonal, or normal with a deviation of 0.02.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        channels: int | None = None,
        multiples: Sequence[int] | None = None,
        shared: int | None = 128,
        hierarchical: bool = True,
        attention: int | None = None,
        initialisation: str = "orthogonal",
        classes: int | None = None,
    ) -> None:
        name = "BigGANGenerator"
        plan = plan_for("biggan", _PLANS, sample_shape)
        channels = plan.generator_channels if channels is None else channels
        check_positive(f"{name}.channels", channels)
        check_choice(f"{name}.initialisation", initialisation, _DRAWS)
        widths = [multiple * channels for multiple in _multiples(f"{name}.multiples", multiples, plan)]
        blocks = len(widths) - 1
        _check_parts(name, latent_dim, blocks + 1, shared, hierarchical)
        if classes is not None:
            check_positive(f"{name}.classes", classes)
        colours, height, width = sample_shape
        base = (widths[0], height >> blocks, width >> blocks)
        after = attention_after(name, attention, [(base[1] << i, base[2] << i) for i in range(1, blocks + 1)])
        super().__init__()
        self.uses_labels = classes is not None
        self.part = latent_dim // (blocks + 1) if hierarchical else latent_dim
        self.shared = None if classes is None or shared is None else nn.Embedding(classes, shared)
        norm = self._norm(shared, hierarchical, classes)
        self.start = nn.Sequential(nn.Linear(self.part, base[0] * base[1] * base[2]), nn.Unflatten(1, base))
        self.blocks = nn.ModuleList(
            LabelledSequential(*with_attention([up_block(*ends, norm)], ends[1:], 0 if number == after else None))
            for number, ends in enumerate(pairwise(widths))
        )
        last = nn.Conv2d(widths[-1], colours, 3, padding=1)
        self.end = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU(), last, nn.Tanh())
        draw_all(self, _DRAWS[initialisation])
        bound_layers(self, _SPECTRAL_EPS)

    def _norm(self, shared: int | None, hierarchical: bool, classes: int | None) -> Norm:
        """Makes a block's BatchNorm: told the class, the block's part of the latent, both, or nothing."""
        told = (shared or 0) * self.uses_labels + self.part * hierarchical
        if told:
            make: Callable[[int], nn.Module] = partial(nn.Linear, told, bias=self.shared is None)
        elif classes is not None:
            make = partial(nn.Embedding, classes)
        else:
            return nn.BatchNorm2d
        return lambda channels: ModulatedBatchNorm(channels, make)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents ``[B, latent_dim]``, and labels ``[B]`` int64 if there are classes → samples ``[B, C, H, W]``.

        Raises:
            ValueError: if labels are needed and missing.
        """
        if not self.uses_labels:
            labels = None
        elif labels is None:
            raise missing_labels(self)
        first, *parts = latents.split(self.part, 1)
        told = labels if self.shared is None else self.shared(labels)
        features = self.start(first)
        for number, block in enumerate(self.blocks):
            features = block(features, self._told(told, parts[number] if parts else None))
        made: Tensor = self.end(features)
        return made

    def _told(self, of_label: Tensor | None, part: Tensor | None) -> Tensor | None:
        """What a block is told of each sample."""
        if part is None or of_label is None:
            return of_label if part is None else part
        return torch.cat([of_label.to(part.dtype), part], 1)


def _multiples(name: str, multiples: Sequence[int] | None, plan: Plan) -> Sequence[int]:
    if multiples is None:
        return plan.generator
    check_widths(name, multiples)
    if len(multiples) != len(plan.generator):
        raise ValueError(f"{name}={list(multiples)}: expected {len(plan.generator)} numbers, one for each map")
    return multiples


def _check_parts(name: str, latent_dim: int, parts: int, shared: int | None, hierarchical: bool) -> None:
    check_flag(f"{name}.hierarchical", hierarchical)
    if shared is not None:
        check_positive(f"{name}.shared", shared)
    elif hierarchical:
        raise ValueError(f"{name}.shared=None: expected a whole number, or {name}.hierarchical=false with it")
    if hierarchical and latent_dim % parts:
        raise ValueError(
            f"{name} cannot split a latent of size {latent_dim} in {parts} equal parts: expected a latent_dim such as "
            f"{20 * parts}, or {name}.hierarchical=false"
        )


class BigGANDiscriminator(LabelledSequential):
    """Image → residual blocks → ReLU, sum over the positions → logit. ``constraint=spectral_norm`` bounds its layers.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps, of which each block has a multiple; None for 96 with 32 and 128 pixels, and 64 with 64.
        attention: longer side of the map after whose block attention stands, such as 16; None for no attention.
        initialisation: of weights: orthogonal, or normal with a deviation of 0.02.
        conditioning: how labels are looked at: none, concat, projection (as in the paper), auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channels: int | None = None,
        attention: int | None = None,
        initialisation: str = "orthogonal",
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        name = "BigGANDiscriminator"
        plan = plan_for("biggan", _PLANS, sample_shape)
        channels = plan.discriminator_channels if channels is None else channels
        check_positive(f"{name}.channels", channels)
        check_choice(f"{name}.initialisation", initialisation, _DRAWS)
        check_discriminator_conditioning(name, conditioning, classes)
        widths = [multiple * channels for multiple in plan.discriminator]
        colours = sample_shape[0]
        after = attention_after(name, attention, plan.judged_maps(sample_shape))
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            colours += concat.width
        layers += with_attention(down_blocks(colours, widths, nn.Identity, plan.pools, True), widths, after)
        last = head(conditioning, widths[-1], classes, lambda: Logit(widths[-1]))
        super().__init__(*layers, nn.ReLU(), SumPool(), last)
        draw_all(self, _DRAWS[initialisation])
