"""The prior of the latent."""

from typing import Literal

import torch
from torch import Tensor

Prior = Literal["normal", "uniform"]


def draw_latents(prior: Prior, count: int, latent_dim: int, generator: torch.Generator) -> Tensor:
    """Latents ``[count, latent_dim]`` on the generator's device: N(0, 1) for normal, U(−1, 1) for uniform."""
    shape = (count, latent_dim)
    if prior == "normal":
        return torch.randn(shape, generator=generator, device=generator.device)
    return torch.rand(shape, generator=generator, device=generator.device) * 2 - 1
