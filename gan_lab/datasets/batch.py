"""What training reads, and what a generator is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from gan_lab.distributed.collectives import own_part


class _Parts:
    """Tensors of the same first dimension; those that are None stay None."""

    def map(self, function: Callable[[Tensor], Tensor]) -> Self:
        """The same with ``function`` applied to every tensor."""
        return type(self)(*(None if tensor is None else function(tensor) for tensor in vars(self).values()))

    def split(self, size: int) -> list[Self]:
        """Consecutive parts of ``size`` samples; the last may be smaller."""
        if len(self) == size:
            return [self]
        return [self.map(lambda tensor, i=i: tensor[i : i + size]) for i in range(0, len(self), size)]  # type: ignore[misc]

    def tensors(self) -> list[Tensor]:
        """Those that are there, in order."""
        return [tensor for tensor in vars(self).values() if tensor is not None]

    def own_part(self) -> Self:
        """This process's part of what several processes share."""
        return self.map(own_part)

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))


@dataclass(frozen=True, eq=False)
class Condition(_Parts):
    """What samples are asked to be.

    Args:
        labels: the class of each, ``[B]`` int64, or None.
        source: the image that each translates, ``[B, …]``, or None.
    """

    labels: Tensor | None = None
    source: Tensor | None = None

    def followed_by(self, other: "Condition") -> "Condition":
        """Of real and generated samples one after the other."""
        pairs = (self.labels, other.labels), (self.source, other.source)
        return Condition(*(None if one is None or two is None else torch.cat([one, two]) for one, two in pairs))


@dataclass(frozen=True, eq=False)
class Batch(_Parts):
    """Real samples.

    Args:
        samples: ``[B, …]``, images in [−1, 1] or points; ``[B, 0]`` where an update does without them. Of a `Dataset`'s
            validation part they are as the dataset holds them: pixels, with a label for each channel where it has such.
        labels: the class of each sample, ``[B]`` int64; None if the dataset has none, or one for each channel.
        source: the image that each sample translates, ``[B, …]``, or None.
    """

    samples: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Draw:
    """The real samples of an iteration, fresh for each update of either player.

    Args:
        discriminator: of all its updates, one after the other.
        generator: of all its updates.
    """

    discriminator: Batch
    generator: Batch

    def map(self, function: Callable[[Tensor], Tensor]) -> "Draw":
        """The same with ``function`` applied to every tensor."""
        return Draw(self.discriminator.map(function), self.generator.map(function))

    def tensors(self) -> list[Tensor]:
        """All tensors, in order."""
        return self.discriminator.tensors() + self.generator.tensors()


@dataclass(frozen=True, eq=False)
class Request(_Parts):
    """What a generator is asked for. In eval mode its samples are a function of the request alone.

    Args:
        latents: ``[B, latent_dim]``.
        labels: the class that each sample is to be of, ``[B]`` int64, or None.
        source: the image that each sample is to translate, ``[B, …]``, or None.
    """

    latents: Tensor
    labels: Tensor | None = None
    source: Tensor | None = None


def one_per_sample(labels: Tensor | None) -> Tensor | None:
    """The labels if each sample has one, ``[N]``; None if there are none, or one for each channel (stacked_mnist)."""
    return labels if labels is not None and labels.ndim == 1 else None
