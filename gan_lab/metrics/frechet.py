"""The Fréchet distance between Gaussians fitted to two sets of features."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

_ROWS = 4096  # features converted to float64 at a time, to bound memory
_COLUMNS = 256  # columns of a scatter matrix computed at a time; the part below their diagonal block is copied


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean and scatter matrix of a set of features in float64: what a Fréchet distance needs, in O(d²) memory.

    The moments of two sets add up to those of their union (``a + b``), so a set can be processed in pieces. Each piece
    is centred by its own mean before products are summed (Chan et al. 1979), so no digits are lost where means are
    large and deviations small.

    Args:
        count: number of features.
        mean: ``[d]``.
        scatter: Σ (x − mean)(x − mean)ᵀ, ``[d, d]``.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Moments":
        """The moments of features ``[N, d]``, on their device.

        Raises:
            ValueError: if there are no features, or values that are not finite.
        """
        if features.ndim != 2 or len(features) == 0:
            raise ValueError(f"features have shape {list(features.shape)}: expected [N, d] with N of at least 1")
        total = None
        for rows in features.split(_ROWS):
            rows = rows.double()
            mean = rows.mean(0)
            centred = rows - mean
            piece = cls(len(rows), mean, _scatter(centred))
            total = piece if total is None else total + piece
        assert total is not None
        if not total.mean.isfinite().all():
            raise ValueError("features hold values that are not finite")
        return total

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        shift = other.mean - self.mean
        mean = self.mean + shift * (other.count / count)
        between = torch.outer(shift, shift) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance, ``[d, d]``.

        Raises:
            ValueError: for fewer than two features.
        """
        if self.count < 2:
            raise ValueError("a covariance takes at least 2 features")
        return self.scatter / (self.count - 1)

    @cached_property
    def root(self) -> Tensor:
        """The symmetric square root of the covariance: of real samples it is wanted in every evaluation."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _scatter(centred: Tensor) -> Tensor:
    """XᵀX, ``[d, d]``, of X ``[N, d]``."""
    width = centred.shape[1]
    scatter = centred.new_empty(width, width)
    for start in range(0, width, _COLUMNS):
        stop = start + _COLUMNS
        scatter[start:stop, start:] = centred[:, start:stop].T @ centred[:, start:]
        scatter[stop:, start:stop] = scatter[start:stop, stop:].T
    return scatter


def frechet_distance(first: Moments, second: Moments) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of the Gaussians.

    The trace of (Σ₁Σ₂)^½ is computed as the sum of the roots of the eigenvalues of Σ₁^½Σ₂Σ₁^½, which is symmetric. On
    Inception's features, and only on those, this is the FID.

    References:
        Dowson and Landau 1982, J. Multivariate Analysis 12; Heusel et al. 2017 (arXiv 1706.08500).
    """
    covariance, other = first.covariance, second.covariance
    cross = torch.linalg.eigvalsh(first.root @ other @ first.root).clamp(min=0).sqrt().sum()
    shift = (first.mean - second.mean).square().sum()
    distance = shift + covariance.trace() + other.trace() - 2 * cross
    return max(distance.item(), 0.0)  # rounding can give −1e-15 for equal sets


def frechet_distance_of_few(first: Tensor, second: Tensor) -> float:
    """`frechet_distance` of two sets of features, ``[N, d]`` and ``[M, d]``, quick where N and M are below d.

    With X and Y the centred features over √(N − 1) and √(M − 1), tr(Σ₁Σ₂)^½ is the sum of the singular values of XYᵀ.
    """
    sides = [features.double() for features in (first, second)]
    centred = [(features - features.mean(0)) / (len(features) - 1) ** 0.5 for features in sides]
    cross = torch.linalg.svdvals(centred[0] @ centred[1].T).sum()
    shift = (sides[0].mean(0) - sides[1].mean(0)).square().sum()
    distance = shift + sum(features.square().sum() for features in centred) - 2 * cross
    return max(distance.item(), 0.0)
