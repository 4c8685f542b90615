"""What every source returns: samples in memory, some of them held out."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Dataset:
    """Real samples.

    Args:
        train: samples to train on, ``[N, C, H, W]`` uint8 pixels or ``[N, D]`` float points.
        train_labels: class of every training sample, ``[N]`` int64, or of its every channel, ``[N, C]``, or None.
        test: held-out samples of the same kind.
        test_labels: class of every held-out sample, or None.
        checksum: SHA-256 of the raw data, for the run's record.
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
        digest.update(tensor.numpy().tobytes())
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
