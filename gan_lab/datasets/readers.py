"""Reading samples that other tools wrote: a folder of images, or a NumPy archive."""

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import MAGIC_PREFIX
from torch import Tensor

from gan_lab.datasets.image_files import SUFFIXES, UnfitImage, described, find_images, read_image
from gan_lab.errors import ConfigError, shown
from gan_lab.validation import typed

_FEWEST = 4  # samples: a covariance needs two in each half
_ARRAYS = ("samples", "images", "arr_0")  # gan-lab's name, the datasets', and np.savez's for an array without one
_NAMED = 5  # array names in a message about many


def user_path(key: str, path: Any) -> Path:
    """A path as the user wrote it, with ``~`` expanded.

    Args:
        key: its configuration key, for errors.
        path: the value, which is not text if Hydra read the name of a folder as a number.

    Raises:
        ConfigError: if it is empty, not text, or no path.
    """
    if isinstance(path, str) and "\0" in path:
        raise ConfigError(f"{key}={path!r}: expected a path; it has a NUL character")
    if not isinstance(path, str) or not path:
        raise ConfigError(
            f"{key}={typed(path)}: expected a path, as text, such as {key}=./{'data' if path in (None, '') else path}"
        )
    return Path(os.path.expanduser(path))


def read_samples(key: str, path: Path) -> tuple[Tensor, Tensor | None]:
    """Samples, uint8 ``[N, C, H, W]`` or float32 ``[N, D]``, and labels ``[N]`` int64 if the file has any.

    Args:
        key: the configuration key of the path, for errors.
        path: a folder of images that all have one size, or an ``.npz`` file, see `read_archive`.

    Raises:
        ConfigError: for a file or folder that is missing, empty, damaged or holds something else.
    """
    return (_read_folder(key, path), None) if path.is_dir() else read_archive(key, path)


def read_archive(key: str, file: Path) -> tuple[Tensor, Tensor | None]:
    """Samples, uint8 ``[N, C, H, W]`` or float32 ``[N, D]``, and labels ``[N]`` int64 if the archive has any.

    Args:
        key: the configuration key of the file, for errors.
        file: an ``.npz`` file with an array ``samples``, ``images`` or ``arr_0``: images as uint8 ``[N, H, W, C]``,
            ``[N, C, H, W]`` or ``[N, H, W]``, or points as floats ``[N, D]``. An array ``labels``, ``[N]``, is
            optional. Pickled objects are never read.

    Raises:
        ConfigError: for a file that is missing, damaged or holds something else.
    """
    if os.path.isfile(file) and file.suffix != ".npz":
        raise ConfigError(f"{key}={file}: expected a folder of images or a file NAME.npz")
    try:
        held = _load(file)
    except FileNotFoundError as error:
        raise ConfigError(f"{key}={file}: there is no such file or folder") from error
    except IsADirectoryError as error:
        raise ConfigError(
            f"{key}={file}: it is a folder, expected a file NAME.npz; dataset=image_folder reads folders of images"
        ) from error
    except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise errors of many kinds
        reason = " ".join(str(error).split()).partition(". ")[0] or type(error).__name__
        raise ConfigError(
            f"{key}={file}: not an archive that NumPy can read: {reason}; expected arrays of numbers, as np.savez "
            "writes them"
        ) from error
    if held is None:
        raise ConfigError(f"{key}={file}: it is a single array, expected an archive, as np.savez writes it")
    names, arrays = held
    found = [name for name in _ARRAYS if isinstance(arrays.get(name), np.ndarray)]
    if not found:
        few = ", ".join(map(repr, names[:_NAMED])) + (", ..." if len(names) > _NAMED else "")
        raise ConfigError(f"{key}={file}: it holds {few or 'nothing'}, expected one of the arrays {', '.join(_ARRAYS)}")
    samples = _as_samples(key, file, arrays[found[0]])
    return samples, _as_labels(key, file, arrays["labels"], len(samples)) if "labels" in arrays else None


def _load(file: Path) -> tuple[list[str], dict[str, Any]] | None:
    """The names of all arrays in an archive, and the arrays that are used; None if the file is a single array."""
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # reading a pipe could block for ever
        raise ValueError("it is no ordinary file")
    if not zipfile.is_zipfile(file):  # NumPy would take the file for a pickle
        with file.open("rb") as stream:
            if stream.read(len(MAGIC_PREFIX)) == MAGIC_PREFIX:
                return None
        raise ValueError("it is no zip file, or not a whole one")
    with np.load(file) as loaded:
        return loaded.files, {name: loaded[name] for name in loaded.files if name in (*_ARRAYS, "labels")}


def _as_samples(key: str, path: Path, array: np.ndarray) -> Tensor:
    if array.ndim == 0 or len(array) < _FEWEST:
        count = len(array) if array.ndim else 0
        raise ConfigError(f"{key}={path}: it holds {count} samples, expected at least {_FEWEST}")
    if array.dtype.kind == "f" and array.ndim == 2 and array.shape[1] > 1:
        with np.errstate(over="ignore"):  # values too large for float32 are refused below
            points = array.astype(np.float32)
        if not np.isfinite(points).all():
            row, column = np.argwhere(~np.isfinite(points))[0]
            raise ConfigError(
                f"{key}={path}: sample {row} holds {array[row, column]}, expected numbers that are finite as float32"
            )
        return torch.from_numpy(points)
    if array.dtype == np.uint8 and array.ndim == 3:
        array = array[:, None]
    elif array.dtype == np.uint8 and array.ndim == 4 and array.shape[-1] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] not in (1, 3) or not array.size:
        raise ConfigError(
            f"{key}={path}: its array is {array.dtype} {list(array.shape)}, expected uint8 [N, H, W, C], [N, C, H, W] "
            "or [N, H, W] with 1 or 3 channels (the range of float pixels is not known), or float [N, D] with D of at "
            "least 2"
        )
    return torch.from_numpy(np.ascontiguousarray(array))


def _as_labels(key: str, path: Path, labels: Any, count: int) -> Tensor:
    # a label of N or more for N samples cannot number a class; it may be an identifier
    if (
        not isinstance(labels, np.ndarray)
        or labels.shape != (count,)
        or labels.dtype.kind not in "iu"
        or labels.min() < 0
        or labels.max() >= count
    ):
        kind = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, np.ndarray) else "no array"
        span = f" from {labels.min()} to {labels.max()}" if kind.startswith(("int", "uint")) and labels.size else ""
        raise ConfigError(
            f"{key}={path}: its labels are {kind}{span}, expected a whole number from 0 to below the number of "
            f"classes for each of the {count} samples"
        )
    return torch.from_numpy(labels.astype(np.int64))


def _read_folder(key: str, folder: Path) -> Tensor:
    files, _ = find_images(key, folder)
    if len(files) < _FEWEST:
        kinds = ", ".join(SUFFIXES)
        raise ConfigError(f"{key}={folder}: it holds {len(files)} images, expected at least {_FEWEST} ({kinds})")
    images: list[np.ndarray] = []
    for file in files:
        try:
            image = read_image(file)
        except UnfitImage as error:
            raise ConfigError(f"{key}={folder}: {shown(file)} {error}") from error
        except OSError as error:
            raise ConfigError(f"{key}={folder}: {shown(file)} cannot be read: {error.strerror}") from error
        if images and image.shape != images[0].shape:
            raise ConfigError(
                f"{key}={folder}: {shown(file)} is {described(image.shape)}, and {shown(files[0])} is "
                f"{described(images[0].shape)}, expected all alike"
            )
        images.append(image)
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
