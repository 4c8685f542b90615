"""The 1797 handwritten digits bundled with scikit-learn: real images that need no download."""

from functools import cache

import numpy as np
import torch

from gan_lab.datasets.dataset import Dataset, checksum, first
from gan_lab.datasets.drawing import Drawing

_TEST_SAMPLES = 500


def digits(
    max_samples: int | None = None, subset: float | None = None, flip: bool = False, dequantise: bool = False
) -> Dataset:
    """8×8 grey images of handwritten digits: 1297 to train on and 500 held out, with equal shares of each class.

    Args:
        max_samples: number of images to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    References:
        UCI Optical Recognition of Handwritten Digits, test part, as shipped by `sklearn.datasets.load_digits`.
    """
    drawing = Drawing(subset, flip, dequantise)
    train, test, train_labels, test_labels = (torch.from_numpy(part.copy()) for part in _split())
    raw = checksum(train, test, train_labels, test_labels)
    return Dataset(*first(max_samples, train, train_labels), test, test_labels, raw, drawing=drawing)


@cache
def _split() -> list[np.ndarray]:
    """Images and labels, each to train on and held out; the file is text, which takes long to read."""
    from sklearn.datasets import load_digits  # imported late: it takes two seconds
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    parts: list[np.ndarray] = train_test_split(images, labels, test_size=_TEST_SAMPLES, stratify=labels, random_state=0)
    return parts
