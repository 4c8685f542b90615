"""Signals of collapse, cheap enough to be computed in every evaluation."""

from torch import Tensor

from gan_lab.metrics.neighbours import distances, neighbour_radii, precision_recall_density_coverage

_MOST_SAMPLES = 1000  # the signals show in few samples
_NEIGHBOURS = 5
_DUPLICATE = 0.1  # of the median distance between a real sample and its nearest real neighbour


def signals(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Diversity and realism of generated samples, from the first 1000 features of either set, ``[N, d]``.

    Returns:
        ``diversity``: mean distance between two fakes over that between two reals; 1 for equal distributions, 0 if all
        fakes are the same. ``duplicates``: share of fakes that lie closer to another fake than a tenth of the median
        distance of reals to their nearest neighbours; 1 if every sample is drawn twice. ``realistic``: precision with
        k = 5, the share of fakes that lie among the reals.
    """
    count = min(_MOST_SAMPLES, len(real), len(fake))
    real, fake = real[:count].double(), fake[:count].double()
    near = _DUPLICATE * neighbour_radii(real, 1).median()
    k = min(_NEIGHBOURS, count - 1)
    return {
        "diversity": (_mean_distance(fake) / _mean_distance(real)).item(),
        "duplicates": (neighbour_radii(fake, 1) < near).double().mean().item(),
        "realistic": precision_recall_density_coverage(real, fake, k)["precision"],
    }


def _mean_distance(features: Tensor) -> Tensor:
    # differences to the first feature: exactly 0 if all are the same, where squares of large numbers would leave a rest
    around = features - features[0]
    apart = distances(around, around)
    return (apart.sum() - apart.trace()) / (len(features) * (len(features) - 1))
