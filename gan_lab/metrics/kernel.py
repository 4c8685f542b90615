"""The kernel distance: the squared maximum mean discrepancy (MMD²) with a cubic kernel."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """The unbiased estimate of MMD² between two sets of features, ``[m, d]`` and ``[n, d]``, in float64.

    The kernel is (x·y / d + 1)³. For sets from one distribution the expectation is 0, so the value may be negative.

    References:
        Bińkowski et al. 2018, Demystifying MMD GANs, §4 (arXiv 1801.01401); Gretton et al. 2012, JMLR 13, lemma 6.
    """
    first, second = first.double(), second.double()
    return (_within(first) + _within(second) - 2 * _cubic(first, second).mean()).item()


def kernel_distance(
    real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000, known: "RealSubsets | None" = None
) -> float:
    """The mean of `squared_mmd` over random pairs of subsets; on Inception's features, the KID.

    The subsets are those that torch-fidelity draws, so the two values agree to rounding.

    Args:
        real: ``[N, d]``.
        fake: ``[M, d]``.
        subsets: number of pairs of subsets.
        subset_size: number of features in a subset.
        known: `RealSubsets` of the same reals and numbers, if they are known already.

    Raises:
        ValueError: if a set is smaller than a subset.
    """
    if min(len(real), len(fake)) < subset_size:
        raise ValueError(
            f"kid_subset_size={subset_size}: expected at most as many as there are samples, "
            f"{len(real)} real and {len(fake)} generated"
        )
    known = RealSubsets.of(real, len(fake), subsets, subset_size) if known is None else known
    real, fake = real.double(), fake.double()
    values = []
    for of_real, of_fake, within in zip(known.chosen, known.chosen_fakes, known.within, strict=True):
        first, second = real[of_real], fake[of_fake]
        values.append((within + _within(second) - 2 * _cubic(first, second).mean()).item())
    return float(np.mean(values))


@dataclass(frozen=True, eq=False)
class RealSubsets:
    """The subsets of a kernel distance and its sums over real ones alone: the same for all sets of so many fakes.

    Args:
        chosen: the reals of each subset, indices ``[subsets, size]``.
        chosen_fakes: the same of the fakes.
        within: the mean kernel of two different reals of each subset, ``[subsets]`` float64.
    """

    chosen: Tensor
    chosen_fakes: Tensor
    within: Tensor

    @classmethod
    def of(cls, real: Tensor, fakes: int, subsets: int, size: int) -> "RealSubsets":
        """Those of reals ``[N, d]`` and so many fakes."""
        draw = np.random.RandomState(2020)  # torch-fidelity's default seed
        drawn = [[draw.choice(count, size, replace=False) for count in (len(real), fakes)] for _ in range(subsets)]
        of_real, of_fake = torch.from_numpy(np.array(drawn)).to(real.device).unbind(1)
        real = real.double()
        return cls(of_real, of_fake, torch.stack([_within(real[rows]) for rows in of_real]))


def _within(features: Tensor) -> Tensor:
    """The mean kernel of two different features of a set."""
    kernel, size = _cubic(features, features), len(features)
    return (kernel.sum() - kernel.trace()) / (size * (size - 1))


def _cubic(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T).div_(first.shape[1]).add_(1).pow_(3)
