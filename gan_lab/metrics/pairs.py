"""Distances between pictures and those that they should be."""

from collections.abc import Sequence

import torch
from torch import Tensor

_CHUNK = 256  # pictures at a time, to bound memory; values do not depend on it


def picture_distances(made: Tensor, wanted: Tensor) -> dict[str, float]:
    """``l1``, ``psnr`` and ``ssim`` of pictures and those wanted, each the mean over the pictures.

    ``l1`` is the mean absolute difference of pixels in [0, 1]. ``psnr`` is the peak signal-to-noise ratio in decibels;
    of equal pictures it is 100, which stands for an infinite one. ``ssim`` is the structural similarity (Wang et al.
    2004) with a Gaussian window of 11 pixels and a deviation of 1.5, both scaled down for pictures of smaller sides to
    the largest odd number of pixels that fits.

    Args:
        made: uint8 pixels ``[N, C, H, W]``.
        wanted: the same.
    """
    # imported late: it takes seconds, and drawing samples does not need it
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    deviation = 1.5 * ssim_window(made.shape) / 11  # torchmetrics derives the window from it
    sums = torch.zeros(3, dtype=torch.float64)
    for one, other in zip(made.split(_CHUNK), wanted.split(_CHUNK), strict=True):
        x, y = one.float() / 255, other.float() / 255
        l1 = (x - y).abs().flatten(1).mean(1).sum()
        noise = peak_signal_noise_ratio(x, y, data_range=1.0, reduction="none", dim=(1, 2, 3)).clamp(max=100).sum()
        alike = structural_similarity_index_measure(x, y, sigma=deviation, data_range=1.0, reduction="none")
        assert isinstance(alike, Tensor)
        sums += torch.stack([l1, noise, alike.sum()]).double()
    return dict(zip(("l1", "psnr", "ssim"), (sums / len(made)).tolist(), strict=True))


def ssim_window(shape: Sequence[int]) -> int:
    """The side in pixels of the window of ``ssim`` for pictures ``[…, H, W]``."""
    return min(11, *(side - 1 + side % 2 for side in shape[-2:]))


def nearest(pictures: Tensor, among: Tensor) -> Tensor:
    """For each picture the index of the one that differs from it least, in squares of pixels: ``[N]`` int64.

    Args:
        pictures: uint8 ``[N, C, H, W]``.
        among: uint8 ``[M, C, H, W]``.
    """
    others = among.flatten(1).float()
    return torch.cat([torch.cdist(part.flatten(1).float(), others).argmin(1) for part in pictures.split(_CHUNK)])
