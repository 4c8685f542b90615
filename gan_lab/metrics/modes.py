"""How many modes of a known mixture a generator reaches, how precisely, and how evenly."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_NEAR = 3  # standard deviations: the largest distance of a high-quality sample from its mode


def mode_coverage(samples: Tensor, modes: Tensor, std: float) -> dict[str, float]:
    """The scores of VEEGAN and PacGAN for mixtures of Gaussians.

    A sample within three standard deviations of its nearest mode is of high quality and counts for that mode.

    Args:
        samples: generated points, ``[N, D]``.
        modes: centres of the mixture's components, ``[K, D]``.
        std: standard deviation of each component.

    Returns:
        ``modes``: number of modes with at least one high-quality sample; ``high_quality``: share of high-quality
        samples; ``reverse_kl``: KL(shares of the modes among those samples ‖ uniform) in nats, ln K if there are none.

    References:
        Srivastava et al. 2017 (arXiv 1705.07761); Lin et al. 2018, PacGAN, §4.1 (arXiv 1712.04086).
    """
    apart, nearest = torch.cdist(samples.double(), modes.double()).min(1)
    good = nearest[apart <= _NEAR * std]
    counts = torch.bincount(good, minlength=len(modes)).double()
    shares = counts / counts.sum().clamp(min=1)
    entropy = -torch.special.xlogy(shares, shares).sum()
    return {
        "modes": float((counts > 0).sum()),
        "high_quality": len(good) / len(samples),
        "reverse_kl": math.log(len(modes)) - entropy.item(),
    }


def mixture_ceiling(modes: int, dimensions: int, samples: int) -> dict[str, float]:
    """The expected `mode_coverage` of a perfect sampler of the mixture.

    The share of high-quality samples is P(χ²_D ≤ 9), in the plane 1 − e^−4.5. A binomial number of samples thus falls
    on equally likely modes (`expected_divergence`).

    Args:
        modes: number of modes, K.
        dimensions: dimensions of a point, D.
        samples: number of samples drawn.
    """
    from scipy.stats import binom  # imported late: half a second

    within = torch.special.gammainc(torch.tensor(dimensions / 2).double(), torch.tensor(_NEAR**2 / 2).double()).item()
    likely = np.full(modes, 1 / modes)
    spread = 6 * math.sqrt(samples * within * (1 - within)) + 10
    good = np.arange(max(0, int(samples * within - spread)), min(samples, int(samples * within + spread)) + 1)
    divergences = [expected_divergence(likely, int(number)) if number else math.log(modes) for number in good]
    return {
        "modes": expected_number(likely * within, samples),
        "high_quality": within,
        "reverse_kl": float(binom.pmf(good, samples, within) @ divergences),
    }


def class_ceiling(shares: NDArray[np.float64], samples: int) -> dict[str, float]:
    """The expected scores of a perfect sampler of data: classes reached, and KL to the uniform distribution in nats.

    Args:
        shares: of the classes in the data, ``[K]``.
        samples: number of samples drawn.
    """
    return {"modes": expected_number(shares, samples), "reverse_kl": expected_divergence(shares, samples)}


def expected_number(shares: NDArray[np.float64], samples: int) -> float:
    """How many of some classes are expected among samples; each sample is of a class with the probability of shares."""
    return float(-np.expm1(samples * np.log1p(-np.minimum(shares, 1 - 1e-16))).sum())


def expected_divergence(shares: NDArray[np.float64], samples: int) -> float:
    """E KL(p̂ ‖ uniform) in nats, of the shares p̂ of K classes among samples, which are independent.

    The counts of a class are binomial, and the expectation of a sum is that of its terms, so it is exact. The formula
    (K − 1)/(2N) for equal shares is the first order only: it gives 0.50 for K = N = 1000, where 0.57 is right.

    Args:
        shares: probability of each class, ``[K]``, which sum to 1.
        samples: number of samples, N.
    """
    from scipy.stats import binom

    total = math.log(len(shares))
    for share, classes in zip(*np.unique(shares, return_counts=True), strict=True):
        # beyond twelve standard deviations nothing is left of the distribution
        spread = 12 * math.sqrt(samples * share * (1 - share)) + 40
        counts = np.arange(max(1, int(samples * share - spread)), min(samples, int(samples * share + spread)) + 1)
        parts = counts / samples
        total += int(classes) * float(binom.pmf(counts, samples, share) @ (parts * np.log(parts)))
    return total
