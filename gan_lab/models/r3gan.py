"""R3GAN's networks (Huang et al. 2024, The GAN is dead; long live the GAN!, arXiv 2501.05441, configuration E).

Residual blocks of grouped convolutions without normalisation, which begin as the identity. Sides double from a map
whose longer side has 4 to 7 pixels, with a stage of blocks at each size.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import check_discriminator_conditioning
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.resampling import Downsample, Upsample
from gan_lab.models.layers.shapes import doublings
from gan_lab.validation import check_positive, check_widths

_SLOPE = 0.2
_GAIN = (2 / (1 + _SLOPE**2)) ** 0.5  # keeps the variance through LeakyReLU (He et al. 2015, arXiv 1502.01852)


def _drawn(layer: nn.Linear | nn.Conv2d, gain: float = 1.0) -> nn.Linear | nn.Conv2d:
    """The layer with weights ~ N(0, gain² / fan_in) and biases of 0; with groups, fan_in is a group's."""
    nn.init.normal_(layer.weight, 0.0, gain / layer.weight[0].numel() ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class _Block(nn.Module):
    """x + branch(x), ``[B, width, H, W]`` → the same shape; nothing follows the sum.

    Args:
        width: channels; inside the branch there are twice as many.
        groups: of the convolution in the middle.
        depth: blocks of the whole network: first weights shrink with its fourth root, and the last layer's are 0.
    """

    def __init__(self, width: int, groups: int, depth: int) -> None:
        super().__init__()
        gain = _GAIN * depth**-0.25
        self.branch = nn.Sequential(
            _drawn(nn.Conv2d(width, 2 * width, 1), gain),
            nn.LeakyReLU(_SLOPE),
            _drawn(nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=groups), gain),
            nn.LeakyReLU(_SLOPE),
            _drawn(nn.Conv2d(2 * width, width, 1, bias=False), 0.0),
        )

    def forward(self, features: Tensor) -> Tensor:
        branch: Tensor = self.branch(features)
        return features + branch


class _Basis(nn.Module):
    """Latents ``[B, size]`` → ``[B, width, H, W]``: a learned map whose channels are scaled by a linear layer."""

    def __init__(self, size: int, width: int, sides: Sequence[int]) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(width, *sides))
        self.scales = _drawn(nn.Linear(size, width, bias=False))

    def forward(self, latents: Tensor) -> Tensor:
        scales: Tensor = self.scales(latents)
        return self.basis * scales[:, :, None, None]


class _Projected(nn.Module):
    """Features ``[B, width]`` and labels → logits ``[B]``: products of a linear map and the class's embedding."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = _drawn(nn.Linear(width, width, bias=False))
        self.embedding = nn.Embedding(classes, width)
        nn.init.normal_(self.embedding.weight, 0.0, (width * classes) ** -0.5)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        return torch.linalg.vecdot(self.linear(features), self.embedding(labels))


def _default_groups(width: int) -> int:
    """The largest number up to an eighth of the width, and at least 1, that divides the branch's 2 · width channels."""
    return next(count for count in range(max(1, width // 8), 0, -1) if 2 * width % count == 0)


def _stages(
    name: str, sample_shape: Sequence[int], widths: Sequence[int], groups: Sequence[int] | None, blocks: int
) -> list[list[nn.Module]]:
    """The blocks of each stage, from the smallest map on."""
    times = doublings("r3gan", sample_shape)
    check_widths(f"{name}.widths", widths)
    check_positive(f"{name}.blocks", blocks)
    if len(widths) != times + 1:
        sides = "x".join(map(str, sample_shape[1:]))
        raise ValueError(
            f"{name}.widths={list(widths)}: expected {times + 1} of them, a stage each, for images of {sides} pixels"
        )
    groups = [_default_groups(width) for width in widths] if groups is None else groups
    check_widths(f"{name}.groups", groups)
    if len(groups) != len(widths) or any(2 * width % count for width, count in zip(widths, groups, strict=True)):
        raise ValueError(
            f"{name}.groups={list(groups)}: expected one number for each width, and each a divisor of twice the width"
        )
    depth = blocks * len(widths)
    return [[_Block(*stage, depth) for _ in range(blocks)] for stage in zip(widths, groups, strict=True)]


def _between(fan_in: int, fan_out: int) -> list[nn.Module]:
    """A convolution of 1×1 pixels where widths differ."""
    return [] if fan_in == fan_out else [_drawn(nn.Conv2d(fan_in, fan_out, 1, bias=False))]


class R3GANGenerator(LabelledSequential):
    """Latent → scaled basis → stages of residual blocks, upsampled between them → convolution. There is no tanh.

    Args:
        latent_dim: size of the latent, 64 in the paper.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        widths: channels of each stage, from the smallest map on.
        groups: of the grouped convolutions of each stage; None for an eighth of its width, so 16 channels in a group,
            or for the next smaller number that divides twice the width.
        blocks: in a stage.
        embedding: size of the label's embedding, which stands beside the latent.
        classes: number of classes; None for a generator without labels, which has no embedding.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        widths: Sequence[int] = (768, 768, 768, 768),
        groups: Sequence[int] | None = None,
        blocks: int = 2,
        embedding: int = 64,
        classes: int | None = None,
    ) -> None:
        check_positive("R3GANGenerator.embedding", embedding)
        first, *others = _stages("R3GANGenerator", sample_shape, widths, groups, blocks)
        colours, height, width = sample_shape
        layers: list[nn.Module] = []
        if classes is not None:
            check_positive("R3GANGenerator.classes", classes)
            layers.append(label := ConcatLabel(classes, embedding))
            nn.init.normal_(label.embedding.weight, 0.0, classes**-0.5)  # a linear layer of the class as 0s and a 1
            latent_dim += embedding
        layers += [_Basis(latent_dim, widths[0], (height >> len(others), width >> len(others))), *first]
        for ends, stage in zip(pairwise(widths), others, strict=True):
            layers += [*_between(*ends), Upsample(), *stage]
        super().__init__(*layers, _drawn(nn.Conv2d(widths[-1], colours, 1, bias=False)))


class R3GANDiscriminator(LabelledSequential):
    """Image → convolution → stages of residual blocks, downsampled between them → depth-wise convolution → logit.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        widths: channels of each stage, from the smallest map on: the image comes to the last one first.
        groups: of the grouped convolutions of each stage; None for an eighth of its width, so 16 channels in a group,
            or for the next smaller number that divides twice the width.
        blocks: in a stage.
        conditioning: how labels are looked at: none, concat, projection (as in the paper, of a linear map of the
            features), auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        widths: Sequence[int] = (768, 768, 768, 768),
        groups: Sequence[int] | None = None,
        blocks: int = 2,
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        check_discriminator_conditioning("R3GANDiscriminator", conditioning, classes)
        *others, first = _stages("R3GANDiscriminator", sample_shape, widths, groups, blocks)
        colours, height, width = sample_shape
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            colours += concat.width
        layers += [_drawn(nn.Conv2d(colours, widths[-1], 1, bias=False)), *first]
        for ends, stage in zip(pairwise(widths[::-1]), reversed(others), strict=True):
            layers += [Downsample(), *_between(*ends), *stage]
        smallest = (height >> len(others), width >> len(others))
        layers += [_drawn(nn.Conv2d(widths[0], widths[0], smallest, groups=widths[0], bias=False)), nn.Flatten()]
        super().__init__(*layers, _ending(conditioning, widths[0], classes))


def _ending(conditioning: str, width: int, classes: int | None) -> nn.Module:
    """The last layer: features ``[B, width]`` → logits ``[B]``."""
    if classes is not None and conditioning == "projection":
        return _Projected(width, classes)
    logit = Logit(width, bias=False)
    _drawn(logit.logit)
    return head(conditioning, width, classes, lambda: logit)
