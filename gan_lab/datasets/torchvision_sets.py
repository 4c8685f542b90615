"""Published data sets in torchvision's folder layout, decoded once into one file of the cache.

Their files are verified when they are decoded, and again whenever one of them has changed.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.dataset import Dataset, checksum, first
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.folders import check_channels
from gan_lab.datasets.image_files import converted
from gan_lab.datasets.pixel_file import PixelWriter, mapped
from gan_lab.datasets.published_sets import SOURCES, Split
from gan_lab.errors import ConfigError, closest
from gan_lab.storage.cache import cache_file, cached, code_hash, naming_the_cache
from gan_lab.storage.files import replacing
from gan_lab.validation import check_flag, check_null_or_whole

_CODE = [
    Path(__file__).with_name(f"{module}.py")
    for module in ("torchvision_sets", "published_sets", "published_readers", "image_files", "pixel_file")
]
_OWN = {"MNIST": "mnist", "FashionMNIST": "fashion_mnist"}  # sets that have a function and an option of their own

_MODES = {1: "L", 3: "RGB"}  # Pillow's, by channels

_Convert = Callable[[np.ndarray], np.ndarray]


def cifar10(
    root: str,
    download: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """32×32 colour images of ten classes of things, 50,000 to train on and 10,000 held out (Krizhevsky 2009).

    Arguments and errors are those of `torchvision_set`; the files lie in ``cifar-10-batches-py``.
    """
    return cifar10_for("dataset=cifar10", root, download, max_samples, Drawing(subset, flip, dequantise))


def cifar10_for(option: str, root: str, download: bool, max_samples: int | None, drawing: Drawing) -> Dataset:
    """The same for a dataset that is made of it, whose ``option`` errors begin with."""
    return _load(option, "CIFAR10", "train", root, download, max_samples, None, None, drawing)


def torchvision_set(
    name: str,
    root: str,
    split: str | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    download: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """The images and labels of a published data set, uint8 ``[N, C, H, W]``; its test part is held out.

    Args:
        name: of torchvision's class, one of `gan_lab.datasets.published_sets.SOURCES`.
        root: folder with torchvision's layout.
        split: what to train on, where there is a choice; None for the first of ``SOURCES[name].splits``.
        image_size: side in pixels of the square that each image is resized and cropped to, as in `image_folder`; None
            keeps the size.
        channels: 1 converts all images to grey, 3 to colour; None keeps them.
        download: download missing files into the root.
        max_samples: number of images to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    Raises:
        ConfigError: for another name or split; if a file is missing or differs from the published one.
        ValueError: for an argument out of range.
    """
    drawing = Drawing(subset, flip, dequantise)
    check_null_or_whole("image_size", image_size, 4, 2048)
    check_channels("channels", channels)
    if isinstance(name, str) and name in _OWN:
        raise ConfigError(f"dataset.name={name}: expected dataset={_OWN[name]}, which reads this data set")
    if not isinstance(name, str) or name not in SOURCES:
        raise ConfigError(f"dataset.name={name}: it is not among the data sets; {closest(str(name), SOURCES)}")
    splits = list(SOURCES[name].splits)
    if split is not None and split not in splits:
        raise ConfigError(f"dataset.split={split}: expected null or one of {', '.join(splits)} for {name}")
    if SOURCES[name].sizes_differ and image_size is None:
        raise ConfigError(
            f"dataset.image_size=null: the images of {name} are of different sizes, expected a size to bring them to, "
            "such as dataset.image_size=32"
        )
    option = f"dataset.name={name}"
    return _load(option, name, split or splits[0], root, download, max_samples, image_size, channels, drawing)


def _load(
    option: str,
    name: str,
    split: str,
    root: str,
    download: bool,
    max_samples: int | None,
    image_size: int | None,
    channels: int | None,
    drawing: Drawing,
) -> Dataset:
    check_flag("download", download)
    source = SOURCES[name]
    published, parts = source.published(name, split), source.splits[split]
    place = published.place(root)
    settings = {
        "published": [source.files[file] for file in parts.needed],
        "settings": [name, split, image_size, channels],
        "code": code_hash(*_CODE),
        "pillow": PIL.__version__,
    }
    key = settings | {"files": _listing(place, parts)}
    if not cache_file("images", key).is_file():
        published.verify(option, place, download, parts.needed)
        key = settings | {"files": _listing(place, parts)}  # of the files that came
    pixels = cache_file("images", key).with_suffix(".pixels")
    convert = partial(_converted, channels=channels, size=image_size)
    made: dict[str, Any] = cached("images", key, lambda: _decode(name, place, parts, convert, pixels))
    train, test = mapped(pixels, made["shape"], made["sizes"], made["checksum"])
    labels: list[Tensor] = made["labels"]  # of both parts, or none
    train_labels, test_labels = labels or (None, None)
    raw = hashlib.sha256(f"{made['checksum']} {len(train)} {checksum(*labels)}".encode()).hexdigest()
    return Dataset(*first(max_samples, train, train_labels), test, test_labels, raw, drawing=drawing)


def _listing(place: Path, parts: Split) -> list[list[int]] | None:
    """Size and times of change of every file: they differ whenever a file has changed; None if a file is missing."""
    try:
        found = [(place / file).stat() for file in parts.needed]
    except OSError:  # `PublishedSet.verify` says what is wrong
        return None
    return [[status.st_size, status.st_mtime_ns, status.st_ctime_ns] for status in found]


def _converted(image: np.ndarray, channels: int | None, size: int | None) -> np.ndarray:
    """An image ``[H, W, C]``, converted and resized as `gan_lab.datasets.image_files.read_image` does."""
    kept = image.shape[2]
    if size is None and channels in (None, kept):
        return image
    return converted(Image.fromarray(image[:, :, 0] if kept == 1 else image), _MODES[channels or kept], size)


def _decode(name: str, place: Path, parts: Split, convert: _Convert, pixels: Path) -> dict[str, Any]:
    """Write the pixels ``[N, C, H, W]`` of all images into one file, the images to train on first.

    Returns:
        ``shape``: ``[C, H, W]``; ``sizes``: number of images of both parts; ``labels``: classes of both, or nothing;
        ``checksum``: SHA-256 of the pixels.
    """
    labels: list[list[int | None]] = []
    with (
        naming_the_cache(),
        replacing(pixels) as stream,
        tqdm(desc=f"reading {name}, once", delay=2, disable=None, leave=False) as bar,
    ):
        writer = PixelWriter(stream)
        for read in (parts.train, parts.test):
            labels.append([])
            for image, label in read(place):
                writer.write(convert(image))
                labels[-1].append(label)
                bar.update()
    known = all(label is not None for part in labels for label in part)
    return {
        "shape": writer.shape,
        "sizes": [len(part) for part in labels],
        "labels": [torch.tensor(part) for part in labels] if known else [],
        "checksum": writer.checksum,
    }
