"""Stacked MNIST: three random digits as the channels of one image, which makes a thousand modes to count."""

import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, first
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.mnist import mnist

_TRAIN_SAMPLES, _TEST_SAMPLES = 128_000, 26_000
_DATA_SEED = 0  # the samples are the same for every seed of a run, as if read from a file


def stacked_mnist(
    root: str,
    download: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """3×28×28 images of three MNIST digits: 128,000 of MNIST's training digits, and 26,000 of its test digits held out.

    Labels are the digits of the channels, ``[N, 3]``. Arguments and errors are those of `gan_lab.datasets.mnist`;
    ``subset`` is a share of all images, as none of them has a class.

    References:
        Metz et al. 2016, Unrolled GAN (arXiv 1611.02163); the sizes are PacGAN's (arXiv 1712.04086).
    """
    drawing = Drawing(subset, flip, dequantise)
    digits = mnist(root, download)
    assert digits.train_labels is not None
    assert digits.test_labels is not None
    generator = torch.Generator().manual_seed(_DATA_SEED)
    train, train_labels = _stacks(digits.train, digits.train_labels, _TRAIN_SAMPLES, generator)
    test, test_labels = _stacks(digits.test, digits.test_labels, _TEST_SAMPLES, generator)
    checksum = f"{digits.checksum}-stacked-{_DATA_SEED}"
    return Dataset(*first(max_samples, train, train_labels), test, test_labels, checksum, drawing=drawing)


def _stacks(images: Tensor, labels: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    chosen = torch.randint(len(images), (count, 3), generator=generator)
    return images[chosen].squeeze(2), labels[chosen]
