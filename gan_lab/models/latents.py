"""The prior of the latent."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prior:
    """The distribution of latents, independent in each dimension.

    Args:
        kind: ``normal`` for N(0, 1), ``uniform`` for U(−1, 1).
        dim: size of the latent.
    """

    kind: Literal["normal", "uniform"]
    dim: int

    def first(self, count: int, seed: int) -> Tensor:
        """The first latents of a seed, ``[count, dim]`` on the CPU; more of them begin with the same ones.

        PyTorch draws fewer than 16 numbers, and the rest of a number that is no multiple of 16, in another way.
        """
        whole = -(-count // 16) * 16
        return self.draw(whole, torch.Generator().manual_seed(seed))[:count]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents ``[count, dim]`` on the generator's device."""
        shape = (count, self.dim)
        if self.kind == "normal":
            return torch.randn(shape, generator=generator, device=generator.device)
        return torch.rand(shape, generator=generator, device=generator.device) * 2 - 1
