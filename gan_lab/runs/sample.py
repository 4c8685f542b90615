"""Samples from a run's generator, and their files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_lab.datasets.batch import Request
from gan_lab.errors import ConfigError
from gan_lab.metrics.evaluator import generate
from gan_lab.models.conditions import takes_labels, takes_source
from gan_lab.runs.checkpoints import load_checkpoint, load_generator
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import latent_prior, paths
from gan_lab.runs.truncation import with_truncation
from gan_lab.seeds import derive
from gan_lab.storage.files import replacing
from gan_lab.storage.pictures import draw_grid, draw_points, save_animation, save_picture
from gan_lab.validation import is_whole

_BATCH = 64


class Samples(NamedTuple):
    """Generated samples.

    Args:
        values: uint8 pixels ``[N, C, H, W]`` or points ``[N, D]``.
        labels: the class that each was asked to be of, ``[N]`` int64; None of a generator without labels.
    """

    values: Tensor
    labels: Tensor | None


def sample(
    folder: RunFolder,
    count: int,
    interpolate: int = 0,
    weights: str = "auto",
    seed: int = 0,
    allowed_targets: Sequence[str] = (),
    labels: Sequence[int] | None = None,
    truncation: float | None = None,
) -> Samples:
    """N samples: N is count, or count × interpolate along as many paths.

    The first samples of a seed do not depend on how many are drawn: the generator gets them in batches of one size, as
    its last digits may depend on that.

    Args:
        folder: the run.
        count: number of samples or paths.
        interpolate: steps of a path; 0 for single samples.
        weights: as of `load_generator`.
        seed: of the latents.
        allowed_targets: as of `load_generator`.
        labels: the classes of the samples, or paths, one after the other and again from the beginning; None asks for
            all classes in turn. Generators without labels take None alone.
        truncation: as of `gan_lab.runs.truncation.with_truncation`; None for none.

    Raises:
        ConfigError: for labels or a truncation that the generator cannot be given, or one that translates pictures.
    """
    config = folder.configuration.read()
    latents = latent_prior(config).first(_whole(2 * count if interpolate else count), derive(seed, "sample"))
    if interpolate:
        latents = paths(latents[0::2], latents[1::2], interpolate, config.latent_prior)
    wanted = count * max(1, interpolate)
    latents = latents[: _whole(wanted)]
    generator = load_generator(folder, weights, allowed_targets)
    if takes_source(generator):
        raise ConfigError(
            f"run={folder.path}: its generator translates pictures; expected gan-lab-translate run=RUN in=FOLDER "
            "out=FOLDER, or Run.translate"
        )
    classes = _classes(config, folder, generator, labels)
    if truncation is not None:
        generator = with_truncation(folder, config, generator, truncation, classes)
    if classes is not None:
        classes = classes[torch.arange(len(latents)) // max(1, interpolate) % len(classes)]
    values = torch.cat([generate(generator, part) for part in Request(latents, classes).split(_BATCH)])
    return Samples(values[:wanted], None if classes is None else classes[:wanted])


def _classes(
    config: DictConfig, folder: RunFolder, generator: torch.nn.Module, labels: Sequence[int] | None
) -> Tensor | None:
    """The classes to ask for in turn, or None of a generator that takes none."""
    if not takes_labels(generator):
        if labels is not None:
            raise ConfigError(f"class={_listed(labels)}: the run's generator takes no labels; expected none")
        return None
    counts = load_checkpoint(folder.last_checkpoint).get("class_counts") or []
    known = [label for label, count in enumerate(counts) if count]
    if not known:
        raise ConfigError(f"{folder.last_checkpoint}: it lacks the number of classes; expected a newer checkpoint")
    if labels is None:
        return torch.tensor(known)
    if not labels or not all(is_whole(label) and label in known for label in labels):
        gaps = "" if len(known) == len(counts) else ", of which there were samples to train on"
        such = f"such as {known[min(3, len(known) - 1)]} or [{','.join(map(str, known[:2]))}]"
        raise ConfigError(f"class={_listed(labels)}: expected classes from 0 to {len(counts) - 1}{gaps}, {such}")
    return torch.tensor(labels)


def _listed(labels: Sequence[int]) -> str:
    return str(labels[0]) if len(labels) == 1 else f"[{','.join(map(str, labels))}]"


def _whole(count: int) -> int:
    """The number of samples in the whole batches that so many need."""
    return -(-count // _BATCH) * _BATCH


def write(samples: Samples, out: Path, columns: int | None) -> None:
    """One picture of all for ``.png`` and ``.jpg``, an animation for ``.gif``, the array ``samples`` for ``.npz``.

    With labels a picture has a row for each class, and the archive an array ``labels``. Without a suffix it is a folder
    of single PNGs. The animation shows all paths side by side, there and back.

    Raises:
        ConfigError: for single PNGs of samples that are not images, or if the place cannot be written.
    """
    try:
        _write(samples, out, columns)
    except OSError as error:
        raise ConfigError(f"out={out}: it cannot be written: {error.strerror}") from error


def _write(made: Samples, out: Path, columns: int | None) -> None:
    samples, labels = made
    images, kind = samples.ndim == 4, out.suffix.lower()
    if kind in (".png", ".jpg", ".jpeg"):
        if images and columns is None and labels is not None:
            samples, columns = _class_per_row(samples, labels)
        save_picture(out, draw_grid(samples, columns) if images else draw_points(samples))
    elif kind == ".gif":
        assert columns is not None  # the command asks for it
        steps = samples.unflatten(0, (-1, columns)).unbind(1)
        extent = None if images else samples.abs().max().item()
        frames = [draw_grid(step) if images else draw_points(step, extent=extent) for step in steps]
        save_animation(out, [*frames, *frames[-2:0:-1]])
    elif kind == ".npz":
        with replacing(out) as file:
            arrays: dict[str, Any] = {"samples": (samples.permute(0, 2, 3, 1) if images else samples).numpy()}
            np.savez_compressed(file, **arrays | ({} if labels is None else {"labels": labels.numpy()}))
    elif images:
        for number, image in enumerate(samples):
            save_picture(out / f"{number:06d}.png", image.permute(1, 2, 0).squeeze(-1).numpy())
    else:
        raise ConfigError(f"out={out}: points have no single pictures; expected NAME.png or NAME.npz")


def _class_per_row(images: Tensor, labels: Tensor) -> tuple[Tensor, int | None]:
    """Images in the order of a grid with a row for each class, white where a class has fewer, and its columns.

    One image of each class, or images of one class alone, stay as they are, for a grid about as wide as high.
    """
    classes, counts = labels.unique(return_counts=True)
    columns = int(counts.max())
    if len(classes) == 1 or columns == 1:
        return images, None
    grid = images.new_full((len(classes), columns, *images.shape[1:]), 255)
    for row, of_class in zip(grid, classes, strict=True):
        own = images[labels == of_class]
        row[: len(own)] = own
    return grid.flatten(0, 1), columns
