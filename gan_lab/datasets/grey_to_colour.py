"""Colour images from their luminance: pairs for translation from real pictures."""

from dataclasses import replace

import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, derived
from gan_lab.datasets.drawing import PLAIN, Drawing
from gan_lab.datasets.npz import npz
from gan_lab.datasets.source import Source
from gan_lab.datasets.torchvision_sets import cifar10_for
from gan_lab.errors import ConfigError

_CHUNK = 4096  # images converted at a time, to bound memory
_WEIGHTS = (19595, 38470, 7471)  # of red, green and blue, in parts of 2**16: ITU-R 601, as Pillow rounds it


def grey_to_colour(
    root: str,
    path: str | None = None,
    download: bool = False,
    held_out: float = 0.2,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """Colour images, ``[N, 3, H, W]``: CIFAR-10 or an archive's; the source of each is its luminance, ``[N, 1, H, W]``.

    Args:
        root: folder that contains ``cifar-10-batches-py``, as of `cifar10`.
        path: an ``.npz`` archive in place of CIFAR-10, as of `npz`; None for CIFAR-10.
        download: download missing files of CIFAR-10 into the root.
        held_out: share of an archive's images to hold out for evaluation, see `hold_out`; CIFAR-10 has its test images.
        max_samples: number of pairs to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`; a pair's images are mirrored together, and noise is added to samples.

    Raises:
        ConfigError: for a file that is missing or unfit, or an archive of anything but colour images.
        ValueError: for an argument out of range.
    """
    drawing = Drawing(subset, flip, dequantise)
    option = "dataset=grey_to_colour"
    colour = npz(path, held_out) if path is not None else cifar10_for(option, root, download, None, PLAIN)
    if len(colour.sample_shape) != 3 or colour.sample_shape[0] != 3:
        kind = f"points {list(colour.sample_shape)}"
        if len(colour.sample_shape) == 3:
            kind = "grey images"
        raise ConfigError(f"dataset.path={path}: it holds {kind}, expected images in colour")
    source = Source(luminance(colour.train), luminance(colour.test), True, colour.train_labels, colour.test_labels)
    return replace(colour, checksum=derived(colour.checksum, "luminance"), source=source).limited(max_samples, drawing)


def luminance(images: Tensor) -> Tensor:
    """The luminance of images ``[N, 3, H, W]`` uint8, ``[N, 1, H, W]`` uint8, to the bit that of Pillow's mode L."""
    grey = torch.empty_like(images[:, :1])
    for part, found in zip(images.split(_CHUNK), grey.split(_CHUNK), strict=True):
        red, green, blue = (weight * part[:, channel].int() for channel, weight in enumerate(_WEIGHTS))
        found[:, 0] = (red + green + blue + 2**15) >> 16
    return grey
