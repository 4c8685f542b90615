"""Packing: a discriminator that judges several samples at once (Lin et al. 2018, PacGAN, arXiv 1712.04086).

A pack is one sample of more channels (images) or more features (points). The discriminator is built for packs and
judges packs; objectives, penalties and constraints need not know. A generator that repeats itself makes packs whose
members are alike, which real packs are not.
"""

from collections.abc import Sequence

from torch import Tensor


def packed_shape(sample_shape: Sequence[int], packing: int) -> tuple[int, ...]:
    """The shape of a pack: ``(m·C, H, W)`` for images, ``(m·D,)`` for points."""
    first, *rest = sample_shape
    return packing * first, *rest


def pack(samples: Tensor, packing: int) -> Tensor:
    """Samples ``[m·B, C, …]`` → packs ``[B, m·C, …]``; each pack is of consecutive samples.

    So the packs of a part of a batch are part of the batch's packs, as several processes need it.
    """
    if packing == 1:
        return samples
    return samples.unflatten(0, (-1, packing)).flatten(1, 2)


def unpack(packs: Tensor, packing: int) -> Tensor:
    """Packs ``[B, m·C, …]`` → their samples ``[m·B, C, …]``; `pack` puts them together again."""
    if packing == 1:
        return packs
    return packs.unflatten(1, (packing, -1)).flatten(0, 1)
