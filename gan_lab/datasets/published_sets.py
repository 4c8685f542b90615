"""The data sets of `gan_lab.datasets.torchvision_set`: their files, the published checksums, and what reads them.

The checksums are those of torchvision, which in turn has them from the authors.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gan_lab.datasets import published_readers as readers
from gan_lab.datasets.published import Published, PublishedSet


@dataclass(frozen=True)
class Split:
    """What is trained on and held out.

    Args:
        needed: names of the files that are read.
        train: reads the samples to train on from the folder of the files.
        test: reads those held out.
        downloads: arguments with which torchvision's class fetches the files.
    """

    needed: tuple[str, ...]
    train: Callable[[Path], readers.Samples]
    test: Callable[[Path], readers.Samples]
    downloads: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Source:
    """A data set.

    Args:
        folder: where its files lie below the root, as torchvision puts them.
        files: MD5 checksums by file name.
        splits: by name; the first one is the default.
        sizes_differ: whether its images are of different sizes.
    """

    folder: str
    files: Mapping[str, str]
    splits: Mapping[str, Split]
    sizes_differ: bool = False

    def published(self, name: str, split: str) -> PublishedSet:
        """The files, to be verified, and what fetches those of a split."""
        files = {file: Published(md5) for file, md5 in self.files.items()}
        return PublishedSet(name, self.folder, files, self.splits[split].downloads)


_BY_FLAG = ({"train": True}, {"train": False})
_BY_NAME = ({"split": "train"}, {"split": "test"})


def _cifar(folder: str, train: Mapping[str, str], test: Mapping[str, str], meta: Mapping[str, str], key: str) -> Source:
    files = {**train, **test, **meta}
    read = partial(readers.cifar, labels=key)
    split = Split(
        tuple(files),
        lambda folder: read(folder, list(train)),
        lambda folder: read(folder, list(test)),
        _BY_FLAG[:1],
    )
    return Source(folder, files, {"train": split})


def _svhn(split: str) -> Split:
    names = (f"{split}_32x32.mat", "test_32x32.mat")
    return Split(
        names,
        lambda folder: readers.svhn(folder / names[0]),
        lambda folder: readers.svhn(folder / names[1]),
        ({"split": split}, {"split": "test"}),
    )


def _stl10(split: str) -> Split:
    labelled = split == "train"  # where the training images have no classes, those of the test images are not read
    needed = (f"{split}_X.bin", "test_X.bin") + (("train_y.bin", "test_y.bin") if labelled else ())
    return Split(
        needed,
        lambda folder: readers.stl10(folder / needed[0], folder / "train_y.bin" if labelled else None),
        lambda folder: readers.stl10(folder / needed[1], folder / "test_y.bin" if labelled else None),
        _BY_NAME[:1],
    )


def _emnist(split: str) -> Split:
    return Split(
        ("gzip.zip",),
        lambda folder: readers.emnist(folder / "gzip.zip", split, "train"),
        lambda folder: readers.emnist(folder / "gzip.zip", split, "test"),
        ({"split": split},),
    )


def _gzipped(train: str, test: str, downloads: tuple[Mapping[str, Any], ...], labels: str = "idx1-ubyte") -> Split:
    """A split of compressed IDX files, by the beginnings of their names; ``labels`` ends the files of classes."""
    needed = tuple(f"{part}-{kind}.gz" for part in (train, test) for kind in ("images-idx3-ubyte", f"labels-{labels}"))
    return Split(
        needed,
        lambda folder: readers.gzipped_idx(folder / needed[0], folder / needed[1]),
        lambda folder: readers.gzipped_idx(folder / needed[2], folder / needed[3]),
        downloads,
    )


_GTSRB = ("GTSRB-Training_fixed.zip", "GTSRB_Final_Test_Images.zip", "GTSRB_Final_Test_GT.zip")

SOURCES = {
    "CIFAR10": _cifar(
        "cifar-10-batches-py",
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        {"test_batch": "40351d587109b95175f43aff81a1287e"},
        {"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"},
        "labels",
    ),
    "CIFAR100": _cifar(
        "cifar-100-python",
        {"train": "16019d7e3df5f24257cddd939b257f8d"},
        {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        {"meta": "7973b15100ade9c7d40fb424638fde48"},
        "fine_labels",
    ),
    "EMNIST": Source(
        "EMNIST/raw",
        {"gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"},
        {name: _emnist(name) for name in ("balanced", "letters", "digits", "mnist", "byclass", "bymerge")},
    ),
    "GTSRB": Source(
        "gtsrb",
        {
            _GTSRB[0]: "513f3c79a4c5141765e10e952eaa2478",
            _GTSRB[1]: "c7e4e6327067d32654124b0fe9e82185",
            _GTSRB[2]: "fe31e9c9270bbcd7b84b7f21a9d9d9e5",
        },
        {
            "train": Split(
                _GTSRB,
                lambda folder: readers.gtsrb_train(folder / _GTSRB[0]),
                lambda folder: readers.gtsrb_test(folder / _GTSRB[1], folder / _GTSRB[2]),
                _BY_NAME,
            )
        },
        sizes_differ=True,
    ),
    "KMNIST": Source(
        "KMNIST/raw",
        {
            "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
            "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
            "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
            "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
        },
        {"train": _gzipped("train", "t10k", _BY_FLAG[:1])},
    ),
    "QMNIST": Source(
        "QMNIST/raw",
        {
            "qmnist-train-images-idx3-ubyte.gz": "ed72d4157d28c017586c42bc6afe6370",
            "qmnist-train-labels-idx2-int.gz": "0058f8dd561b90ffdd0f734c6a30e5e4",
            "qmnist-test-images-idx3-ubyte.gz": "1394631089c404de565df7b7aeaf9412",
            "qmnist-test-labels-idx2-int.gz": "5b5b05890a5e13444e108efe57b788aa",
        },
        {"train": _gzipped("qmnist-train", "qmnist-test", _BY_FLAG, "idx2-int")},
    ),
    "STL10": Source(
        "stl10_binary",
        {
            "train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
            "train_y.bin": "5a34089d4802c674881badbb80307741",
            "unlabeled_X.bin": "5242ba1fed5e4be9e1e742405eb56ca4",
            "test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
            "test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
        },
        {name: _stl10(name) for name in ("train", "unlabeled")},
    ),
    "SVHN": Source(
        "",
        {
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
            "extra_32x32.mat": "a93ce644f1a588dc4d68dda5feec44a7",
        },
        {name: _svhn(name) for name in ("train", "extra")},
    ),
    "USPS": Source(
        "",
        {"usps.bz2": "ec16c51db3855ca6c91edd34d0e9b197", "usps.t.bz2": "8ea070ee2aca1ac39742fdd1ef5ed118"},
        {
            "train": Split(
                ("usps.bz2", "usps.t.bz2"),
                lambda folder: readers.usps(folder / "usps.bz2"),
                lambda folder: readers.usps(folder / "usps.t.bz2"),
                _BY_FLAG,
            )
        },
    ),
}
