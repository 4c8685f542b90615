"""The real samples that an evaluation compares with."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gan_lab.datasets.batch import one_per_sample
from gan_lab.datasets.dataset import Dataset, derived, some
from gan_lab.datasets.drawing import PLAIN

_MOST_KNOWN = 10_000  # training samples that copies are looked for among


@dataclass(frozen=True, eq=False)
class RealSets:
    """The real samples of an evaluation: equally many to compare with, and for the floor.

    All are drawn at random, always the same ones; parts of a dataset that follow each other can differ. An extractor
    that learns has seen neither: on what it learned from, it would find real samples closer than any unseen ones.

    Args:
        reference: held-out samples to compare with, ``[N, …]``.
        labels: their classes, ``[N]``; None if there are none, or one for each channel.
        others: training samples that are compared with the reference for the floor, ``[N, …]``.
        other_labels: their classes, as ``labels``.
        learned: the dataset with the training samples that an extractor may learn from, in random order.
        known: training samples, ``[M, …]``, copies of which are the floor of metrics that compare single pictures.
        sources: N held-out images to translate, ``[N, …]``, of pairs those of the reference; or None.
        source_labels: their classes, or None.
        known_sources: of pairs, the sources of these; or None.
    """

    reference: Tensor
    labels: Tensor | None
    others: Tensor
    other_labels: Tensor | None
    learned: Dataset
    known: Tensor
    sources: Tensor | None = None
    source_labels: Tensor | None = None
    known_sources: Tensor | None = None

    @property
    def paired(self) -> bool:
        """Whether each source has a sample that it should become."""
        return self.known_sources is not None

    @classmethod
    def of(cls, dataset: Dataset, most: int, learns: bool, learns_from: int | None = None) -> "RealSets":
        """The sets of a dataset.

        Args:
            dataset: the real samples.
            most: largest N; it is less if fewer samples are held out or left for the floor.
            learns: whether the extractor learns; half of the training samples at least are left to it.
            learns_from: largest number of these that it uses; None for all, which are copied then.
        """
        train, test, source = len(dataset.train), len(dataset.test), dataset.source
        count = min(most, test, train // 2 if learns else train)
        if source is not None:
            count = min(count, len(source.test))
        generator = torch.Generator().manual_seed(0)
        held_out = torch.randperm(test, generator=generator)[:count]
        order = torch.randperm(train, generator=generator)
        labels = one_per_sample(dataset.test_labels)
        learned = dataset
        if learns:
            rest, all_labels, checksum = order[count:], dataset.train_labels, dataset.checksum
            if learns_from is not None:
                rest = rest[some(len(rest), learns_from)]
                checksum = derived(checksum, f"some of {train} without {count}")
            learned = replace(
                dataset,
                train=dataset.train[rest],
                train_labels=None if all_labels is None else all_labels[rest],
                drawing=PLAIN,
                source=None,
                checksum=checksum,
            )
        other_labels = one_per_sample(dataset.train_labels)
        sources: dict[str, Tensor | None] = {}
        if source is not None:
            chosen = held_out if source.paired else torch.randperm(len(source.test), generator=generator)[:count]
            sources["sources"] = source.test[chosen]
            sources["source_labels"] = None if source.test_labels is None else source.test_labels[chosen]
            sources["known_sources"] = source.train[:_MOST_KNOWN] if source.paired else None
        return cls(
            dataset.test[held_out],
            None if labels is None else labels[held_out],
            dataset.train[order[:count]],
            None if other_labels is None else other_labels[order[:count]],
            learned,
            dataset.train[:_MOST_KNOWN],
            **sources,
        )
