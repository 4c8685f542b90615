"""Adaptive discriminator augmentation (Karras et al. 2020, arXiv 2006.06676)."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from gan_lab.augmentations.augmentation import Augmentation, Operation, of_sample
from gan_lab.augmentations.colour import CHANNELS, recolour
from gan_lab.augmentations.disturbance import add_noise, amplify, cut
from gan_lab.augmentations.draws import Draws
from gan_lab.augmentations.geometry import move
from gan_lab.augmentations.probability import Probability
from gan_lab.validation import is_names, typed

GROUPS = ("blit", "geometry", "colour", "filter", "noise", "cutout")
"""Groups of operations, in the order in which they are applied."""


class ADA(Augmentation):
    """Many operations, each with probability p, which follows how far the discriminator overfits (`Probability`).

    | group | operations |
    | --- | --- |
    | blit | mirror (½), turn by a multiple of 90°, move by whole pixels up to 0.125 of a side |
    | geometry | scale 2^N(0, 0.2²); turn by any angle, stretch 2^N(0, 0.2²), turn; move N(0, 0.125²) of a side |
    | colour | brightness + N(0, 0.2²), contrast 2^N(0, 0.5²), inverted luma (½), hue, saturation 2^N(0, 1) |
    | filter | each of four frequency bands times 2^N(0, 1) |
    | noise | noise of standard deviation \\|N(0, 0.1²)\\| |
    | cutout | a box of half a side is zero |

    Each of the two turns has probability 1 − √(1 − p), so that one of them at least has p. The first three groups, the
    default, are the paper's "bgc". Operations that are reversible as long as p is below 1 do not leak: the generator
    learns pictures that are not transformed. In practice p should stay below 0.8 (§2.2 of the paper).

    Args:
        groups: some of the above.
        p, schedule, target, speed, every, most, updates: see `Probability`.

    Raises:
        ValueError: for settings that cannot be.
    """

    adapts: ClassVar[bool] = True

    def __init__(
        self,
        groups: Sequence[str] = ("blit", "geometry", "colour"),
        p: float | None = None,
        schedule: str = "constant",
        target: float = 0.6,
        speed: float = 500.0,
        every: int = 4,
        most: float = 0.8,
        updates: int = 1,
    ) -> None:
        super().__init__()
        if not is_names(groups) or not set(groups) <= {*GROUPS} or len(set(groups)) < len(groups):
            raise ValueError(
                f"ADA.groups={typed(groups)}: expected a list of some of {', '.join(GROUPS)}, each once at most"
            )
        self.groups = tuple(group for group in GROUPS if group in groups)
        self.probability = Probability("ADA", p, schedule, target, speed, every, most, updates)

    def check(self, sample_shape: tuple[int, ...]) -> None:
        channels, *sides = sample_shape
        if "colour" in self.groups and channels not in CHANNELS:
            raise ValueError(
                f"ADA.groups={typed(list(self.groups))}: expected no colour with samples of {channels} channels"
            )
        if min(sides) < 2:
            raise ValueError(f"ADA: expected samples of at least 2 pixels on either side, not {sides}")

    def operations(self) -> Sequence[Operation]:
        known = {"colour": self._recolour, "filter": self._amplify, "noise": self._add_noise, "cutout": self._cut}
        moves = [self._move] if {"blit", "geometry"} & {*self.groups} else []
        return [*moves, *(known[group] for group in self.groups if group in known)]

    def observe(self, real: Tensor, fake: Tensor, undecided: float | None, samples: int) -> dict[str, Tensor]:
        return self.probability.observe(real, fake, undecided, samples)

    @property
    def _p(self) -> Tensor:
        return self.probability.p

    def _move(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        return move(images, draws, self._p, "blit" in self.groups, "geometry" in self.groups)

    def _recolour(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        return of_sample(lambda samples: recolour(samples, draws, self._p), images, channels)

    def _amplify(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        return of_sample(lambda samples: amplify(samples, draws, self._p), images, channels)

    def _add_noise(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        return of_sample(lambda samples: add_noise(samples, draws, self._p), images, channels)

    def _cut(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        return cut(images, draws, self._p)
