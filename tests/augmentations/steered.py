"""Draws whose numbers a test chooses, in the order in which they are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_lab.augmentations.draws import Draws


@dataclass(frozen=True, eq=False)
class Steered(Draws):
    """Gives the numbers of ``queue``, each for every sample alike if it is one number.

    Args:
        queue: what the coming calls return: numbers, or tensors.
        asked: what was asked for, by name.
    """

    queue: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def _drawn(self, kind, samples: Tensor, shape: tuple[int, ...]) -> Tensor:
        self.asked.append((kind.__name__, *shape))
        return self._next(samples.new_empty(len(samples), *shape))

    def whole(self, samples: Tensor, low: int, high: int) -> Tensor:
        self.asked.append(("whole", low, high))
        return self._next(torch.empty(len(samples), dtype=torch.long))

    def _next(self, like: Tensor) -> Tensor:
        return torch.as_tensor(self.queue.pop(0), dtype=like.dtype).expand(like.shape).clone()


def steered(*numbers) -> Steered:
    return Steered(queue=list(numbers))


def images(count: int = 3, channels: int = 3, height: int = 4, width: int = 5, seed: int = 0) -> Tensor:
    """Images in [−1, 1], float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, height, width, generator=generator, dtype=torch.float64) * 2 - 1


def seeded(seed: int = 0) -> Draws:
    return Draws(seed)


def changed(before: Tensor, after: Tensor) -> Sequence[bool]:
    """Which samples of a batch differ in any bit."""
    return [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
