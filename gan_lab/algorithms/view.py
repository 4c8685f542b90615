"""How the discriminator sees samples in one update."""

from typing import Any

import torch
from torch import Tensor

from gan_lab.augmentations import Augmentation
from gan_lab.augmentations.draws import Draws
from gan_lab.datasets.batch import Condition
from gan_lab.losses.judge import Shown
from gan_lab.models.conditions import Conditions
from gan_lab.models.packing import pack, unpack
from gan_lab.seeds import derive


class View:
    """Samples as they are augmented in one update of a player, by random numbers of this update's own.

    The numbers follow from the seed, the player and how many updates it has made, so that a resumed run draws them
    again without having saved anything. There are two streams: one of what every loss shows the discriminator, and one
    of what depends on the loss, so that runs which differ in their loss alone see equally augmented samples.

    Args:
        augmentation: what is done to samples.
        packing: samples in a pack; each is augmented by itself.
        pairs: whether the discriminator judges samples beside their sources, which then move along.
        seed: of this update.
        device: of the samples.
    """

    def __init__(self, augmentation: Augmentation, packing: int, pairs: bool, seed: int, device: torch.device) -> None:
        self.augmentation = augmentation
        self.packing = packing
        self.pairs = pairs
        self.seed = seed
        self.device = device
        self.draws = self._draws("samples")
        self.of_loss = self._draws("loss")

    def __call__(self, packs: Tensor, asked: Conditions, draws: Draws | None = None) -> tuple[Tensor, Condition]:
        """Packs ``[B, …]`` and what they were asked to be, as the discriminator sees them.

        Args:
            packs: of samples.
            asked: their labels and sources.
            draws: the random numbers; by default the next of what every loss shows.
        """
        given = {"labels": asked.labels, "source": asked.source}
        shown, given = self._augmented(packs, given, draws or self.draws)
        return shown, Condition(**given)

    def to_penalties(self, packs: Tensor, given: dict[str, Any]) -> Shown:
        """The same for penalties and terms, in the second stream: new random numbers in every call."""
        return self._augmented(packs, given, self.of_loss)

    def alike(self, packs: Tensor, given: dict[str, Any]) -> Shown:
        """The same with the same random numbers in every call, so that what is compared is transformed alike."""
        return self._augmented(packs, given, self._draws("alike"))

    def _augmented(self, packs: Tensor, given: dict[str, Any], draws: Draws) -> Shown:
        if not self.augmentation.changes_samples:
            return packs, given
        source = given.get("source")
        if self.pairs and source is not None:
            samples, source = self.augmentation.pairs(packs, source, draws)
            return samples, given | {"source": source}
        return pack(self.augmentation(unpack(packs, self.packing), draws), self.packing), given

    def _draws(self, stream: str) -> Draws:
        return Draws(torch.Generator(self.device).manual_seed(derive(self.seed, stream)))
