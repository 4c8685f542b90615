"""Signals of collapse, cheap enough to be computed in every evaluation."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from gan_lab.metrics.neighbours import fakes_in_balls, mean_distance, neighbour_radii

_MOST_SAMPLES = 1000  # the signals show in few samples
_NEIGHBOURS = 5
_DUPLICATE = 0.1  # of the median distance between a real sample and its nearest real neighbour
_CROWD = 5  # times as many fakes as a ball holds of real data: more of them count no more


def signals(
    real: Tensor, fake: Tensor, real_labels: Tensor | None = None, fake_labels: Tensor | None = None
) -> dict[str, float]:
    """Diversity and realism of generated samples, from the first 1000 features of either set.

    Args:
        real: features of real samples, ``[N, d]``.
        fake: features of generated samples, ``[M, d]``.
        real_labels: classes of the real samples, ``[N]``; None if they have none.
        fake_labels: classes that the generated samples were asked to be of, ``[M]``; None without labels.

    Returns:
        ``diversity``: mean distance between two fakes over that between two reals; 1 for equal distributions, 0 if all
        fakes are the same. ``duplicates``: share of fakes that lie closer to another fake than a tenth of the median
        distance of reals to their nearest neighbours; 1 if every sample is drawn twice. ``realistic``: how many fakes
        lie among the reals, from 0 to 1: the density of Naeem et al. 2020 (arXiv 2002.09797) with k = 5, to which no
        real sample's ball adds more than five times its share. A few balls that are far too large, of outliers, can
        hold all fakes, whatever these are; so precision would say nothing. With labels on both sides
        ``class_diversity``: the diversity within a class, averaged over the classes; 0 if every class has one sample.
    """
    return RealSigns.of(real, len(fake), real_labels).compare(fake, fake_labels)


@dataclass(frozen=True, eq=False)
class RealSigns:
    """What `signals` needs of real samples, which is computed once for many sets of generated ones.

    Args:
        features: of as many samples as are looked at, ``[N, d]``.
        labels: their classes, ``[N]``; None if they have none.
    """

    features: Tensor
    labels: Tensor | None

    @classmethod
    def of(cls, features: Tensor, fakes: int, labels: Tensor | None = None) -> "RealSigns":
        """Those of a comparison with so many generated samples."""
        count = min(_MOST_SAMPLES, len(features), fakes)
        return cls(features[:count], None if labels is None else labels[:count])

    @cached_property
    def _near(self) -> Tensor:
        radii = neighbour_radii(self.features, 1)
        if radii.median() == 0:  # most real samples have exact twins
            radii = neighbour_radii(self.features.unique(dim=0), 1)
        return _DUPLICATE * radii.median()

    @cached_property
    def _spread(self) -> float:
        return mean_distance(self.features)

    @cached_property
    def _k(self) -> int:
        return min(_NEIGHBOURS, len(self.features) - 1)

    @cached_property
    def _radii(self) -> Tensor:
        return neighbour_radii(self.features, self._k)

    def compare(self, fake: Tensor, fake_labels: Tensor | None = None) -> dict[str, float]:
        """The signals of the first of generated samples, see `signals`."""
        count, k = len(self.features), self._k
        fake = fake[:count]
        within = {}
        if self.labels is not None and fake_labels is not None:
            within = _within_classes(self.features, fake, self.labels, fake_labels[:count])
        crowds = fakes_in_balls(self.features, fake, k, self._radii).clamp(max=_CROWD * k)
        return {
            "diversity": mean_distance(fake) / self._spread,
            **within,
            "duplicates": (neighbour_radii(fake, 1) < self._near).double().mean().item(),
            "realistic": min(1.0, crowds.sum().item() / (k * count)),
        }


def _within_classes(real: Tensor, fake: Tensor, real_labels: Tensor, fake_labels: Tensor) -> dict[str, float]:
    """``class_diversity``, without classes whose real samples do not differ; nothing if no class is left."""
    ratios = []
    for of_class in real_labels.unique():
        reals = real[(real_labels == of_class).to(real.device)]
        fakes = fake[(fake_labels == of_class).to(fake.device)]
        if min(len(reals), len(fakes)) > 1 and (distance := mean_distance(reals)) > 0:
            ratios.append(mean_distance(fakes) / distance)
    return {"class_diversity": sum(ratios) / len(ratios)} if ratios else {}
