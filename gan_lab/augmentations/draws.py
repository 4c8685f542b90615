"""Random numbers of a batch, one row a sample."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lab.distributed.collectives import own_part, process_count


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws random numbers for the samples of a batch; in several processes each gets its part of what one would draw.

    They are drawn in float32, so that they do not depend on the precision of the samples.

    Args:
        random: a generator on the samples' device; None for PyTorch's global one, from which penalties draw.
    """

    random: torch.Generator | None = None

    def uniform(self, samples: Tensor, *shape: int) -> Tensor:
        """Numbers ~ U(0, 1), ``[B, *shape]``, of the samples' type and device; B is the number of samples."""
        return self._drawn(torch.rand, samples, shape)

    def normal(self, samples: Tensor, *shape: int) -> Tensor:
        """Numbers ~ N(0, 1), ``[B, *shape]``; otherwise as `uniform`."""
        return self._drawn(torch.randn, samples, shape)

    def whole(self, samples: Tensor, low: int, high: int) -> Tensor:
        """Whole numbers from ``low`` to ``high``, both possible, ``[B]`` int64."""
        size = (len(samples) * process_count(),)
        return own_part(torch.randint(low, high + 1, size, generator=self.random, device=samples.device))

    def chosen(self, samples: Tensor, p: float | Tensor) -> Tensor:
        """For which samples something with probability p happens, ``[B]`` bool: none if p is 0, all if it is 1."""
        return self.uniform(samples) < p

    def _drawn(self, kind: Callable[..., Tensor], samples: Tensor, shape: tuple[int, ...]) -> Tensor:
        size = (len(samples) * process_count(), *shape)
        return own_part(kind(size, generator=self.random, device=samples.device)).to(samples.dtype)


def each(values: Tensor) -> Tensor:
    """Numbers ``[B]`` as ``[B, 1, 1, 1]``, to combine them with images."""
    return values[:, None, None, None]
