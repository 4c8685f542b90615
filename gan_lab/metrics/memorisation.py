"""How many generated samples are close copies of training samples.

A generated sample counts as a copy if it is less than half as far from the nearest training sample as from the second
nearest. The number of training samples hardly matters for that, and noise, grey and blur are about as far from both.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor

RATIO = 0.5  # Yoon et al. take a third, which misses copies with some noise (docs/evaluation.md)
MOST_SAMPLES = 2000  # generated samples that are looked at, by the metric and for the picture
_MOST = 5000
_PAIRS = 2**24  # distances in memory at a time


class Nearest(NamedTuple):
    """For each sample: the distances to the nearest and second nearest of others, and which is the nearest; ``[N]``."""

    distance: Tensor
    second: Tensor
    which: Tensor


def memorised(samples: Tensor, training: Tensor) -> float:
    """The share of samples that are copies of training samples, from 0 to 1.

    Args:
        samples: features ``[N, …]``.
        training: features of what the generator learned from, ``[M, …]``, M at least 2.

    References:
        Yoon et al. 2023, Diffusion Probabilistic Models Generalize when They Fail to Memorize (ICML workshop on SPIGM).
    """
    near = nearest_two(samples, training)
    return ((near.distance < RATIO * near.second) | (near.distance == 0)).double().mean().item()


def some_of(samples: Tensor) -> Tensor:
    """At most 5,000 of the samples, always the same ones: copies of these are looked for."""
    return samples[torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[:_MOST]]


def nearest_two(rows: Tensor, columns: Tensor) -> Nearest:
    """The two nearest columns, ``[M, …]``, of each row, ``[N, …]``."""
    rows, columns = rows.flatten(1).double(), columns.flatten(1).double()
    parts = cast(tuple[Tensor, ...], rows.split(max(1, _PAIRS // len(columns))))
    both = torch.cat([torch.cdist(part, columns).topk(2, largest=False).indices for part in parts])
    # products of matrices round: taken from the difference, the distance of a copy is exactly 0
    first, second = (torch.linalg.vector_norm(rows - columns[one], dim=1) for one in both.unbind(1))
    return Nearest(first, second, both[:, 0])
