"""How many generated samples are close copies of training samples.

A generated sample counts as a copy if it is less than half as far from the nearest training sample as from the nearest
other one. The number of training samples hardly matters for that, and noise, grey and blur are about as far from both.
Near-duplicates of the nearest training sample do not count as the other one: they would hide its copies. They are
its nearest neighbours, at most 10, if these are less than half as far from it as all the rest.
Training samples count as they are and mirrored, so that a mirrored copy is one, too.
"""

from functools import reduce
from typing import NamedTuple, cast

import torch
from torch import Tensor

from gan_lab.datasets.dataset import some

DEFINITION = 2
"""Of what counts as a copy, in the metrics' fingerprint. docs/evaluation.md lists what changed."""
RATIO = 0.5  # Yoon et al. take a third, which misses copies with some noise (docs/evaluation.md)
LEAST_SAMPLES = 500  # generated samples that are looked at, however few are held out: a step of 0.002
MOST_SAMPLES = 2000  # the same of many, by the metric and for the picture
MOST_TRAINING = 5000  # training samples among which copies are looked for
_DUPLICATES = 10  # the most of a training sample; some more change nothing of 100 digits
_PAIRS = 2**24  # distances, or numbers of either set in float64, in memory at a time: large pictures are many numbers


class Nearest(NamedTuple):
    """For each sample: the distances to the nearest and second nearest of others, and which is the nearest; ``[N]``."""

    distance: Tensor
    second: Tensor
    which: Tensor


def memorised(samples: Tensor, training: Tensor) -> float:
    """The share of samples that are copies of training samples, from 0 to 1.

    Args:
        samples: features ``[N, …]``.
        training: features of what the generator learned from, ``[M, …]``, M at least 2, those of mirrored pictures
            among them.

    References:
        Yoon et al. 2023, Diffusion Probabilistic Models Generalize when They Fail to Memorize (ICML workshop on SPIGM).
        Near-duplicates and mirrored pictures are ours.
    """
    near = nearest_two(samples, training)
    return ((near.distance < RATIO * near.second) | (near.distance == 0)).double().mean().item()


def some_of(samples: Tensor) -> Tensor:
    """At most 5,000 of the samples, always the same ones: copies of these are looked for."""
    return samples[some(len(samples), MOST_TRAINING)]


def and_mirrored(pictures: Tensor) -> Tensor:
    """Pictures ``[M, C, H, W]`` and, after them, the same with left and right exchanged; ``[2M, C, H, W]``."""
    return torch.cat([pictures, pictures.flip(-1)])


def nearest_two(rows: Tensor, columns: Tensor) -> Nearest:
    """The nearest column, ``[M, …]``, of each row, ``[N, …]``, and the next that is no near-duplicate of that one."""
    rows, columns = rows.flatten(1), columns.flatten(1)
    order = _order(rows, columns, min(2 + _DUPLICATES, len(columns)))
    which, inverse = order[:, 0].unique(return_inverse=True)
    duplicates = near_duplicates(which, columns)[inverse]
    # a duplicate is marked by its index, and a row's own nearest column is none; the first that is left is the second
    left = (order[:, 1:, None] != duplicates[:, None]).all(2)
    others = order[:, 1:].gather(1, left.int().argmax(1, keepdim=True))[:, 0]
    return Nearest(_apart(rows, columns, order[:, 0]), _apart(rows, columns, others), order[:, 0])


def near_duplicates(which: Tensor, columns: Tensor) -> Tensor:
    """The near-duplicates of some columns among all, ``[K, 10]`` indices; places that none takes hold −1.

    Args:
        which: indices of the columns that are asked about, ``[K]``.
        columns: features of training samples, ``[M, …]``.
    """
    columns = columns.flatten(1)
    order = _order(columns[which], columns, min(2 + _DUPLICATES, len(columns)))
    # a column is the first of its own neighbours but where another is equal to it
    own = order == which[:, None]
    own[:, -1] |= ~own.any(1)
    order = order[~own].view(len(which), -1)
    apart = torch.stack([_apart(columns[which], columns, one) for one in order.unbind(1)], 1)
    closer = apart[:, :-1] < RATIO * apart[:, 1:]
    # the last gap counts: all neighbours before it are duplicates
    duplicate = closer.flip(1).cumsum(1).flip(1) > 0
    return torch.where(duplicate, order[:, :-1], -1)


def _order(rows: Tensor, columns: Tensor, count: int) -> Tensor:
    """The indices of each row's nearest columns, the nearest first, ``[N, count]``."""
    parts = cast(tuple[Tensor, ...], rows.split(max(1, _PAIRS // len(columns))))
    return torch.cat([_distances(part, columns).topk(count, largest=False).indices for part in parts])


def _distances(rows: Tensor, columns: Tensor) -> Tensor:
    """The distance of each row to each column, ``[N, M]`` float64, from some of their numbers at a time."""
    width = max(1, _PAIRS // max(len(rows), len(columns)))
    pieces = zip(rows.split(width, 1), columns.split(width, 1), strict=True)
    distances = (torch.cdist(one.double(), other.double()) for one, other in pieces)
    return reduce(torch.hypot, distances)


def _apart(rows: Tensor, columns: Tensor, which: Tensor) -> Tensor:
    """The distance of each row to the column that belongs to it, ``[N]`` float64.

    Products of matrices round: taken from the difference, the distance of a copy is exactly 0.
    """
    most = max(1, _PAIRS // rows.shape[1])
    pieces = zip(rows.split(most), which.split(most), strict=True)
    differences = (piece.double() - columns[one].double() for piece, one in pieces)
    return torch.cat([torch.linalg.vector_norm(each, dim=1) for each in differences])
