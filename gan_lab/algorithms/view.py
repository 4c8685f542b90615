"""How the discriminator sees samples in one update."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from torch import Tensor

from gan_lab.augmentations import Augmentation
from gan_lab.augmentations.draws import Draws
from gan_lab.datasets.batch import Condition
from gan_lab.losses.judge import Augmented, Shown
from gan_lab.models.conditions import Conditions
from gan_lab.models.packing import pack, unpack


class View:
    """Samples as they are augmented in one update of a player, by random numbers of this update's own.

    The numbers follow from the seed, the player and how many updates it has made, so that a resumed run draws them
    again without having saved anything. There are three streams: one of what every loss shows the discriminator, one of
    what depends on the loss, so that runs which differ in their loss alone see equally augmented samples, and one that
    begins anew in every call, for samples that are compared.

    Args:
        augmentation: what is done to samples.
        packing: samples in a pack; each is augmented by itself.
        pairs: whether the discriminator judges samples beside their sources, which then move along.
        seed: of the run's noise.
        update: the player, and how many updates it has made.
    """

    def __init__(self, augmentation: Augmentation, packing: int, pairs: bool, seed: int, update: str) -> None:
        self.augmentation = augmentation
        self.packing = packing
        self.pairs = pairs
        self.seed = seed
        self.update = update

    @cached_property
    def draws(self) -> Draws:
        """The random numbers of what every loss shows."""
        return self._draws("samples")

    @cached_property
    def of_loss(self) -> Draws:
        """The random numbers of what depends on the loss."""
        return self._draws("loss")

    def __call__(self, packs: Tensor, asked: Conditions, second: bool = False) -> tuple[Tensor, Condition]:
        """Packs ``[B, …]`` and what they were asked to be, as the discriminator sees them.

        Args:
            packs: of samples.
            asked: their labels and sources.
            second: whether the random numbers are of the second stream.
        """
        given = {"labels": asked.labels, "source": asked.source}
        shown, given = self._augmented(packs, given, lambda: self.of_loss if second else self.draws)
        return shown, Condition(**given)

    @property
    def to_loss(self) -> Augmented:
        """How penalties and terms augment samples: in the second stream, or in a third one what they compare."""
        return Augmented(
            lambda packs, given: self._augmented(packs, given, lambda: self.of_loss),
            lambda packs, given: self._augmented(packs, given, lambda: self._draws("alike")),
        )

    def _augmented(self, packs: Tensor, given: dict[str, Any], drawing: Callable[[], Draws]) -> Shown:
        if not self.augmentation.changes_samples:
            return packs, given
        draws = drawing()
        source = given.get("source")
        if self.pairs and source is not None:
            samples, source = self.augmentation.pairs(packs, source, draws)
            return samples, given | {"source": source}
        return pack(self.augmentation(unpack(packs, self.packing), draws), self.packing), given

    def _draws(self, stream: str) -> Draws:
        return Draws(self.seed, f"augmentation/{self.update}/{stream}")
