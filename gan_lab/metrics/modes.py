"""How many modes of a known mixture a generator reaches, how well, and how evenly."""

import torch
from torch import Tensor


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
    distances, nearest = torch.cdist(samples.double(), modes.double()).min(1)
    good = nearest[distances <= 3 * std]
    counts = torch.bincount(good, minlength=len(modes)).double()
    uniform = torch.tensor(float(len(modes)), dtype=torch.float64).log()
    shares = counts / counts.sum().clamp(min=1)
    entropy = -torch.special.xlogy(shares, shares).sum()
    return {
        "modes": float((counts > 0).sum()),
        "high_quality": len(good) / len(samples),
        "reverse_kl": (uniform - entropy).item(),
    }
