"""What generators are always asked for: latents of a seed, with labels and sources."""

from collections.abc import Sequence

import torch
from omegaconf import DictConfig

from gan_lab.datasets import Request
from gan_lab.datasets.dataset import to_model_range
from gan_lab.models.latents import Prior
from gan_lab.seeds import derive

_BATCHES = 100  # of 64 requests, from which a moving average has its statistics


def latent_prior(config: DictConfig) -> Prior:
    """The configured prior of the latents."""
    return Prior(config.latent_prior, config.latent_dim)


def fixed_request(
    config: DictConfig,
    purpose: str,
    count: int,
    labels: torch.Tensor | None = None,
    sources: torch.Tensor | None = None,
) -> Request:
    """What the generator is always asked for a purpose: latents that are a function of seed and prior, on every device.

    Args:
        config: the configuration.
        purpose: as in `gan_lab.seeds.derive`.
        count: number of samples.
        labels: classes to ask for, ``[N]``, one after the other and again from the beginning; or None.
        sources: images to translate, ``[M, C, H, W]`` uint8, in the same way; or None.
    """
    classes = None if labels is None else labels[torch.arange(count) % len(labels)]
    images = None if sources is None else to_model_range(sources[torch.arange(count) % len(sources)])
    return Request(latent_prior(config).first(count, derive(config.seed, purpose)), classes, images)


def paths(start: torch.Tensor, end: torch.Tensor, steps: int, prior: str) -> torch.Tensor:
    """Latents from ``start`` to ``end``, ``[count × steps, latent_dim]``.

    Straight lines for the uniform prior. A straight line between two normal latents passes close to the origin, where
    the prior has next to no mass in many dimensions; so these go along the great circle (White 2016, arXiv
    1609.04468).
    """
    t = torch.linspace(0, 1, steps)[None, :, None]
    start, end = start[:, None], end[:, None]
    if prior == "uniform":
        return torch.lerp(start, end, t).flatten(0, 1)
    cosine = torch.cosine_similarity(start, end, dim=-1).clamp(-1, 1)[..., None]
    angle = cosine.acos()
    circle = (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
    # no one circle goes through a latent and its opposite, and next to itself the line is as good
    return torch.where(angle.sin() < 1e-3, torch.lerp(start, end, t), circle).flatten(0, 1)


def statistics_requests(config: DictConfig, class_counts: Sequence[int] | None) -> list[Request]:
    """What a moving average of the generator is asked for, so that it gets statistics of its own: 100 batches of 64.

    Args:
        config: the configuration.
        class_counts: number of training samples of each class, by which labels are drawn; None if there are no labels.
    """
    labels = None
    if class_counts is not None:
        generator = torch.Generator().manual_seed(derive(config.seed, "statistics/labels"))
        shares = torch.tensor(class_counts).double()
        labels = torch.multinomial(shares, 64 * _BATCHES, replacement=True, generator=generator)
    return fixed_request(config, "statistics", 64 * _BATCHES, labels).split(64)
