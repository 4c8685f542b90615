"""The kernel distance: the squared maximum mean discrepancy (MMD²) with a cubic kernel."""

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
    m, n = len(first), len(second)
    within_first, within_second = (
        (kernel.sum() - kernel.trace()) / (size * (size - 1))
        for kernel, size in ((_cubic(first, first), m), (_cubic(second, second), n))
    )
    return (within_first + within_second - 2 * _cubic(first, second).mean()).item()


def kernel_distance(real: Tensor, fake: Tensor, subsets: int = 100, subset_size: int = 1000) -> float:
    """The mean of `squared_mmd` over random pairs of subsets; on Inception's features, the KID.

    The subsets are those that torch-fidelity draws, so the two values agree to rounding.

    Args:
        real: ``[N, d]``.
        fake: ``[M, d]``.
        subsets: number of pairs of subsets.
        subset_size: number of features in a subset.

    Raises:
        ValueError: if a set is smaller than a subset.
    """
    if min(len(real), len(fake)) < subset_size:
        raise ValueError(
            f"kid_subset_size={subset_size}: expected at most as many as there are samples, "
            f"{len(real)} real and {len(fake)} generated"
        )
    draw = np.random.RandomState(2020)  # torch-fidelity's default seed
    values = []
    for _ in range(subsets):
        chosen = (torch.from_numpy(draw.choice(len(rows), subset_size, replace=False)) for rows in (real, fake))
        of_real, of_fake = (rows[index.to(rows.device)] for rows, index in zip((real, fake), chosen, strict=True))
        values.append(squared_mmd(of_real, of_fake))
    return float(np.mean(values))


def _cubic(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3
