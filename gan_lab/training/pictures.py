"""The pictures that a run draws, from its configuration and data."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import torch
from omegaconf import DictConfig

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks import Curves, Pictures, Stopwatch
from gan_lab.callbacks.views import Interpolations, Reconstructions, Samples, Translations, View
from gan_lab.datasets.batch import Batch, Request, one_per_sample
from gan_lab.datasets.dataset import Dataset
from gan_lab.runs.components import classes
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import fixed_request, paths
from gan_lab.training.copies import closest, looks_for_copies

_PATHS, _STEPS = 8, 8  # rows of the picture of interpolations, and samples in a row


def build_pictures(
    config: DictConfig,
    dataset: Dataset,
    module: Algorithm,
    examined: Request,
    folder: RunFolder | None,
    curves: Curves,
    stopwatch: Stopwatch,
) -> Pictures:
    """The callback that draws a run's pictures, translations where the dataset has sources.

    Args:
        config: the configuration.
        dataset: the samples.
        module: the algorithm.
        examined: what evaluations ask the generator for where they look for copies.
        folder: see `Pictures`.
        curves: see `Pictures`.
        stopwatch: see `Pictures`.
    """
    view = samples(config, dataset) if dataset.source is None else translations(config, dataset)
    others = latent_views(config, dataset) if module.inference is not None else {}
    if module.translates_back:
        others = {**others, "back": translations_back(config, dataset)}
    if looks_for_copies(config) and dataset.test.ndim == 4:
        others = {**others, "closest": closest(dataset, examined)}
    between = dataset.source is None and dataset.test.ndim == 4 and module.inference is None
    last = {"interpolations": interpolations(config, dataset)} if between else {}
    return Pictures(folder, view, others, last, config.pictures.every, curves, stopwatch)


def samples(config: DictConfig, dataset: Dataset) -> Samples:
    """Samples of a generator that translates nothing."""
    labels, columns = pictured_classes(config, dataset)
    count = config.pictures.samples if config.conditional == "none" else len(labels)
    return Samples(fixed_request(config, "samples", count, labels), dataset.test[:2500], columns)


def interpolations(config: DictConfig, dataset: Dataset) -> Samples:
    """Rows of samples on the way from one latent to another, each row of one class if there are labels."""
    ends = fixed_request(config, "interpolations", 2 * _PATHS).latents
    latents = paths(ends[0::2], ends[1::2], _STEPS, config.latent_prior)
    labels, _ = pictured_classes(config, dataset)
    if labels is not None:
        known = labels.unique()
        labels = known[torch.arange(_PATHS) % len(known)].repeat_interleave(_STEPS)
    return Samples(Request(latents, labels), dataset.test[:1], _STEPS)


def translations(config: DictConfig, dataset: Dataset) -> Translations:
    """Translations of the first held-out sources, which also give the labels."""
    source = dataset.source
    assert source is not None
    count = min(config.pictures.samples, len(source.test))
    request = fixed_request(config, "samples", count, source.test_labels, source.test)
    return Translations(request, source.test[:count], dataset.test[:count] if source.paired else None)


def translations_back(config: DictConfig, dataset: Dataset) -> Translations:
    """Translations of the first held-out samples into sources."""
    count = min(config.pictures.samples, len(dataset.test))
    request = fixed_request(config, "samples", count, sources=dataset.test)
    return Translations(request, dataset.test[:count], None, back=True)


def latent_views(config: DictConfig, dataset: Dataset) -> Mapping[str, View]:
    """Reconstructions of held-out pictures and interpolations between them; none of points."""
    if dataset.test.ndim != 4:
        return {}
    count, paths = min(config.pictures.samples, len(dataset.test)), min(_PATHS, len(dataset.test) // 2)
    held_out = Batch(dataset.test, one_per_sample(dataset.test_labels))
    start, end = (held_out.map(itemgetter(slice(first, 2 * paths, 2))) for first in (0, 1))
    return {
        "reconstructions": Reconstructions(held_out.map(itemgetter(slice(count)))),
        "interpolations": Interpolations(start, end),
    }


def pictured_classes(config: DictConfig, dataset: Dataset) -> tuple[Any, int | None]:
    """The labels of the pictures' samples, and the images in a row: with labels each row is of one class.

    Of more classes than half the samples, one sample each is drawn, in a grid about as wide as high.

    Without, the labels are those of held-out samples, for generators that take some all the same; None if there are
    none.
    """
    count = classes(config, dataset.class_counts)
    if count is None:
        return one_per_sample(dataset.test_labels), None
    assert dataset.class_counts is not None
    known = torch.tensor([label for label, samples in enumerate(dataset.class_counts) if samples])
    columns = config.pictures.samples // len(known)
    if columns > 1:
        return known.repeat_interleave(columns), columns
    spread = torch.linspace(0, len(known) - 1, min(len(known), config.pictures.samples)).round().long()
    return known[spread], None
