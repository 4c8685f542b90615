"""Random numbers of a batch, one row a sample."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gan_lab.distributed.collectives import own_part, process_count
from gan_lab.seeds import derive


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws random numbers for the samples of a batch; in several processes each gets its part of what one would draw.

    They are drawn in float32, so that they do not depend on the precision of the samples.

    Args:
        seed: of a random generator of their own; None for PyTorch's global one, from which penalties draw.
        purpose: what else the numbers follow from (`gan_lab.seeds.derive`).
    """

    seed: int | None = None
    purpose: str = ""
    _own: list[torch.Generator] = field(default_factory=list, init=False)

    def uniform(self, samples: Tensor, *shape: int) -> Tensor:
        """Numbers ~ U(0, 1), ``[B, *shape]``, of the samples' type and device; B is the number of samples."""
        return self._drawn(torch.rand, samples, shape)

    def normal(self, samples: Tensor, *shape: int) -> Tensor:
        """Numbers ~ N(0, 1), ``[B, *shape]``; otherwise as `uniform`."""
        return self._drawn(torch.randn, samples, shape)

    def whole(self, samples: Tensor, low: int, high: int) -> Tensor:
        """Whole numbers from ``low`` to ``high``, both possible, ``[B]`` int64."""
        size = (len(samples) * process_count(),)
        return own_part(torch.randint(low, high + 1, size, generator=self._generator(samples), device=samples.device))

    def chosen(self, samples: Tensor, p: float | Tensor) -> Tensor:
        """For which samples something with probability p happens, ``[B]`` bool: none if p is 0, all if it is 1."""
        return self.uniform(samples) < p

    def _drawn(self, kind: Callable[..., Tensor], samples: Tensor, shape: tuple[int, ...]) -> Tensor:
        size = (len(samples) * process_count(), *shape)
        drawn = kind(size, dtype=torch.float32, generator=self._generator(samples), device=samples.device)
        return own_part(drawn).to(samples.dtype)

    def _generator(self, samples: Tensor) -> torch.Generator | None:
        """The generator, on the samples' device; made at the first use, as most updates draw nothing."""
        if self.seed is None:
            return None
        if not self._own:
            self._own.append(torch.Generator(samples.device).manual_seed(derive(self.seed, self.purpose)))
        return self._own[0]


def each(values: Tensor) -> Tensor:
    """Numbers ``[B]`` as ``[B, 1, 1, 1]``, to combine them with images."""
    return values[:, None, None, None]
