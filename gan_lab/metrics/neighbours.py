"""Fidelity and diversity from nearest neighbours: precision, recall, density and coverage."""

from typing import cast

import torch
from torch import Tensor

_PAIRS = 2**24  # distances in memory at a time: 128 MiB


def distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances ``[m, n]`` between float64 features ``[m, d]`` and ``[n, d]``."""
    squares = first.square().sum(1)[:, None] + second.square().sum(1)
    return squares.addmm_(first, second.T, alpha=-2).clamp_(min=0).sqrt_()


def neighbour_radii(features: Tensor, k: int) -> Tensor:
    """The distance of each feature, ``[N, d]``, to its k-th nearest other feature; ``[N]`` float64.

    Raises:
        ValueError: if there are not more than ``k`` features.
    """
    if len(features) <= k:
        raise ValueError(f"k={k}: expected fewer neighbours than samples, of which there are {len(features)}")
    features = features.double()
    # the nearest feature is the feature itself, so the k-th other is the one at index k
    return torch.cat(
        [distances(rows, features).topk(k + 1, largest=False).values[:, k] for rows in _chunks(features, len(features))]
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
    precise = pairs = 0
    for rows, radii in zip(_chunks(fake, len(real)), _chunks(fake_radii, len(real)), strict=True):
        apart = distances(rows, real)  # [rows, N]
        in_real_balls = apart < real_radii
        precise += int(in_real_balls.any(1).sum())
        pairs += int(in_real_balls.sum())
        covered |= in_real_balls.any(0)
        recalled |= (apart < radii[:, None]).any(0)
    return {
        "precision": precise / len(fake),
        "recall": recalled.double().mean().item(),
        "density": pairs / (k * len(fake)),
        "coverage": covered.double().mean().item(),
    }


def _chunks(rows: Tensor, columns: int) -> tuple[Tensor, ...]:
    return cast(tuple[Tensor, ...], rows.split(max(1, _PAIRS // columns)))
