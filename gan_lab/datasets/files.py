"""Samples out of files that other tools wrote: a folder of images, or a NumPy archive."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from gan_lab.errors import ConfigError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_MODES = {"L": "L", "1": "L", "RGB": "RGB", "P": "RGB"}  # of Pillow, and what each is read as without loss
_FEWEST = 4  # samples: two halves that have covariances
_ARRAYS = ("samples", "images", "arr_0")  # ours, the data sets', and what np.savez calls an array without a name


def read_samples(key: str, path: Path) -> tuple[Tensor, Tensor | None]:
    """Samples, uint8 ``[N, C, H, W]`` or float ``[N, D]``, and their labels ``[N]`` if the file has any.

    Args:
        key: what the user called it, for the errors.
        path: a folder of images, all of one size, or an ``.npz`` with an array ``samples``, ``images`` or ``arr_0``:
            uint8 ``[N, H, W, C]``, ``[N, C, H, W]`` or ``[N, H, W]``, or float ``[N, D]``, and perhaps ``labels``.

    Raises:
        ConfigError: for a file or folder that is missing, empty, broken or holds something else.
    """
    if path.is_dir():
        return _read_folder(key, path), None
    if not path.is_file():
        raise ConfigError(f"{key}={path}: there is no such file or folder")
    if path.suffix != ".npz":
        raise ConfigError(f"{key}={path}: expected a folder of images or a file NAME.npz")
    try:
        archive = np.load(path)
        if not isinstance(archive, NpzFile):
            raise ConfigError(f"{key}={path}: it is a single array, expected an archive, as np.savez writes it")
        with archive:
            arrays = {name: archive[name] for name in archive.files if name in (*_ARRAYS, "labels")}
            names = archive.files
    except (ValueError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ConfigError(f"{key}={path}: not an archive of numbers that NumPy can read") from error
    found = [name for name in _ARRAYS if name in arrays]
    if not found:
        raise ConfigError(
            f"{key}={path}: it holds {', '.join(names) or 'nothing'}, expected one of {', '.join(_ARRAYS)}"
        )
    samples = _as_samples(key, path, arrays[found[0]])
    if "labels" not in arrays:
        return samples, None
    labels = arrays["labels"]
    if labels.shape != (len(samples),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ConfigError(
            f"{key}={path}: its labels are {labels.dtype} {list(labels.shape)}, expected a whole number from 0 a sample"
        )
    return samples, torch.from_numpy(labels.astype(np.int64))


def _as_samples(key: str, path: Path, array: np.ndarray) -> Tensor:
    if array.ndim == 0 or len(array) < _FEWEST:
        count = len(array) if array.ndim else 0
        raise ConfigError(f"{key}={path}: it holds {count} samples, expected at least {_FEWEST}")
    if array.dtype.kind == "f" and array.ndim == 2 and array.size:
        if not np.isfinite(array).all():
            raise ConfigError(f"{key}={path}: sample {int(np.argwhere(~np.isfinite(array))[0][0])} is not finite")
        return torch.from_numpy(array.astype(np.float32))
    if array.dtype == np.uint8 and array.ndim == 3:
        array = array[:, None]
    elif array.dtype == np.uint8 and array.ndim == 4 and array.shape[-1] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] not in (1, 3) or not array.size:
        raise ConfigError(
            f"{key}={path}: its array is {array.dtype} {list(array.shape)}, expected uint8 [N, H, W, C], [N, C, H, W] "
            "or [N, H, W] with 1 or 3 channels, or float [N, D]"
        )
    return torch.from_numpy(np.ascontiguousarray(array))


def _read_folder(key: str, folder: Path) -> Tensor:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if len(files) < _FEWEST:
        kinds = ", ".join(_SUFFIXES)
        raise ConfigError(f"{key}={folder}: it holds {len(files)} images, expected at least {_FEWEST} ({kinds})")
    images: list[np.ndarray] = []
    for file in files:
        try:
            with Image.open(file) as opened:
                mode = opened.mode
                image = np.asarray(opened.convert(_MODES.get(mode, mode)))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ConfigError(f"{key}={folder}: {file} is not an image that can be read: {error}") from error
        if mode not in _MODES:
            raise ConfigError(f"{key}={folder}: {file} is of Pillow's mode {mode}, expected 8-bit grey or RGB")
        image = image[:, :, None] if image.ndim == 2 else image
        if images and image.shape != images[0].shape:
            raise ConfigError(
                f"{key}={folder}: {file} is {_size(image)}, and {files[0].name} is {_size(images[0])}: "
                "expected all alike"
            )
        images.append(image)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def _size(image: np.ndarray) -> str:
    height, width, channels = image.shape
    return f"{width}x{height} with {channels} channel{'s' if channels > 1 else ''}"
