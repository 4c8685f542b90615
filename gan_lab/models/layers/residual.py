"""Residual blocks that double or halve the side of a feature map, as in SN-GAN and its successors."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan_lab.models.layers.labelled import LabelledSequential
from gan_lab.models.layers.normalisation import Norm


class Residual(nn.Module):
    """branch(x) + shortcut(x).

    Args:
        branch: is given the labels, if it takes them.
        shortcut: keeps or changes the shape as the branch does.
    """

    def __init__(self, branch: LabelledSequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut
        self.uses_labels = branch.uses_labels

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Features ``[B, C, H, W]``, and labels ``[B]`` if the branch takes them → ``[B, C', H', W']``."""
        return self.branch(features, labels) + self.shortcut(features)


def _conv3(fan_in: int, fan_out: int) -> nn.Conv2d:
    return nn.Conv2d(fan_in, fan_out, 3, padding=1)


def up_block(fan_in: int, fan_out: int, norm: Norm) -> Residual:
    """``[B, fan_in, H, W]`` → ``[B, fan_out, 2·H, 2·W]``; both sides of the sum upsample to the nearest pixel."""
    branch = LabelledSequential(
        norm(fan_in),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        _conv3(fan_in, fan_out),
        norm(fan_out),
        nn.ReLU(),
        _conv3(fan_out, fan_out),
    )
    return Residual(branch, nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(fan_in, fan_out, 1)))


def first_down_block(fan_in: int, fan_out: int, norm: Norm) -> Residual:
    """``[B, fan_in, H, W]`` → ``[B, fan_out, H/2, W/2]``, for images: no activation before the first convolution."""
    branch = LabelledSequential(
        _conv3(fan_in, fan_out), norm(fan_out), nn.ReLU(), _conv3(fan_out, fan_out), nn.AvgPool2d(2)
    )
    return Residual(branch, nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(fan_in, fan_out, 1)))


def down_block(fan_in: int, fan_out: int, norm: Norm, down: bool, wide: bool) -> Residual:
    """``[B, fan_in, H, W]`` → ``[B, fan_out, H, W]``, or half the sides.

    Args:
        fan_in: channels of the input.
        fan_out: channels of the output.
        norm: before each activation.
        down: whether both sides of the sum are pooled.
        wide: the hidden convolution has ``fan_out`` channels instead of ``fan_in``.
    """
    hidden = fan_out if wide else fan_in
    pool = [nn.AvgPool2d(2)] if down else []
    convolutions = (norm(fan_in), nn.ReLU(), _conv3(fan_in, hidden), norm(hidden), nn.ReLU(), _conv3(hidden, fan_out))
    changes = down or fan_in != fan_out
    shortcut = nn.Sequential(nn.Conv2d(fan_in, fan_out, 1), *pool) if changes else nn.Identity()
    return Residual(LabelledSequential(*convolutions, *pool), shortcut)


def down_blocks(colours: int, widths: Sequence[int], norm: Norm, pools: int, wide: bool) -> list[Residual]:
    """The blocks of a discriminator, from an image ``[B, colours, H, W]`` to ``[B, widths[-1], H / 2^pools, …]``.

    Args:
        colours: channels of the image.
        widths: channels after each block.
        norm: before each activation.
        pools: the first so many blocks halve the sides.
        wide: see `down_block`.
    """
    blocks = [first_down_block(colours, widths[0], norm)]
    for number, (fan_in, fan_out) in enumerate(pairwise(widths), 2):
        blocks.append(down_block(fan_in, fan_out, norm, down=number <= pools, wide=wide))
    return blocks


class SumPool(nn.Module):
    """Features ``[B, C, H, W]`` → their sums over the positions, ``[B, C]``."""

    def forward(self, features: Tensor) -> Tensor:
        return features.sum((2, 3))
