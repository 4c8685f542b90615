"""How many modes of a known mixture a generator reaches, how well, and how evenly."""

import math

import torch
from torch import Tensor

_NEAR = 3  # standard deviations from its mode at which a sample is still of high quality


def mode_coverage(samples: Tensor, modes: Tensor, std: float) -> dict[str, float]:
    """The scores of VEEGAN and PacGAN for mixtures of Gaussians.

    A sample is of high quality if it lies within three standard deviations of its nearest mode, and is then assigned
    to it.

    Args:
        samples: generated points, ``[N, D]``.
        modes: centres of the mixture's components, ``[K, D]``.
        std: standard deviation of each component.

    Returns:
        ``modes``: modes with at least one high-quality sample; ``high_quality``: the share of such samples;
        ``reverse_kl``: KL(shares of the modes among them ‖ uniform) in nats, ln K if there are none.

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
    """What a perfect sampler of the mixture scores in expectation: `mode_coverage` of ``samples`` of its own points.

    High quality is P(χ²_D ≤ 9), 1 − e^−4.5 in the plane. The reverse KL is that of a uniform multinomial sample, whose
    2N·KL is χ² with K − 1 degrees of freedom: (K − 1)/(2N).
    """
    within = torch.special.gammainc(torch.tensor(dimensions / 2).double(), torch.tensor(_NEAR**2 / 2).double()).item()
    return {"modes": float(modes), "high_quality": within, "reverse_kl": (modes - 1) / (2 * samples * within)}


def class_ceiling(classes: int, samples: int) -> dict[str, float]:
    """What a perfect sampler scores on ``classes`` equally likely classes: those it reaches, and its KL to uniform."""
    return {
        "modes": classes * -math.expm1(samples * math.log1p(-1 / classes)),
        "reverse_kl": (classes - 1) / 2 / samples,
    }
