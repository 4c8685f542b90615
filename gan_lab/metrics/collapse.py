"""Signs of collapse, cheap enough to be looked at in every evaluation."""

from torch import Tensor

from gan_lab.metrics.neighbours import distances, neighbour_radii, precision_recall_density_coverage

LOOKED_AT = 1000  # samples: signs show in few
_NEIGHBOURS = 5
_NEXT_TO = 0.1  # of the median distance between nearest real neighbours: closer is a duplicate


def signals(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Variety and likeness of the first thousand generated features ``[N, d]`` beside as many real ones.

    Returns:
        ``diversity``: mean distance between two fakes over that between two reals; 1 for equal distributions, 0 for a
        generator that draws one sample. ``duplicates``: share of fakes that lie ten times closer to another fake than
        neighbours among the reals do (in the median); 1 for a generator that draws each sample twice. ``realistic``:
        precision with k = 5, the share of fakes among the reals.
    """
    count = min(LOOKED_AT, len(real), len(fake))
    real, fake = real[:count].double(), fake[:count].double()
    near = _NEXT_TO * neighbour_radii(real, 1).median()
    k = min(_NEIGHBOURS, count - 1)
    return {
        "diversity": (_mean_distance(fake) / _mean_distance(real)).item(),
        "duplicates": (neighbour_radii(fake, 1) < near).double().mean().item(),
        "realistic": precision_recall_density_coverage(real, fake, k)["precision"],
    }


def _mean_distance(features: Tensor) -> Tensor:
    around = features - features[0]  # exactly 0 where all are the same: squares of large numbers would cancel badly
    apart = distances(around, around)
    return (apart.sum() - apart.trace()) / (len(features) * (len(features) - 1))
