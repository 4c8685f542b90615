"""Readers of the file formats in which data sets are published. Their files' checksums have been verified before.

Each yields images, uint8 ``[H, W, C]``, with their classes; None is the class of images without one. Formats are read
here and not by torchvision, which reads decompressed copies that have no published checksum, and decodes all at once.
"""

import bz2
import codecs
import csv
import gzip
import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

Samples = Iterator[tuple[np.ndarray, int | None]]

_IDX_TYPES = {8: ">u1", 12: ">i4"}  # codes of the format's element types


def cifar(folder: Path, names: list[str], labels: str) -> Samples:
    """CIFAR-10 and CIFAR-100: pickles of rows of 3·32·32 pixels; ``labels`` is their entry of classes."""
    for name in names:
        with (folder / name).open("rb") as stream:
            held: dict[str, Any] = _ArraysOnly(stream, encoding="latin1").load()
        images = held["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        yield from zip(images, held[labels], strict=True)


class _ArraysOnly(pickle.Unpickler):
    """Unpickles NumPy's arrays and Python's own containers, and nothing that could run code."""

    _ALLOWED: ClassVar[dict[str, Any]] = {
        "_reconstruct": np.empty(0).__reduce__()[0],
        "ndarray": np.ndarray,
        "dtype": np.dtype,
        "encode": codecs.encode,  # makes bytes out of the text that Python 3 writes for them
    }

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] in ("numpy", "_codecs") and name in self._ALLOWED:
            return self._ALLOWED[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


def svhn(file: Path) -> Samples:
    """SVHN: a MATLAB file of images ``[32, 32, 3, N]``; the digit 0 has the label 10."""
    from scipy.io import loadmat  # imported late: it takes a second

    held = loadmat(file)
    yield from zip(held["X"].transpose(3, 0, 1, 2), (held["y"].ravel() % 10).tolist(), strict=True)


def stl10(images: Path, labels: Path | None) -> Samples:
    """STL-10: raw pixels, column by column, of 3·96·96 each, and classes that begin with 1."""
    pixels = np.memmap(images, np.uint8, "r").reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
    classes = [None] * len(pixels) if labels is None else (np.fromfile(labels, np.uint8) - 1).tolist()
    yield from zip(pixels, classes, strict=True)


def idx(images: bytes, labels: bytes, transposed: bool = False, first: int = 0) -> Samples:
    """The format of MNIST, decompressed: images ``[N, H, W]``, and classes ``[N]`` or ``[N, 8]``.

    Args:
        images: the content of the file of images.
        labels: that of the file of classes; of several columns the first is read (QMNIST).
        transposed: whether rows and columns of the images are exchanged (EMNIST).
        first: the number of the first class.
    """
    pixels, classes = _array(images), _array(labels)
    if transposed:
        pixels = pixels.swapaxes(1, 2)
    numbers = (classes if classes.ndim == 1 else classes[:, 0]).astype(int) - first
    yield from zip(pixels[..., None], numbers.tolist(), strict=True)


def _array(content: bytes) -> np.ndarray:
    """An array in IDX: two zeros, the type, the number of dimensions, their sizes, the elements."""
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    return np.frombuffer(content, _IDX_TYPES[content[2]], offset=4 + 4 * dimensions).reshape(shape)


def gzipped_idx(images: Path, labels: Path) -> Samples:
    """`idx` of two files, compressed by gzip."""
    yield from idx(gzip.decompress(images.read_bytes()), gzip.decompress(labels.read_bytes()))


def emnist(archive: Path, split: str, part: str) -> Samples:
    """EMNIST: compressed IDX files in a zip file; classes of letters begin with 1, and images are transposed."""
    with zipfile.ZipFile(archive) as opened:
        images, labels = (
            gzip.decompress(opened.read(f"gzip/emnist-{split}-{part}-{kind}-ubyte.gz"))
            for kind in ("images-idx3", "labels-idx1")
        )
    yield from idx(images, labels, transposed=True, first=1 if split == "letters" else 0)


def usps(file: Path) -> Samples:
    """USPS: lines of text, a class from 1 to 10 and 256 values in [−1, 1], which become pixels as in torchvision."""
    with bz2.open(file, "rt") as lines:
        for line in lines:
            label, *entries = line.split()
            values = np.array([entry.split(":")[1] for entry in entries], np.float32)
            yield ((values + 1) / 2 * 255).astype(np.uint8).reshape(16, 16, 1), int(label) - 1


def gtsrb_train(archive: Path) -> Samples:
    """GTSRB's training images, in random order, as the archive sorts them by class, which names their folder."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".ppm"))
        for index in torch.randperm(len(names), generator=torch.Generator().manual_seed(0)).tolist():
            yield _ppm(opened, names[index]), int(names[index].split("/")[-2])


def gtsrb_test(archive: Path, truth: Path) -> Samples:
    """GTSRB's test images, whose classes are in a table in an archive of its own."""
    with zipfile.ZipFile(truth) as opened, opened.open("GT-final_test.csv") as table:
        rows = list(csv.DictReader(io.TextIOWrapper(table), delimiter=";", skipinitialspace=True))
    with zipfile.ZipFile(archive) as opened:
        for row in rows:
            yield _ppm(opened, f"GTSRB/Final_Test/Images/{row['Filename']}"), int(row["ClassId"])


def _ppm(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with Image.open(io.BytesIO(archive.read(name)), formats=["PPM"]) as image:
        return np.asarray(image.convert("RGB"))
