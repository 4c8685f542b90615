"""Signals of collapse, cheap enough to be computed in every evaluation."""

from torch import Tensor

from gan_lab.metrics.neighbours import fakes_in_balls, mean_distance, neighbour_radii

_MOST_SAMPLES = 1000  # the signals show in few samples
_NEIGHBOURS = 5
_DUPLICATE = 0.1  # of the median distance between a real sample and its nearest real neighbour
_CROWD = 5  # times as many fakes as a ball holds of real data: more of them count no more


def signals(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Diversity and realism of generated samples, from the first 1000 features of either set, ``[N, d]``.

    Returns:
        ``diversity``: mean distance between two fakes over that between two reals; 1 for equal distributions, 0 if all
        fakes are the same. ``duplicates``: share of fakes that lie closer to another fake than a tenth of the median
        distance of reals to their nearest neighbours; 1 if every sample is drawn twice. ``realistic``: how many fakes
        lie among the reals, from 0 to 1: the density of Naeem et al. 2020 (arXiv 2002.09797) with k = 5, to which no
        real sample's ball adds more than five times its share. A few balls that are far too large, of outliers, can
        hold all fakes, whatever these are; so precision would say nothing.
    """
    count = min(_MOST_SAMPLES, len(real), len(fake))
    real, fake = real[:count], fake[:count]
    near = _DUPLICATE * neighbour_radii(real, 1).median()
    k = min(_NEIGHBOURS, count - 1)
    crowds = fakes_in_balls(real, fake, k).clamp(max=_CROWD * k)
    return {
        "diversity": mean_distance(fake) / mean_distance(real),
        "duplicates": (neighbour_radii(fake, 1) < near).double().mean().item(),
        "realistic": min(1.0, crowds.sum().item() / (k * count)),
    }
