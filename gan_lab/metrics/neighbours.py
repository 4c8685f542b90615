"""Fidelity and diversity from nearest neighbours: precision, recall, density and coverage.

Distances are compared with one another, and a set compared with itself, or with copies of its members, has many that
are equal. Products of matrices give squared distances quickly, and rounded; the few comparisons that the rounding could
decide are made again from differences of coordinates. So values depend neither on the order of the samples nor on a
shift of all features.
"""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor

_PAIRS = 2**20  # distances in memory at a time: 8 MiB, which a processor's cache holds
_ROUNDING = 1e-12  # of the sum of two squared norms: more than products of float64 are ever off by
_SPARE = 8  # further neighbours among which the k-th is looked for, as rounding may swap some


def neighbour_radii(features: Tensor, k: int) -> Tensor:
    """The distance of each feature, ``[N, d]``, to its k-th nearest other feature; ``[N]`` float64.

    Raises:
        ValueError: if there are not more than ``k`` features.
    """
    if len(features) <= k:
        raise ValueError(f"k={k}: expected fewer neighbours than samples, of which there are {len(features)}")
    features = features.double()
    radii = []
    for rows, squares, _ in _squared_distances(features, features):
        # the nearest feature is the feature itself, so the k-th other is the one at index k
        near = squares.topk(min(k + 1 + _SPARE, len(features)), largest=False).indices
        # so few rows at a time that their neighbours fit into a processor's cache
        some = max(1, _PAIRS // (near.shape[1] * rows.shape[1]))
        for row, found in zip(rows.split(some), near.split(some), strict=True):
            radii.append(_exact(row[:, None], features[found]).kthvalue(k + 1, dim=1).values)
    return torch.cat(radii).sqrt_()


def mean_distance(features: Tensor) -> float:
    """The mean distance between two features of a set, ``[N, d]``; exactly 0 if all are the same."""
    around = features.double() - features[0].double()
    total = sum(squares.sqrt_().sum().item() for _, squares, _ in _squared_distances(around, around, around[0]))
    return total / (len(features) * (len(features) - 1))


def fakes_in_balls(real: Tensor, fake: Tensor, k: int, radii: Tensor | None = None) -> Tensor:
    """How many fakes, ``[M, d]``, lie in the ball of each real, ``[N, d]``, as counted below; ``[N]`` int64.

    ``radii`` are `neighbour_radii` of the reals, if they are known already.
    """
    real, fake = real.double(), fake.double()
    radii = neighbour_radii(real, k) if radii is None else radii
    return sum(
        (_closer(rows, real, squares, doubt, radii).sum(0) for rows, squares, doubt in _squared_distances(fake, real)),
        start=torch.zeros(len(real), dtype=torch.long, device=real.device),
    )


def precision_recall_density_coverage(
    real: Tensor, fake: Tensor, k: int, real_radii: Tensor | None = None
) -> dict[str, float]:
    """How many generated samples are like real ones, and how much of the diversity of real samples they have.

    The ball of a feature reaches to its k-th nearest neighbour in its own set. Precision is the share of fakes that lie
    in the ball of a real; recall the share of reals that lie in the ball of a fake; density the mean number of reals'
    balls that a fake lies in, over k, which for equal distributions is 1 in expectation and can be higher; coverage the
    share of reals with a fake in their ball. Inequalities are strict, as in the authors' ``prdc``.

    Args:
        real: features ``[N, d]``.
        fake: features ``[M, d]``.
        k: number of the neighbour that a ball reaches to.
        real_radii: `neighbour_radii` of ``real``, if they are known already.

    Raises:
        ValueError: if a set has not more than ``k`` features.

    References:
        Kynkäänniemi et al. 2019 (arXiv 1904.06991); Naeem et al. 2020 (arXiv 2002.09797).
    """
    real, fake = real.double(), fake.double()
    real_radii = neighbour_radii(real, k) if real_radii is None else real_radii
    fake_radii = neighbour_radii(fake, k)
    recalled = torch.zeros(len(real), dtype=torch.bool, device=real.device)
    covered = torch.zeros_like(recalled)
    precise = pairs = start = 0
    for rows, squares, doubt in _squared_distances(fake, real):
        own_radii = fake_radii[start : start + len(rows), None]
        start += len(rows)
        in_real_balls = _closer(rows, real, squares, doubt, real_radii)
        precise += int(in_real_balls.any(1).sum())
        pairs += int(in_real_balls.sum())
        covered |= in_real_balls.any(0)
        recalled |= _closer(rows, real, squares, doubt, own_radii).any(0)
    return {
        "precision": precise / len(fake),
        "recall": recalled.double().mean().item(),
        "density": pairs / (k * len(fake)),
        "coverage": covered.double().mean().item(),
    }


def _squared_distances(
    first: Tensor, second: Tensor, middle: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For some rows of ``first`` at a time: they, their squared distances to ``second``, and what those may be off by.

    Norms are taken around a point in the middle, as squares of large numbers would leave nothing of their difference.
    """
    middle = second.mean(0) if middle is None else middle
    columns = second - middle
    column_squares = columns.square().sum(1)
    for rows in cast(tuple[Tensor, ...], first.split(max(1, _PAIRS // len(second)))):
        around = rows - middle
        sizes = around.square().sum(1)[:, None] + column_squares
        yield rows, torch.addmm(sizes, around, columns.T, alpha=-2).clamp_(min=0), sizes.mul_(_ROUNDING)


def _closer(rows: Tensor, columns: Tensor, squares: Tensor, doubt: Tensor, radii: Tensor) -> Tensor:
    """Whether rows and columns are closer than the radii, ``[rows, columns]``: exactly, where rounding leaves doubt."""
    beyond = squares - radii.square()
    found = beyond < 0
    unsure = (beyond.abs_() <= doubt).nonzero()
    radii = radii.expand(found.shape)
    for pairs in unsure.split(max(1, _PAIRS // rows.shape[1])):
        row, column = pairs.unbind(1)
        found[row, column] = _exact(rows[row], columns[column]).sqrt() < radii[row, column]
    return found


def _exact(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances from differences of coordinates, over the last dimension: equal where they are equal."""
    return (first - second).square_().sum(-1)
