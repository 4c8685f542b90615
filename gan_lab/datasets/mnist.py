"""MNIST and Fashion-MNIST, read with torchvision from its folder layout after their checksums were verified."""

import hashlib

from gan_lab.datasets.dataset import Dataset, first
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.published import Published, PublishedSet
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


def mnist(
    root: str,
    download: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """28×28 grey images of handwritten digits, 60,000 to train on and 10,000 held out (LeCun et al. 1998).

    Args:
        root: folder that contains ``MNIST/raw`` with the four decompressed IDX files.
        download: download missing files into it.
        max_samples: number of images to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    Raises:
        ConfigError: if a file is missing or differs from the published one.
        ValueError: for an argument out of range.
    """
    return _load("MNIST", "dataset=mnist", root, download, max_samples, Drawing(subset, flip, dequantise))


def fashion_mnist(
    root: str,
    download: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """28×28 grey images of clothing, 60,000 to train on and 10,000 held out (Xiao et al. 2017, arXiv 1708.07747).

    Arguments and errors are those of `mnist`; the files lie in ``FashionMNIST/raw``.
    """
    drawing = Drawing(subset, flip, dequantise)
    return _load("FashionMNIST", "dataset=fashion_mnist", root, download, max_samples, drawing)


def _load(name: str, option: str, root: str, download: bool, max_samples: int | None, drawing: Drawing) -> Dataset:
    check_flag("download", download)
    files = {file: Published(checksums[name], "sha256", size) for file, (size, checksums) in _FILES.items()}
    published = PublishedSet(name, f"{name}/raw", files, [{"train": True}])  # which fetches the test files too
    raw = published.place(root)
    published.verify(option, raw, download)
    read = published.torchvision_class()
    train, test = (read(raw.parent.parent, train=part, download=False) for part in (True, False))
    return Dataset(
        *first(max_samples, train.data.unsqueeze(1), train.targets),
        test.data.unsqueeze(1),
        test.targets,
        hashlib.sha256("".join(file.checksum for file in files.values()).encode()).hexdigest(),
        drawing=drawing,
    )
