"""Small archives in the formats and the folder layout of published data sets, which pass for the published ones."""

import bz2
import gzip
import hashlib
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from gan_lab.datasets.published_sets import SOURCES

SHAPES = {"EMNIST": (28, 28), "KMNIST": (28, 28), "QMNIST": (28, 28), "STL10": (96, 96), "USPS": (16, 16)}


def drawn(name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images ``[N, H, W, C]`` and classes from 0 to 9, all ten in turn."""
    draw = np.random.default_rng(seed)
    grey = name in ("EMNIST", "KMNIST", "QMNIST", "USPS")
    shape = (*SHAPES.get(name, (32, 32)), 1 if grey else 3)
    return draw.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % 10


def idx(array: np.ndarray) -> bytes:
    code = {"uint8": 8, "int32": 12}[array.dtype.name]
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def cifar(folder: Path, files: dict[str, list[int]], images: np.ndarray, labels: np.ndarray, key: str) -> None:
    for file, rows in files.items():
        flat = images[rows].transpose(0, 3, 1, 2).reshape(len(rows), -1)
        (folder / file).write_bytes(pickle.dumps({"data": flat, key: labels[rows].tolist()}, protocol=2))


def ppm(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PPM")
    return stream.getvalue()


def write(name: str, folder: Path, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> None:
    """The files of a set, as its authors publish them."""
    folder.mkdir(parents=True, exist_ok=True)
    if name in ("CIFAR10", "CIFAR100"):
        key = "labels" if name == "CIFAR10" else "fine_labels"
        names = [f"data_batch_{number}" for number in range(1, 6)] if name == "CIFAR10" else ["train"]
        split = np.array_split(np.arange(len(train[0])), len(names))
        cifar(folder, {file: list(rows) for file, rows in zip(names, split, strict=True)}, *train, key)
        cifar(folder, {"test_batch" if name == "CIFAR10" else "test": list(range(len(test[0])))}, *test, key)
        meta = "label_names" if name == "CIFAR10" else "fine_label_names"
        (folder / ("batches.meta" if name == "CIFAR10" else "meta")).write_bytes(
            pickle.dumps({meta: list("abcdefghij")})
        )
    for part, (images, labels) in {"train": train, "test": test, "extra": train, "unlabeled": train}.items():
        if name == "SVHN" and part != "unlabeled":
            held = {"X": images.transpose(1, 2, 3, 0), "y": np.where(labels == 0, 10, labels)[:, None].astype(np.uint8)}
            savemat(folder / f"{part}_32x32.mat", held)
        elif name == "STL10" and part != "extra":
            images.transpose(0, 3, 2, 1).tofile(folder / f"{part}_X.bin")
            if part != "unlabeled":
                (labels + 1).astype(np.uint8).tofile(folder / f"{part}_y.bin")
        elif name in ("KMNIST", "QMNIST") and part in ("train", "test"):
            beginning = f"qmnist-{part}" if name == "QMNIST" else {"train": "train", "test": "t10k"}[part]
            kind, held = "labels-idx1-ubyte", labels.astype(np.uint8)
            if name == "QMNIST":
                kind, held = "labels-idx2-int", np.stack([labels, labels + 1000], 1).astype(np.int32)
            (folder / f"{beginning}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images[..., 0])))
            (folder / f"{beginning}-{kind}.gz").write_bytes(gzip.compress(idx(held)))
        elif name == "USPS" and part in ("train", "test"):
            values = images.reshape(len(images), -1) / 255 * 2 - 1
            lines = [
                f"{label + 1} " + " ".join(f"{n}:{value:.6f}" for n, value in enumerate(row, 1))
                for row, label in zip(values, labels, strict=True)
            ]
            ending = "" if part == "train" else ".t"
            (folder / f"usps{ending}.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    if name == "EMNIST":
        with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
            for split in ("balanced", "letters"):
                for part, (images, labels) in {"train": train, "test": test}.items():
                    beginning = f"gzip/emnist-{split}-{part}"
                    numbers = labels + (split == "letters")
                    turned = images[..., 0].swapaxes(1, 2) ^ (255 * (split == "letters"))  # other images
                    archive.writestr(f"{beginning}-images-idx3-ubyte.gz", gzip.compress(idx(turned)))
                    archive.writestr(f"{beginning}-labels-idx1-ubyte.gz", gzip.compress(idx(numbers.astype(np.uint8))))
    if name == "GTSRB":
        with zipfile.ZipFile(folder / "GTSRB-Training_fixed.zip", "w") as archive:
            for number, (image, label) in enumerate(zip(*train, strict=True)):
                archive.writestr(f"GTSRB/Training/{label:05d}/{number:05d}.ppm", ppm(image[: 20 + number % 3]))
        with zipfile.ZipFile(folder / "GTSRB_Final_Test_Images.zip", "w") as archive:
            for number, image in enumerate(test[0]):
                archive.writestr(f"GTSRB/Final_Test/Images/{number:05d}.ppm", ppm(image))
        with zipfile.ZipFile(folder / "GTSRB_Final_Test_GT.zip", "w") as archive:
            rows = [f"{number:05d}.ppm;32;{label}" for number, label in enumerate(test[1])]
            archive.writestr("GT-final_test.csv", "\r\n".join(["Filename;Width;ClassId", *rows]))


def fabricate(name: str, root: Path, patch: pytest.MonkeyPatch, train: int = 50, test: int = 20) -> list:
    """Write a set below a root and let its files pass for the published ones; its images and classes, by part."""
    parts = [drawn(name, train, 0), drawn(name, test, 1)]
    folder = root / SOURCES[name].folder
    write(name, folder, *parts)
    for file in SOURCES[name].files:
        patch.setitem(SOURCES[name].files, file, hashlib.md5((folder / file).read_bytes()).hexdigest())
    return parts
