"""Stacked MNIST: three random digits as the channels of one image, which makes a thousand modes to count."""

import torch

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
    drawn, _ = first(max_samples, torch.randint(len(digits.train), (_TRAIN_SAMPLES, 3), generator=generator))
    held_out = torch.randint(len(digits.test), (_TEST_SAMPLES, 3), generator=generator)
    train, train_labels = digits.train[drawn].squeeze(2), digits.train_labels[drawn]
    test, test_labels = digits.test[held_out].squeeze(2), digits.test_labels[held_out]
    checksum = f"{digits.checksum}-stacked-{_DATA_SEED}"
    return Dataset(train, train_labels, test, test_labels, checksum, drawing=drawing)
