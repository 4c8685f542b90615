"""Mixtures of 2-D Gaussians, whose every mode is known (the sets of PacGAN, arXiv 1712.04086)."""

import math

import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, checksum, first

_TRAIN_SAMPLES, _TEST_SAMPLES = 100_000, 10_000
_DATA_SEED = 0  # the data is one fixed set, as a file would be: it does not follow the run's seed


def ring(max_samples: int | None = None, modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Dataset:
    """Gaussians evenly spaced on a circle.

    Args:
        max_samples: train on the first so many of the 100 000 only; None for all.
        modes: number of Gaussians.
        radius: radius of the circle.
        std: standard deviation of each Gaussian.
    """
    angles = torch.arange(modes) * (2 * math.pi / modes)
    return _mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std, max_samples)


def grid(max_samples: int | None = None, side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Dataset:
    """Gaussians on a square grid centred at the origin.

    Args:
        max_samples: train on the first so many of the 100 000 only; None for all.
        side: Gaussians a side.
        spacing: distance between neighbours.
        std: standard deviation of each Gaussian.
    """
    ticks = spacing * (torch.arange(side) - (side - 1) / 2)
    return _mixture(torch.cartesian_prod(ticks, ticks), std, max_samples)


def _mixture(modes: Tensor, std: float, max_samples: int | None) -> Dataset:
    generator = torch.Generator().manual_seed(_DATA_SEED)
    count = _TRAIN_SAMPLES + _TEST_SAMPLES
    labels = torch.randint(len(modes), (count,), generator=generator)
    points = modes[labels] + std * torch.randn(count, 2, generator=generator)
    return Dataset(
        *first(max_samples, points[:_TRAIN_SAMPLES], labels[:_TRAIN_SAMPLES]),
        points[_TRAIN_SAMPLES:],
        labels[_TRAIN_SAMPLES:],
        checksum(points),
        modes,
        std,
    )
