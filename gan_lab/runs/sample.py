"""Samples from a run's generator, and their files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_lab.datasets.batch import Request
from gan_lab.errors import ConfigError
from gan_lab.metrics.evaluator import generate
from gan_lab.runs.checkpoints import load_generator
from gan_lab.runs.components import latent_prior
from gan_lab.runs.folder import RunFolder
from gan_lab.seeds import derive
from gan_lab.storage.files import replacing
from gan_lab.storage.pictures import draw_grid, draw_points, save_png


def sample(
    folder: RunFolder, count: int, interpolate: int, weights: str, seed: int, allowed_targets: Sequence[str] = ()
) -> Tensor:
    """uint8 ``[N, C, H, W]`` or points ``[N, D]``: N is count, or count × interpolate along as many paths."""
    config = folder.configuration.read()
    generator = torch.Generator().manual_seed(derive(seed, "sample"))
    ends = latent_prior(config).draw(2 * count if interpolate else count, generator)
    latents = _paths(ends[:count], ends[count:], interpolate, config.latent_prior) if interpolate else ends
    return generate(load_generator(folder, weights, allowed_targets), Request(latents))


def _paths(start: Tensor, end: Tensor, steps: int, prior: str) -> Tensor:
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


def write(samples: Tensor, out: Path, columns: int | None) -> None:
    """One picture of all for ``.png``, the array ``samples`` for ``.npz``, a folder of single PNGs for no suffix.

    Raises:
        ConfigError: for single PNGs of samples that are not images, or if the place cannot be written.
    """
    try:
        _write(samples, out, columns)
    except OSError as error:
        raise ConfigError(f"out={out}: it cannot be written: {error.strerror}") from error


def _write(samples: Tensor, out: Path, columns: int | None) -> None:
    images = samples.ndim == 4
    if out.suffix == ".png":
        save_png(out, draw_grid(samples, columns) if images else draw_points(samples))
    elif out.suffix == ".npz":
        with replacing(out) as file:
            np.savez_compressed(file, samples=samples.permute(0, 2, 3, 1).numpy() if images else samples.numpy())
    elif images:
        for number, image in enumerate(samples):
            save_png(out / f"{number:06d}.png", image.permute(1, 2, 0).squeeze(-1).numpy())
    else:
        raise ConfigError(f"out={out}: points have no single pictures; expected NAME.png or NAME.npz")
