"""The prior of the latent, and its truncation."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import takes_labels


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


@contextmanager
def drawn_alike(latents: Tensor) -> Iterator[None]:
    """Inside, PyTorch's global random numbers follow from the latents ``[B, dim]``; outside they are as they were.

    A user's generator may draw numbers besides. So its samples are a function of what it is asked for.
    """
    seed = zlib.crc32(latents.detach().float().cpu().numpy().tobytes())
    with torch.random.fork_rng([latents.device] if latents.is_cuda else []):
        torch.default_generator.manual_seed(seed)
        if latents.is_cuda:
            with torch.cuda.device(latents.device):
                torch.cuda.manual_seed(seed)
        yield


def truncated(latents: Tensor, bound: float) -> Tensor:
    """Normal latents, moved so that each number is distributed as if it were drawn again until it is within ±bound.

    Each number keeps its rank, u = Φ(z), among those allowed: Φ⁻¹(Φ(−τ) + u (Φ(τ) − Φ(−τ))). So a latent moves
    gradually as the bound τ changes, where drawing again would replace it.

    Args:
        latents: of the prior N(0, 1), of any shape.
        bound: τ, above 0.

    References:
        Brock, Donahue and Simonyan 2019, Large Scale GAN Training (arXiv 1809.11096), §3.1.
    """
    low = torch.special.ndtr(torch.tensor(-bound, dtype=torch.float64, device=latents.device))
    ranks = low + torch.special.ndtr(latents.double()) * (1 - 2 * low)
    return torch.special.ndtri(ranks).clamp(-bound, bound).to(latents.dtype)


class OfTruncatedLatents(nn.Module):
    """A generator that is given `truncated` latents: fewer failures, less variety.

    Args:
        generator: maps latents of the normal prior to samples.
        bound: of `truncated`.
    """

    def __init__(self, generator: nn.Module, bound: float) -> None:
        super().__init__()
        self.generator = generator
        self.bound = bound
        self.uses_labels = takes_labels(generator)
        self.training = generator.training

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """As the generator's."""
        given = {"labels": labels} if self.uses_labels else {}
        samples: Tensor = self.generator(truncated(latents, self.bound), **given)
        return samples
