"""What every source returns: samples in memory, some of them held out."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gan_lab.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Real samples.

    Args:
        train: samples to train on, ``[N, C, H, W]`` uint8 pixels or ``[N, D]`` float points.
        train_labels: class of every training sample, ``[N]`` int64, or of its every channel, ``[N, C]``, or None.
        test: held-out samples of the same kind.
        test_labels: class of every held-out sample, or None.
        checksum: SHA-256 of the raw data, for the run's record.
        origin: what else the record is to say of where the samples come from.
        modes: centres of a mixture's components, ``[K, D]``, or None.
        mode_std: standard deviation of each component.
    """

    train: Tensor
    train_labels: Tensor | None
    test: Tensor
    test_labels: Tensor | None
    checksum: str
    modes: Tensor | None = None
    mode_std: float = 0.0
    origin: dict[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """What a run's record says of its data."""
        return {"checksum": self.checksum, "train": len(self.train), "test": len(self.test), **self.origin}

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample: ``(C, H, W)`` or ``(D,)``."""
        return tuple(self.train.shape[1:])


def to_model_range(samples: Tensor) -> Tensor:
    """uint8 pixels → float32 in [−1, 1]; points stay as they are."""
    if samples.dtype == torch.uint8:
        return samples.float().div_(127.5).sub_(1.0)
    return samples


def to_pixels(samples: Tensor) -> Tensor:
    """Images in [−1, 1] → uint8 pixels, rounded; points stay as they are."""
    if samples.ndim == 4:
        return samples.add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return samples


def checksum(*tensors: Tensor) -> str:
    """SHA-256 over the bytes of the tensors."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().data.cast("B"))  # no copy: it may be larger than memory
    return digest.hexdigest()


def first(limit: int | None, samples: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """The first ``limit`` samples and labels, or all for None.

    Raises:
        ValueError: if ``limit`` is not between 2 and the number of samples.
    """
    if limit is None:
        return samples, labels
    if isinstance(limit, bool) or not isinstance(limit, int) or not 2 <= limit <= len(samples):
        raise ValueError(f"max_samples={limit!r}: expected null or a whole number from 2 to {len(samples)}")
    return samples[:limit], None if labels is None else labels[:limit]


def hold_out(share: float, count: int, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """Which of ``count`` samples to train on, in random order, and which to hold out.

    The draw is fixed, as that of a published set: it does not follow the run's seed. Every class gives its share, to
    the sample.

    Args:
        share: of the samples, to hold out.
        count: number of samples.
        labels: their classes, ``[count]``, or None.

    Raises:
        ValueError: if the share is not between 0 and 1, or leaves less than two samples to either part.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise ValueError(f"held_out={share!r}: expected a number above 0 and below 1, the share of samples to hold out")
    held_out = round(share * count)
    if not 2 <= held_out <= count - 2:
        raise ValueError(
            f"held_out={share}: {held_out} of {count} samples are held out: expected 2 or more in each part"
        )
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    by_class = shuffled if labels is None else shuffled[labels[shuffled].argsort(stable=True)]
    test = by_class[((torch.arange(held_out) + 0.5) * count / held_out).long()]  # evenly spaced, so class by class
    is_test = torch.zeros(count, dtype=torch.bool)
    is_test[test] = True
    return shuffled[~is_test[shuffled]], shuffled[is_test[shuffled]]


def all_the_same(what: str, count: int) -> ConfigError:
    """What to say of samples that are all the same.

    A generator that draws just that one is perfect and collapsed at once: no distance, and no verdict, is defined.
    """
    return ConfigError(f"{what}: all {count} samples are the same, expected some that differ")
