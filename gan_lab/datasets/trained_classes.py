"""Held-out samples of the classes that training samples have: a generator can be asked for no others."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lab.datasets.batch import Batch
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
            changed |= _limited(dataset, part, kept)
        if source is not None:
            kept = kept if source.paired else _known(source, part, classes)
            of_source |= {} if kept is None else _limited(source, part, kept)
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
            count, known = len(_part(before, part)), len(_part(after, part))
            if lost := count - known:
                said.append(f"{lost} of {count} {name}{what or ' samples'}")
    return ", ".join(said)


def _known(whole: Dataset | Source, part: str, classes: list[int]) -> Tensor | None:
    """The indices of a part's samples of these classes; None if these are all, or if they have no classes."""
    labels = _part(whole, part).labels
    if labels is None or (is_known := torch.isin(labels, torch.tensor(classes))).all():
        return None
    return is_known.nonzero().flatten()


def _part(whole: Dataset | Source, part: str) -> Batch:
    """The samples of a part with their labels; without validation none."""
    if part == "test":
        return Batch(whole.test, whole.test_labels)
    return Batch(whole.test[:0]) if whole.validation is None else whole.validation


def _limited(whole: Dataset | Source, part: str, kept: Tensor) -> dict[str, Any]:
    """A part with some of its samples alone, as arguments of `replace`."""
    limited = _part(whole, part).map(lambda tensor: tensor[kept])
    return {part: limited} if part == "validation" else {"test": limited.samples, "test_labels": limited.labels}
