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

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Latents ``[count, dim]`` on the generator's device."""
        shape = (count, self.dim)
        if self.kind == "normal":
            return torch.randn(shape, generator=generator, device=generator.device)
        return torch.rand(shape, generator=generator, device=generator.device) * 2 - 1
