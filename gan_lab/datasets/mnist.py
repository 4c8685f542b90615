"""MNIST and Fashion-MNIST, read with torchvision from its folder layout after their checksums were verified."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from gan_lab.datasets.dataset import Dataset, first
from gan_lab.datasets.readers import user_path
from gan_lab.errors import ConfigError
from gan_lab.storage.cache import locked
from gan_lab.validation import check_flag

_FILES = {  # each decompressed file: its size in bytes, and its SHA-256 in MNIST and in Fashion-MNIST
    "train-images-idx3-ubyte": (
        47040016,
        {
            "MNIST": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "FashionMNIST": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
    ),
    "train-labels-idx1-ubyte": (
        60008,
        {
            "MNIST": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "FashionMNIST": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
    ),
    "t10k-images-idx3-ubyte": (
        7840016,
        {
            "MNIST": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "FashionMNIST": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
    ),
    "t10k-labels-idx1-ubyte": (
        10008,
        {
            "MNIST": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "FashionMNIST": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ),
}


def mnist(root: str, download: bool = False, max_samples: int | None = None) -> Dataset:
    """28×28 grey images of handwritten digits, 60,000 to train on and 10,000 held out (LeCun et al. 1998).

    Args:
        root: folder that contains ``MNIST/raw`` with the four decompressed IDX files.
        download: download missing files into it.
        max_samples: number of images to train on, the first ones; None for all.

    Raises:
        ConfigError: if a file is missing or differs from the published one.
    """
    return _load("MNIST", "mnist", root, download, max_samples)


def fashion_mnist(root: str, download: bool = False, max_samples: int | None = None) -> Dataset:
    """28×28 grey images of clothing, 60,000 to train on and 10,000 held out (Xiao et al. 2017, arXiv 1708.07747).

    Arguments and errors are those of `mnist`; the files lie in ``FashionMNIST/raw``.
    """
    return _load("FashionMNIST", "fashion_mnist", root, download, max_samples)


def _load(name: str, dataset: str, root: str, download: bool, max_samples: int | None) -> Dataset:
    check_flag("download", download)
    raw = user_path("dataset.root", root) / name / "raw"
    if download and _faults(raw):
        _download(name, raw)
    faults = _faults(raw)
    if missing := [file for file, fault in faults.items() if fault == "missing"]:
        raise ConfigError(
            f"dataset={dataset}: the folder {raw} lacks {', '.join(missing)}; put the decompressed files there "
            "(dataset.root=FOLDER names another place), or fetch them with dataset.download=true"
        )
    for file, fault in faults.items():
        raise ConfigError(
            f"dataset={dataset}: {raw / file} is not the published file: it has {fault}; replace it, or fetch it again "
            "with dataset.download=true"
        )
    source = _source(name)
    train = source(raw.parent.parent, train=True, download=False)
    test = source(raw.parent.parent, train=False, download=False)
    return Dataset(
        *first(max_samples, train.data.unsqueeze(1), train.targets),
        test.data.unsqueeze(1),
        test.targets,
        hashlib.sha256("".join(published[name] for _, published in _FILES.values()).encode()).hexdigest(),
    )


def _source(name: str) -> Any:
    """torchvision's class, imported late: it takes seconds."""
    import torchvision.datasets

    return getattr(torchvision.datasets, name)


def _faults(raw: Path) -> dict[str, str]:
    """What is wrong with the files that differ from the published ones, by file name."""
    faults = {}
    for name, (size, published) in _FILES.items():
        file = raw / name
        try:
            actual = file.stat().st_size
            if actual != size:
                faults[name] = f"{actual} bytes, expected {size}"
                continue
            digest, expected = hashlib.sha256(file.read_bytes()).hexdigest(), published[raw.parent.name]
        except (FileNotFoundError, NotADirectoryError):
            faults[name] = "missing"
            continue
        except OSError as error:
            raise ConfigError(f"dataset.root: {file} cannot be read: {error.strerror}") from error
        if digest != expected:
            faults[name] = f"a SHA-256 that starts {digest[:12]}, expected {expected[:12]}"
    return faults


def _download(name: str, raw: Path) -> None:
    """Download into a temporary folder on the same file system, then rename, so that no process sees half a file.

    torchvision checks the MD5 of what it downloads. A lock keeps parallel runs from downloading the same files twice.
    It lies in the cache folder, as lock files are left behind.
    """
    with locked("downloads", {"folder": str(raw.resolve())}):
        if not _faults(raw):
            return
        there = next(folder for folder in raw.parents if folder.is_dir())  # a failed download makes no folders
        try:
            with tempfile.TemporaryDirectory(prefix=".download-", dir=there) as scratch:
                _source(name)(scratch, train=True, download=True)
                fetched = Path(scratch) / name / "raw"
                raw.mkdir(parents=True, exist_ok=True)
                for file in _FILES:
                    os.replace(fetched / file, raw / file)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())  # torchvision's message has a line for each mirror
            raise ConfigError(f"dataset.download=true: {name} could not be fetched: {reason}") from error
