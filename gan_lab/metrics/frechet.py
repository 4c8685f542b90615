"""The Fréchet distance between Gaussians fitted to two sets of features."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean ``[d]`` and unbiased covariance ``[d, d]`` of a set of features, in float64 on the CPU."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def fit(cls, features: Tensor) -> "Gaussian":
        """Fit to features ``[N, d]``.

        Raises:
            ValueError: for fewer than two rows, which have no covariance, or for values that are not finite.
        """
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(f"features have shape {list(features.shape)}: expected [N, d] with N of at least 2")
        features = features.to("cpu", torch.float64)
        if not features.isfinite().all():
            raise ValueError("features hold values that are not finite")
        return cls(features.mean(0), torch.cov(features.T).reshape(features.shape[1], features.shape[1]))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of the Gaussians.

    The trace of the root is the sum of the roots of the eigenvalues of Σ₁^½Σ₂Σ₁^½, which is symmetric. On Inception's
    features, and on those alone, this is the FID.

    References:
        Dowson and Landau 1982, J. Multivariate Analysis 12; Heusel et al. 2017 (arXiv 1706.08500).
    """
    values, vectors = torch.linalg.eigh(first.covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp(min=0).sqrt().sum()
    shift = (first.mean - second.mean).square().sum()
    distance = shift + first.covariance.trace() + second.covariance.trace() - 2 * cross
    return max(distance.item(), 0.0)  # rounding can leave −1e-15 for equal sets
