"""The type that every dataset has: samples in memory, some of them held out for evaluation."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_lab.datasets.batch import Batch, one_per_sample
from gan_lab.datasets.drawing import PLAIN, Drawing
from gan_lab.datasets.source import Source
from gan_lab.errors import ConfigError
from gan_lab.validation import check_null_or_whole, is_number, quoted


class Mixture(NamedTuple):
    """The Gaussians that the points of a dataset come from.

    Args:
        modes: their centres, ``[K, D]``.
        std: the standard deviation of each.
    """

    modes: Tensor
    std: float


@dataclass(frozen=True, eq=False)
class Dataset:
    """Real samples.

    Args:
        train: samples to train on, ``[N, C, H, W]`` uint8 pixels or ``[N, D]`` float points.
        train_labels: class of each training sample, ``[N]`` int64, or of each of its channels, ``[N, C]``; or None.
        test: held-out samples of the same kind.
        test_labels: classes of the held-out samples, of the same kind; or None.
        checksum: identifies the data, usually the SHA-256 of the samples and labels.
        mixture: the Gaussians that points come from; None for other data.
        origin: further entries of the run's record about the data.
        drawing: how training draws from ``train``. Everything else, such as the floor, reads the whole of it.
        validation: samples of the same kind to select by, with their labels, which neither train nor report; or None.
        source: the images that the samples translate; None if they translate none.

    Raises:
        ValueError: if ``drawing`` or ``source`` does not suit the samples, or ``mixture`` is of another kind.
    """

    train: Tensor
    train_labels: Tensor | None
    test: Tensor
    test_labels: Tensor | None
    checksum: str
    mixture: Mixture | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    drawing: Drawing = PLAIN
    validation: Batch | None = None
    source: Source | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mixture, Mixture | None):
            raise ValueError(f"mixture: it is a {type(self.mixture).__name__}, expected a gan_lab.datasets.Mixture")
        self.drawing.check_samples(self.train)
        if self.source is not None:
            self.source.check_fits(self.train, self.test)
        _ = self.chosen, self.chosen_source  # found now, so that an error comes now

    @cached_property
    def chosen(self) -> Tensor | None:
        """The indices of the samples of ``train`` to train on, in order; None for all."""
        return self.drawing.chosen(len(self.train), one_per_sample(self.train_labels))

    @cached_property
    def chosen_source(self) -> Tensor | None:
        """The indices of the images of ``source.train`` to train on, in order; None for all. Pairs stay whole."""
        if self.source is None or self.source.paired:
            return self.chosen
        return self.drawing.chosen(len(self.source.train), self.source.train_labels, "sources")

    @property
    def trained_on(self) -> int:
        """Number of samples to train on."""
        return len(self.train) if self.chosen is None else len(self.chosen)

    @property
    def sources_trained_on(self) -> int:
        """Number of images to translate in training; 0 without sources."""
        if self.source is None:
            return 0
        return len(self.source.train) if self.chosen_source is None else len(self.chosen_source)

    def some_trained_on(self, most: int) -> Batch:
        """At most so many of the samples to train on, always the same ones, in random order, as the dataset holds them.

        They have their labels, if each sample has one, and sources, if the dataset has some. Only what is returned is
        copied, as the set may exceed memory.
        """
        order, labels, images = some(self.trained_on, most), one_per_sample(self.train_labels), None
        if (source := self.source) is not None:
            own = order % self.sources_trained_on
            images = source.train[own if self.chosen_source is None else self.chosen_source[own]]
        indices = order if self.chosen is None else self.chosen[order]
        return Batch(self.train[indices], None if labels is None else labels[indices], images)

    @property
    def record(self) -> dict[str, Any]:
        """The entry on the data in a run's ``result.json``."""
        counts = {"train": self.trained_on, "test": len(self.test)}
        return {"checksum": self.checksum, **counts, **self._source_record, **self.origin}

    @property
    def _source_record(self) -> dict[str, Any]:
        if (source := self.source) is None:
            return {}
        counts = {"train": self.sources_trained_on, "test": len(source.test)}
        if source.validation is not None:
            counts["validation"] = len(source.validation)
        return {"source": {"paired": source.paired, **counts}}

    @property
    def class_counts(self) -> list[int] | None:
        """Number of samples of each class to train on; None without labels, or with one for each channel."""
        labels = self.train_labels
        if labels is None or labels.ndim != 1:
            return None
        return torch.bincount(labels if self.chosen is None else labels[self.chosen]).tolist()

    def limited(self, limit: int | None, drawing: Drawing) -> "Dataset":
        """The dataset with the first samples to train on alone, and settings of drawing.

        Args:
            limit: number of samples to train on, and of sources; a side that has fewer keeps all. None for all.
            drawing: the settings.

        Raises:
            ValueError: if ``limit`` is not between 2 and the number of samples, or of sources if they are more.
        """
        source, labels = self.source, self.train_labels
        check_null_or_whole("max_samples", limit, 2, max(len(self.train), 0 if source is None else len(source.train)))
        return replace(
            self,
            train=self.train[:limit],
            train_labels=None if labels is None else labels[:limit],
            drawing=drawing,
            source=None if source is None else source.limited(limit),
        )

    def with_validation(self, share: float) -> "Dataset":
        """The dataset with a share of its training samples set aside for validation, the same for every seed.

        Raises:
            ValueError: if the share is not between 0 and 1, or leaves fewer than two samples in a part.
        """
        kept, aside = _set_aside(share, self.train, one_per_sample(self.train_labels))
        source = self.source
        if source is not None:
            parts = (kept, aside) if source.paired else _set_aside(share, source.train, source.train_labels)
            source = source.without(*parts)
        return replace(
            self,
            train=self.train[kept],
            train_labels=None if self.train_labels is None else self.train_labels[kept],
            validation=Batch(self.train[aside], None if self.train_labels is None else self.train_labels[aside]),
            checksum=derived(self.checksum, f"without {share}"),
            origin=self.origin | {"validation": len(aside)},
            source=source,
        )

    def to_select_by(self) -> "Dataset":
        """The dataset whose held-out samples are the validation samples."""
        chosen = self.validation
        assert chosen is not None
        # which samples are set aside depends on how many there were, which max_samples limits
        checksum = derived(self.checksum, f"validation beside {len(self.train)}")
        source = None if self.source is None else self.source.to_select_by()
        return replace(self, test=chosen.samples, test_labels=chosen.labels, checksum=checksum, source=source)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: ``(C, H, W)`` or ``(D,)``."""
        return tuple(self.train.shape[1:])

    @property
    def source_shape(self) -> tuple[int, ...] | None:
        """Shape of one image to translate, ``(C, H, W)``; None if there are none."""
        return None if self.source is None else tuple(self.source.train.shape[1:])


def _set_aside(share: float, samples: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """The indices of the samples to go on training on, in order, and of those for validation."""
    kept, aside = hold_out(share, len(samples), labels, "dataset.validation")
    return kept.sort().values, aside


def some(count: int, most: int) -> Tensor:
    """The indices of at most ``most`` of ``count`` samples, in random order, always the same ones."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most]


def derived(checksum: str, how: str) -> str:
    """The checksum of data that are a function of other data.

    Args:
        checksum: that of the other data.
        how: names the function.
    """
    return hashlib.sha256(f"{checksum} {how}".encode()).hexdigest()


def to_model_range(samples: Tensor) -> Tensor:
    """Convert uint8 pixels to float32 in [−1, 1]; points are returned as they are."""
    if samples.dtype == torch.uint8:
        return samples.float().div_(127.5).sub_(1.0)
    return samples


def to_pixels(samples: Tensor) -> Tensor:
    """Convert images in [−1, 1] to uint8 pixels, rounded; points are returned as they are."""
    if samples.ndim == 4:
        return samples.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return samples


def checksum(*tensors: Tensor) -> str:
    """The SHA-256 over the bytes of tensors on the CPU."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().data.cast("B"))  # no copy: a mapped file may exceed memory
    return digest.hexdigest()


def first(limit: int | None, samples: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """The first ``limit`` samples and their labels; all for None.

    Raises:
        ValueError: if ``limit`` is not between 2 and the number of samples.
    """
    check_null_or_whole("max_samples", limit, 2, len(samples))
    return samples[:limit], None if labels is None else labels[:limit]


def hold_out(share: float, count: int, labels: Tensor | None, key: str = "held_out") -> tuple[Tensor, Tensor]:
    """Split samples: the indices to train on and the indices to hold out, both in random order.

    The split is the same for every seed of a run, like the split of a published dataset. Each class is split alike: its
    number of held-out samples is its share, rounded up or down.

    Args:
        share: share of the samples to hold out.
        count: number of samples.
        labels: their classes, ``[count]``, or None.
        key: of the share, for errors.

    Raises:
        ValueError: if the share is not between 0 and 1, or leaves fewer than two samples in a part.
    """
    if not is_number(share) or not 0 < share < 1:
        raise ValueError(
            f"{key}={quoted(share)}: expected a number above 0 and below 1, the share of samples to hold out"
        )
    held_out = round(share * count)
    if not 2 <= held_out <= count - 2:
        raise ValueError(f"{key}={share}: {held_out} of {count} samples are held out: expected 2 or more in each part")
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    by_class = shuffled if labels is None else shuffled[labels[shuffled].argsort(stable=True)]
    # evenly spaced among the samples sorted by class
    test = by_class[((torch.arange(held_out) + 0.5) * count / held_out).long()]
    is_test = torch.zeros(count, dtype=torch.bool)
    is_test[test] = True
    return shuffled[~is_test[shuffled]], shuffled[is_test[shuffled]]


def all_the_same(what: str, count: int, kind: str = "samples") -> ConfigError:
    """The error for samples that are all the same.

    A generator that draws only that sample would be both perfect and collapsed, so no metric or verdict is defined.
    """
    return ConfigError(f"{what}: all {count} {kind} are the same, expected some that differ")
