"""A folder of images, decoded once into one file of the cache (`gan_lab.datasets.pixel_file`)."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.dataset import Dataset, all_the_same, checksum, first, hold_out
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.image_files import SUFFIXES, BrokenImage, UnfitImage, described, find_images, read_image
from gan_lab.datasets.pixel_file import PixelWriter, mapped
from gan_lab.datasets.readers import user_path
from gan_lab.errors import ConfigError, shown
from gan_lab.storage.cache import cache_file, cached, code_hash, naming_the_cache
from gan_lab.storage.files import replacing
from gan_lab.validation import check_flag, check_null_or_whole

_CODE = [
    Path(__file__).with_name(f"{module}.py") for module in ("image_folder", "image_files", "dataset", "pixel_file")
]
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}
_AHEAD = 256  # images decoded before they are written, to bound memory
_NAMED = 3  # file names in a message about many files

_Read = Callable[[Path], np.ndarray | None]

log = logging.getLogger(__name__)


def image_folder(
    path: str,
    image_size: int | None = None,
    channels: int | None = None,
    held_out: float = 0.2,
    skip_corrupt: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """The images in a folder, uint8 ``[N, C, H, W]``. If they are in subfolders, each subfolder is a class.

    Labels number the subfolders in the order of their names, as `torchvision.datasets.ImageFolder` does.

    Args:
        path: the folder.
        image_size: side in pixels of the square that each image is resized and cropped to, see `read_image`; None for
            images that all have one size already.
        channels: 1 converts all images to grey, 3 to colour; None for images that are all alike already.
        held_out: share of the images to hold out for evaluation, see `hold_out`.
        skip_corrupt: leave out files that cannot be decoded, instead of raising an error for the first.
        max_samples: number of images to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    Raises:
        ConfigError: for a folder that is missing or a file that cannot be used; the first one is named.
        ValueError: for an argument out of range.
    """
    _check_reading(image_size, channels, skip_corrupt)
    drawing = Drawing(subset, flip, dequantise)
    folder = user_path("dataset.path", path)
    files, others = _files(folder)
    classes, labels = _classes(folder, files)
    parts = hold_out(held_out, len(files), labels)
    read = partial(_read, folder, channels, image_size, skip_corrupt)
    made, (train, test) = _decoded(folder, files, parts, read, [image_size, channels, held_out, skip_corrupt])
    _report_left_out(folder, len(files), made["skipped"], others)
    part_labels = [] if labels is None else [labels[torch.tensor(kept)] for kept in made["kept"]]
    train_labels, test_labels = part_labels or (None, None)
    origin = {
        "images": len(files),
        "other_files": len(others),
        "skipped": made["skipped"],
        "classes": classes,
        "resize": None if image_size is None else f"antialiased bicubic, centre crop to {image_size}x{image_size}",
    }
    raw = hashlib.sha256(f"{made['checksum']} {len(train)} {checksum(*part_labels)}".encode()).hexdigest()
    return Dataset(*first(max_samples, train, train_labels), test, test_labels, raw, origin=origin, drawing=drawing)


def _check_reading(image_size: int | None, channels: int | None, skip_corrupt: bool) -> None:
    """Raise ValueError for an argument out of range."""
    check_null_or_whole("image_size", image_size, 4, 2048)
    if channels not in (None, 1, 3) or isinstance(channels, bool):
        raise ValueError(f"channels={channels!r}: expected null, 1 (grey) or 3 (colour)")
    check_flag("skip_corrupt", skip_corrupt)


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images in the folder, of which there is at least one, and its other files."""
    if os.path.isfile(folder):
        raise ConfigError(f"dataset.path={folder}: it is a file, expected a folder of images; dataset=npz reads .npz")
    files, others = find_images("dataset.path", folder)
    if not files:
        raise ConfigError(f"dataset.path={folder}: it holds no images ({', '.join(SUFFIXES)})")
    return files, others


def _classes(folder: Path, files: Sequence[Path]) -> tuple[list[str], Tensor | None]:
    """The names of the classes, and the class of each file; none if all files lie in the folder itself."""
    names = [file.relative_to(folder).parts[0] for file in files]
    beside = [file for file in files if file.parent == folder]
    if len(beside) == len(files):
        return [], None
    if beside:
        below = next(file for file in files if file.parent != folder)
        raise ConfigError(
            f"dataset.path={folder}: {shown(beside[0])} lies in the folder itself and {shown(below)} in a subfolder, "
            "expected all in subfolders, which are then the classes, or none"
        )
    classes = sorted(set(names))
    if len(classes) > 1 and _SPLITS.issuperset(name.lower() for name in classes):
        raise ConfigError(
            f"dataset.path={folder}: its subfolders {' and '.join(classes)} are parts of a split, not classes; "
            f"expected one of them, such as dataset.path={folder / classes[0]}"
        )
    numbers = {name: number for number, name in enumerate(classes)}
    return [shown(name) for name in classes], torch.tensor([numbers[name] for name in names])


def _listing_hash(folder: Path, files: Sequence[Path]) -> str:
    """A hash of the files' names, sizes and times of change: it changes whenever a file does."""
    digest = hashlib.sha256()
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise _unreadable(folder, file, error) from error
        digest.update(os.fsencode(file.relative_to(folder)))
        digest.update(f"\0{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\0".encode())
    return digest.hexdigest()


def _read(
    folder: Path, channels: int | None, image_size: int | None, skip_corrupt: bool, file: Path
) -> np.ndarray | None:
    """The pixels of a file, uint8 ``[H, W, C]``; None if the file is to be left out."""
    try:
        return read_image(file, channels, image_size)
    except BrokenImage as error:
        if skip_corrupt:
            return None
        raise ConfigError(
            f"dataset.path={folder}: {shown(file)} {error}; dataset.skip_corrupt=true leaves such files out"
        ) from error
    except UnfitImage as error:
        raise ConfigError(f"dataset.path={folder}: {shown(file)} {error}") from error
    except OSError as error:
        raise _unreadable(folder, file, error) from error


def _decoded(
    folder: Path, files: Sequence[Path], parts: tuple[Tensor, Tensor], read: _Read, settings: list[Any]
) -> tuple[dict[str, Any], tuple[Tensor, Tensor]]:
    """What `_decode` returned for these files and settings, and the images to train on and those held out."""
    key = {
        "files": _listing_hash(folder, files),
        "settings": settings,
        "code": code_hash(*_CODE),
        "pillow": PIL.__version__,
    }
    pixels = cache_file("images", key).with_suffix(".pixels")
    made: dict[str, Any] = cached("images", key, lambda: _decode(folder, files, parts, read, pixels))
    return made, mapped(pixels, made["shape"], [len(kept) for kept in made["kept"]], made["checksum"])


def _decode(
    folder: Path, files: Sequence[Path], parts: tuple[Tensor, Tensor], read: _Read, pixels: Path
) -> dict[str, Any]:
    """Write the pixels ``[N, C, H, W]`` of all images into one file, the images to train on first.

    Returns:
        ``shape``: ``[C, H, W]``; ``kept``: indices of the files of both parts; ``skipped``: names of the files left
        out; ``checksum``: SHA-256 of the pixels.
    """
    kept: tuple[list[int], list[int]] = ([], [])
    skipped: list[str] = []
    with (
        naming_the_cache(),
        replacing(pixels) as stream,
        tqdm(total=len(files), desc="reading images, once", delay=2, disable=None, leave=False) as bar,
    ):
        writer = PixelWriter(stream)
        for part, indices in zip(kept, parts, strict=True):
            for index, image in _ahead(read, files, indices.tolist()):
                bar.update()
                if image is None:
                    skipped.append(shown(files[index].relative_to(folder)))
                    continue
                if writer.example is not None and image.shape != writer.example.shape:
                    beginning = files[(kept[0] or kept[1])[0]]
                    raise _unlike(folder, (beginning, writer.example), (files[index], image))
                writer.write(image)
                part.append(index)
        if min(map(len, kept)) < 2:
            raise ConfigError(
                f"dataset.path={folder}: {len(skipped)} of {len(files)} images cannot be read, such as {skipped[0]}, "
                "and too few are left"
            )
        if not writer.varied:
            raise all_the_same(f"dataset.path={folder}", len(files) - len(skipped))
    return {"shape": writer.shape, "kept": list(kept), "skipped": sorted(skipped), "checksum": writer.checksum}


def _ahead(read: _Read, files: Sequence[Path], indices: list[int]) -> Iterator[tuple[int, np.ndarray | None]]:
    """Each index with its image, in order. Several threads decode at once, as Pillow releases Python's lock."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for start in range(0, len(indices), _AHEAD):
            chosen = indices[start : start + _AHEAD]
            yield from zip(chosen, pool.map(read, [files[index] for index in chosen]), strict=True)


def _report_left_out(folder: Path, images: int, skipped: list[str], others: Sequence[Path]) -> None:
    if skipped:
        few = ", ".join(skipped[:_NAMED])
        log.warning(
            "gan-lab: warning: dataset.path=%s: %d of %d images cannot be read and are left out, such as %s",
            folder, len(skipped), images, few,
        )  # fmt: skip
    if others:
        few = ", ".join(shown(other.relative_to(folder)) for other in others[:_NAMED])
        log.info("dataset.path=%s: %d other files are left out, such as %s", folder, len(others), few)


def _unlike(folder: Path, one: tuple[Path, np.ndarray], other: tuple[Path, np.ndarray]) -> ConfigError:
    same_size = one[1].shape[:2] == other[1].shape[:2]
    way_on = (
        "dataset.channels=3 makes all colour, 1 grey"
        if same_size
        else "dataset.image_size=64 brings all to one size, of 64x64 pixels"
    )
    return ConfigError(
        f"dataset.path={folder}: {shown(other[0])} is {described(other[1].shape)}, and {shown(one[0])} is "
        f"{described(one[1].shape)}, expected all alike; {way_on}"
    )


def _unreadable(folder: Path, file: Path, error: OSError) -> ConfigError:
    return ConfigError(f"dataset.path={folder}: {shown(file)} cannot be read: {error.strerror}")
