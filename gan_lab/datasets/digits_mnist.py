"""From scikit-learn's handwritten digits to MNIST's: two sets without pairs, with the same ten classes."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, derived
from gan_lab.datasets.digits import digits
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.mnist import mnist
from gan_lab.datasets.unpaired import two_sides
from gan_lab.validation import check_choice

_SIZES = (8, 12, 16, 20, 24, 28)
_CHUNK = 4096  # images resized at a time, to bound memory


def digits_mnist(
    root: str,
    image_size: int = 16,
    download: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """MNIST's images, ``[N, 1, S, S]``, with scikit-learn's digits as sources of the same shape that belong to none.

    MNIST's digits fill 20 of 28 pixels (LeCun et al. 1998), scikit-learn's all of their 8; these get a margin.

    Args:
        root: folder that contains ``MNIST/raw``, as of `mnist`.
        image_size: side S of all images, a multiple of 4 from 8 to 28; with 28, MNIST's images are as published.
        download: download missing files of MNIST into the root.
        max_samples: number of images to train on, the first ones of each side; None for all 60,000 and 1297.
        subset, flip, dequantise: see `Drawing`; they are applied to each side on its own.

    Raises:
        ConfigError: if a file is missing or differs from the published one.
        ValueError: for an argument out of range.
    """
    check_choice("image_size", image_size, _SIZES)
    drawing = Drawing(subset, flip, dequantise)
    sources, samples = digits(), mnist(root, download)
    inner = 2 * round(image_size * 20 / 28 / 2)
    both = two_sides(_resized(sources, inner, image_size), _resized(samples, image_size, image_size))
    return both.limited(max_samples, drawing)


def _resized(dataset: Dataset, inner: int, side: int) -> Dataset:
    """The dataset with images resized to squares of ``inner`` pixels, in the middle of black ones of ``side``."""
    margin = (side - inner) // 2

    def resized(images: Tensor) -> Tensor:
        return F.pad(area_resized(images, inner), (margin,) * 4)

    return replace(
        dataset,
        train=resized(dataset.train),
        test=resized(dataset.test),
        checksum=derived(dataset.checksum, f"resized to {inner} in {side}"),
    )


def area_resized(images: Tensor, side: int) -> Tensor:
    """Square images ``[N, 1, H, H]`` uint8, resized: each new pixel is the mean of the area that it covers.

    The sums are exact, as they are of whole numbers: the result is the same on every machine.
    """
    old = images.shape[-1]
    if side == old:
        return images
    # in units in which an old pixel is `side` wide, and a new one `old`
    starts = torch.arange(side)[:, None] * old, torch.arange(old)[None] * side
    overlaps = torch.minimum(starts[0] + old, starts[1] + side) - torch.maximum(*starts)
    weights = overlaps.clamp(min=0).double()
    parts = [(weights @ part.double() @ weights.T / old**2).round().to(torch.uint8) for part in images.split(_CHUNK)]
    return torch.cat(parts)
