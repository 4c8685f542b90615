"""Folders of image files that a user names: the files in them, their classes, and errors that name folder and file."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_lab.datasets.image_files import SUFFIXES, BrokenImage, UnfitImage, find_images
from gan_lab.datasets.readers import user_path
from gan_lab.errors import ConfigError, shown
from gan_lab.validation import check_flag, check_null_or_whole, quoted

_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}
_NAMED = 3  # file names in a message about many files

log = logging.getLogger(__name__)


class BrokenFile(ConfigError):
    """A file that cannot be decoded, and may be left out."""


class Folder(NamedTuple):
    """A folder and the configuration key that names it; as text the two begin an error."""

    key: str
    path: Path

    def __str__(self) -> str:
        return f"{self.key}={self.path}"

    @classmethod
    def named(cls, key: str, value: Any) -> "Folder":
        """The folder that a user wrote; ConfigError if the value is not text."""
        return cls(key, user_path(key, value))

    def files(self) -> tuple[list["File"], list["File"]]:
        """The images in the folder, of which there is at least one, and its other files; both sorted by path.

        Raises:
            ConfigError: if there is no image, or the folder cannot be read.
        """
        if os.path.isfile(self.path):
            way_on = "; dataset=npz reads .npz" if self.key == "dataset.path" else ""
            raise ConfigError(f"{self}: it is a file, expected a folder of images{way_on}")
        images, others = ([File(self, path) for path in paths] for paths in find_images(self.key, self.path))
        if not images:
            raise ConfigError(f"{self}: it holds no images ({', '.join(SUFFIXES)})")
        return images, others

    def by_name(self) -> dict[Path, "File"]:
        """The images in the folder by their paths below it, without suffixes; in order.

        Raises:
            ConfigError: as of `files`, and if two images have one name.
        """
        files, others = self.files()
        report_others(self, others)
        found: dict[Path, File] = {}
        for file in files:
            if (same := found.setdefault(file.below.with_suffix(""), file)) is not file:
                raise ConfigError(
                    f"{same} and {shown(file.path)} differ in their suffixes alone, expected one image of each name"
                )
        return found

    def classes(self, files: Sequence["File"]) -> tuple[list[str], Tensor | None]:
        """The names of the classes, and the class of each file; none if all files lie in the folder itself."""
        names = [file.below.parts[0] for file in files]
        beside = [file for file in files if len(file.below.parts) == 1]
        if len(beside) == len(files):
            return [], None
        if beside:
            below = next(file for file in files if len(file.below.parts) > 1)
            raise ConfigError(
                f"{beside[0]} lies in the folder itself and {shown(below.path)} in a subfolder, expected all in "
                "subfolders, which are then the classes, or none"
            )
        classes = sorted(set(names))
        if len(classes) > 1 and _SPLITS.issuperset(name.lower() for name in classes):
            raise ConfigError(
                f"{self}: its subfolders {' and '.join(classes)} are parts of a split, not classes; expected one of "
                f"them, such as {self.key}={self.path / classes[0]}"
            )
        numbers = {name: number for number, name in enumerate(classes)}
        return [shown(name) for name in classes], torch.tensor([numbers[name] for name in names])


class File(NamedTuple):
    """A file in a folder that a user named; as text it begins an error."""

    folder: Folder
    path: Path

    def __str__(self) -> str:
        return f"{self.folder}: {shown(self.path)}"

    @property
    def below(self) -> Path:
        """Its path below the folder."""
        return self.path.relative_to(self.folder.path)


@contextmanager
def naming(file: File) -> Iterator[None]:
    """Turn errors of `gan_lab.datasets.image_files` into ConfigErrors that name the file: BrokenFile if damaged."""
    try:
        yield
    except BrokenImage as error:
        way_on = "; dataset.skip_corrupt=true leaves such files out" if file.folder.key.startswith("dataset.") else ""
        raise BrokenFile(f"{file} {error}{way_on}") from error
    except UnfitImage as error:
        raise ConfigError(f"{file} {error}") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def check_reading(image_size: int | None, channels: int | None, skip_corrupt: bool) -> None:
    """Raise ValueError for an argument of `gan_lab.datasets.image_folder` that is out of range."""
    check_null_or_whole("image_size", image_size, 4, 2048)
    check_channels("channels", channels)
    check_flag("skip_corrupt", skip_corrupt)


def check_channels(name: str, channels: int | None) -> None:
    """Raise ValueError unless ``channels`` is None, 1 or 3."""
    if channels is not None and (type(channels) is not int or channels not in (1, 3)):
        raise ValueError(f"{name}={quoted(channels)}: expected null, 1 (grey) or 3 (colour)")


def resized(image_size: int | None) -> str | None:
    """What the record says of the resizing that `gan_lab.datasets.image_files.pixels_of` does."""
    return None if image_size is None else f"antialiased bicubic, centre crop to {image_size}x{image_size}"


def report_skipped(folder: Folder, count: int, skipped: Sequence[str], noun: str = "images") -> None:
    """Log a warning that tells which of so many images cannot be read."""
    if skipped:
        few = ", ".join(skipped[:_NAMED])
        log.warning(
            "gan-lab: warning: %s: %d of %d %s cannot be read and are left out, such as %s",
            folder, len(skipped), count, noun, few,
        )  # fmt: skip


def report_others(folder: Folder, others: Sequence[File]) -> None:
    """Log which files of a folder are no images."""
    if others:
        few = ", ".join(shown(other.below) for other in others[:_NAMED])
        log.info("%s: %d other files are left out, such as %s", folder, len(others), few)
