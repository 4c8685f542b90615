"""The 1797 handwritten digits bundled with scikit-learn: real images that need no download."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, checksum, first
from gan_lab.datasets.drawing import Drawing
from gan_lab.storage.cache import cached, code_hash

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
    key = {"scikit-learn": version("scikit-learn"), "code": code_hash(Path(__file__))}
    parts: list[Tensor] = cached("digits", key, _read)
    train, test, train_labels, test_labels = parts
    raw = checksum(train, test, train_labels, test_labels)
    return Dataset(*first(max_samples, train, train_labels), test, test_labels, raw, drawing=drawing)


def _read() -> list[Tensor]:
    """Training and held-out images, and the labels of both."""
    from sklearn.datasets import load_digits  # imported late: it takes more than half a second
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    parts = train_test_split(images, labels, test_size=_TEST_SAMPLES, stratify=bunch.target, random_state=0)
    return [torch.from_numpy(part) for part in parts]
