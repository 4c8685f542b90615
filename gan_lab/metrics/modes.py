"""How many modes of a known mixture a generator reaches, how precisely, and how evenly."""

import math

import torch
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

    The share of high-quality samples is P(χ²_D ≤ 9), in the plane 1 − e^−4.5. The reverse KL is that of N samples of
    K equally likely modes: 2N·KL follows χ² with K − 1 degrees of freedom, so its mean is (K − 1)/(2N).

    Args:
        modes: number of modes, K.
        dimensions: dimensions of a point, D.
        samples: number of samples drawn, of which N are of high quality.
    """
    within = torch.special.gammainc(torch.tensor(dimensions / 2).double(), torch.tensor(_NEAR**2 / 2).double()).item()
    return {"modes": float(modes), "high_quality": within, "reverse_kl": (modes - 1) / (2 * samples * within)}


def class_ceiling(classes: int, samples: int) -> dict[str, float]:
    """The expected scores of a perfect sampler of equally likely classes: classes reached, and KL to uniform in nats.

    Args:
        classes: number of classes.
        samples: number of samples drawn.
    """
    return {
        "modes": classes * -math.expm1(samples * math.log1p(-1 / classes)),
        "reverse_kl": (classes - 1) / 2 / samples,
    }
