"""Mixtures of 2-D Gaussians with known modes, as in PacGAN (Lin et al. 2018, arXiv 1712.04086)."""

import math

import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, Mixture, checksum, first
from gan_lab.datasets.drawing import Drawing
from gan_lab.validation import check_number, check_positive

_TRAIN_SAMPLES, _TEST_SAMPLES = 100_000, 10_000
_DATA_SEED = 0  # the samples are the same for every seed of a run, as if read from a file


def ring(
    max_samples: int | None = None,
    modes: int = 8,
    radius: float = 1.0,
    std: float = 0.01,
    subset: float | None = None,
) -> Dataset:
    """Points ``[N, 2]`` from Gaussians evenly spaced on a circle.

    Args:
        max_samples: number of points to train on, the first ones; None for all 100,000.
        modes: number of Gaussians.
        radius: radius of the circle.
        std: standard deviation of each Gaussian.
        subset: share of the points of each Gaussian to train on; None for all.
    """
    check_positive("modes", modes)
    check_number("radius", radius, above=0)
    angles = torch.arange(modes) * (2 * math.pi / modes)
    return _mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std, max_samples, subset)


def grid(
    max_samples: int | None = None,
    side: int = 5,
    spacing: float = 2.0,
    std: float = 0.05,
    subset: float | None = None,
) -> Dataset:
    """Points ``[N, 2]`` from Gaussians on a square grid centred at the origin.

    Args:
        max_samples: number of points to train on, the first ones; None for all 100,000.
        side: number of Gaussians along a side.
        spacing: distance between neighbouring Gaussians.
        std: standard deviation of each Gaussian.
        subset: share of the points of each Gaussian to train on; None for all.
    """
    check_positive("side", side)
    check_number("spacing", spacing, above=0)
    ticks = spacing * (torch.arange(side) - (side - 1) / 2)
    return _mixture(torch.cartesian_prod(ticks, ticks), std, max_samples, subset)


def _mixture(modes: Tensor, std: float, max_samples: int | None, subset: float | None) -> Dataset:
    check_number("std", std, above=0)
    generator = torch.Generator().manual_seed(_DATA_SEED)
    count = _TRAIN_SAMPLES + _TEST_SAMPLES
    labels = torch.randint(len(modes), (count,), generator=generator)
    points = modes[labels] + std * torch.randn(count, 2, generator=generator)
    return Dataset(
        *first(max_samples, points[:_TRAIN_SAMPLES], labels[:_TRAIN_SAMPLES]),
        points[_TRAIN_SAMPLES:],
        labels[_TRAIN_SAMPLES:],
        checksum(points),
        Mixture(modes, std),
        drawing=Drawing(subset),
    )
