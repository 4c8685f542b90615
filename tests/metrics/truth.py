"""The numeric truth of LITERATURE.md §6."""

import numpy as np
import torch


def truth_sets():
    """A[i,j] = sin(.7i + 1.3j) + .1cos(.37i(j + 1)), i < 60, j < 4; B the same with +.4 in the sine, ×1.1 + .15."""
    i, j = np.arange(60)[:, None], np.arange(4)[None]
    first = np.sin(0.7 * i + 1.3 * j) + 0.1 * np.cos(0.37 * i * (j + 1))
    second = (np.sin(0.7 * i + 1.3 * j + 0.4) + 0.1 * np.cos(0.37 * i * (j + 1))) * 1.1 + 0.15
    return torch.from_numpy(first), torch.from_numpy(second)


def random_sets(count=300, dimensions=12, seed=0):
    """Features of two different distributions, float32, far from the origin in some dimensions."""
    generator = torch.Generator().manual_seed(seed)
    real = torch.randn(count, dimensions, generator=generator) + torch.linspace(0, 3, dimensions)
    return real, 1.2 * torch.randn(count + 37, dimensions, generator=generator) + 0.3
