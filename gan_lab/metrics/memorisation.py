"""How many generated samples are close copies of training samples.

A generated sample counts as a copy if it is less than half as far from the nearest training sample as from the nearest
held-out one. The ratio is ours, after those by which Yoon et al. 2023 (Diffusion Probabilistic Models Generalize when
They Fail to Memorize) and Meehan et al. 2020 (arXiv 2004.05675) find copies. Noise, grey and blur are about as far from
both sets, so they score 0.
"""

from typing import cast

import torch
from torch import Tensor

RATIO = 0.5  # docs/evaluation.md has what others give
_PAIRS = 2**24  # distances in memory at a time


def memorised(fake: Tensor, training: Tensor, held_out: Tensor) -> float:
    """The share of generated samples that are copies, from 0 to 1.

    Args:
        fake: features ``[N, d]``.
        training: features of what the generator learned from, ``[M, d]``.
        held_out: features of what it has not seen, ``[K, d]``.
    """
    return _share(distances(fake, training)[0], distances(fake, held_out)[0])


def memorised_by_chance(training: Tensor, held_out: Tensor) -> float:
    """The same of the held-out samples, each compared with the others: what real, unseen samples score."""
    return _share(distances(held_out, training)[0], distances(held_out, held_out, other=True)[0])


def distances(rows: Tensor, columns: Tensor, other: bool = False) -> tuple[Tensor, Tensor]:
    """The distance of each row, ``[N, …]``, to the nearest column, ``[M, …]``, and which it is: both ``[N]``.

    Args:
        rows: features or samples.
        columns: the same.
        other: both are one set, and no row is compared with itself.
    """
    rows, columns = rows.flatten(1).double(), columns.flatten(1).double()
    found, start = [], 0
    for part in cast(tuple[Tensor, ...], rows.split(max(1, _PAIRS // len(columns)))):
        apart = torch.cdist(part, columns)
        if other:
            apart[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        found.append(apart.argmin(1))
        start += len(part)
    nearest = torch.cat(found)
    # products of matrices round: taken from the difference, the distance of a copy is exactly 0
    return torch.linalg.vector_norm(rows - columns[nearest], dim=1), nearest


def _share(to_training: Tensor, to_held_out: Tensor) -> float:
    return (to_training < RATIO * to_held_out).double().mean().item()
