"""Held-out samples of the classes that training samples have: a generator can be asked for no others."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, derived
from gan_lab.datasets.source import Source

_PARTS = ("test", "validation")


def of_trained_classes(dataset: Dataset) -> Dataset:
    """The dataset without held-out and validation samples of classes that no sample to train on has.

    It is the dataset itself if there are none. A generator that is given labels has learned nothing about such classes,
    and has no embedding of those beyond the last class that it knows. Its checksum is another one, as values of metrics
    are not comparable with those of all held-out samples.
    """
    counts, source = dataset.class_counts, dataset.source
    if counts is None:
        return dataset
    classes = [label for label, count in enumerate(counts) if count]
    changed: dict[str, Any] = {}
    of_source: dict[str, Any] = {}
    for part in _PARTS:
        if (kept := _known(dataset, part, classes)) is not None:
            changed |= _part_of(dataset, part, kept)
        if source is not None:
            kept = kept if source.paired else _known(source, part, classes)
            of_source |= {} if kept is None else _part_of(source, part, kept)
    if not changed and not of_source:
        return dataset
    if source is not None:
        changed["source"] = replace(source, **of_source)
    names = " ".join(map(str, classes))
    return replace(dataset, **changed, checksum=derived(dataset.checksum, f"held out of the classes {names}"))


def left_out(dataset: Dataset, kept: Dataset) -> str:
    """How many samples of which parts of a dataset `of_trained_classes` left out, in words; nothing for none."""
    sides: list[tuple[str, Dataset | Source, Dataset | Source]] = [("", dataset, kept)]
    if dataset.source is not None and kept.source is not None and not dataset.source.paired:
        sides.append((" sources", dataset.source, kept.source))
    said = []
    for what, before, after in sides:
        for part, name in zip(_PARTS, ("held-out", "validation"), strict=True):
            if (samples := getattr(before, part)) is not None and (lost := len(samples) - len(getattr(after, part))):
                said.append(f"{lost} of {len(samples)} {name}{what or ' samples'}")
    return ", ".join(said)


def _known(whole: Dataset | Source, part: str, classes: list[int]) -> Tensor | None:
    """The indices of a part's samples of these classes; None if these are all, or if they have no classes."""
    labels = getattr(whole, f"{part}_labels")
    if labels is None or (is_known := torch.isin(labels, torch.tensor(classes))).all():
        return None
    return is_known.nonzero().flatten()


def _part_of(whole: Dataset | Source, part: str, kept: Tensor) -> dict[str, Tensor | None]:
    """A part with some of its samples alone, and their labels, as arguments of `replace`."""
    labels = getattr(whole, f"{part}_labels")
    return {part: getattr(whole, part)[kept], f"{part}_labels": None if labels is None else labels[kept]}
