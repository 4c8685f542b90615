"""Image files, decoded once into one file of the cache (`gan_lab.datasets.pixel_file`)."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
import torch
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.dataset import all_the_same, checksum
from gan_lab.datasets.folders import BrokenFile, File, naming
from gan_lab.datasets.image_files import described
from gan_lab.datasets.pixel_file import PixelWriter, mapped
from gan_lab.errors import ConfigError, shown
from gan_lab.storage.cache import cache_file, cached, code_hash, naming_the_cache
from gan_lab.storage.files import replacing

_CODE = [
    Path(__file__).with_name(f"{module}.py")
    for module in ("decoding", "folders", "image_folder", "pairs", "image_files", "dataset", "pixel_file")
]
_AHEAD = 256  # items decoded before they are written, to bound memory

Item = tuple[File, ...]
"""Files that are decoded together: one, or those of a sample and of its source."""
Images = list[np.ndarray]
"""What an item holds, a sample or it and its source: uint8 ``[H, W, C]`` of one height and width."""


class Decoded(NamedTuple):
    """The images of all items that could be read.

    Args:
        train: those to train on: for each image of an item, a tensor ``[N, C, H, W]`` uint8.
        test: those held out.
        kept: the indices of the items of both parts.
        skipped: the names of the items that are left out, in order.
        checksum: the SHA-256 of all pixels.
    """

    train: tuple[Tensor, ...]
    test: tuple[Tensor, ...]
    kept: tuple[list[int], list[int]]
    skipped: list[str]
    checksum: str

    def labels(self, labels: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The classes of the images of both parts, from those of all items."""
        if labels is None:
            return None, None
        train, test = (labels[torch.tensor(part)] for part in self.kept)
        return train, test

    def identity(self, *labels: Tensor | None) -> str:
        """A checksum of the pixels, of the split and of the classes of both parts."""
        of_labels = checksum(*(part for part in labels if part is not None))
        return hashlib.sha256(f"{self.checksum} {len(self.train[0])} {of_labels}".encode()).hexdigest()


@dataclass(frozen=True)
class Decoder:
    """Decodes items into the cache, unless it holds them.

    Args:
        items: at least one.
        read: the images of an item; a ConfigError names the file that cannot be used.
        settings: what ``read`` depends on besides the files, as plain values.
        skip_corrupt: leave out items of which a file cannot be decoded, instead of raising the error for the first.
        noun: what the items are called.
    """

    items: Sequence[Item]
    read: Callable[[Item], Images]
    settings: Sequence[Any]
    skip_corrupt: bool
    noun: str = "images"

    def decoded(self, parts: tuple[Tensor, Tensor]) -> Decoded:
        """The images of all items.

        Args:
            parts: indices of the items to train on, and of those held out.

        Raises:
            ConfigError: for a file that cannot be used, images that are not alike or all the same, or too few.
        """
        key = {
            "files": self._listing_hash(),
            "settings": [*self.settings, self.skip_corrupt],
            "code": code_hash(*_CODE),
            "pillow": PIL.__version__,
        }
        pixels = cache_file("images", key).with_suffix(".pixels")
        made: dict[str, Any] = cached("images", key, lambda: self._decode(parts, pixels))
        both = mapped(pixels, made["shape"], [len(kept) for kept in made["kept"]], made["checksum"])
        train, test = (part.split(made["channels"], dim=1) for part in both)
        return Decoded(train, test, tuple(made["kept"]), made["skipped"], made["checksum"])

    @property
    def _what(self) -> str:
        return str(self.items[0][0].folder)

    def _listing_hash(self) -> str:
        """A hash of the files' names, sizes and times of change: it changes whenever a file does."""
        digest = hashlib.sha256()
        for file in (file for item in self.items for file in item):
            with naming(file):
                status = file.path.stat()
            digest.update(os.fsencode(file.below))
            digest.update(f"\0{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}\0".encode())
        return digest.hexdigest()

    def _decode(self, parts: tuple[Tensor, Tensor], pixels: Path) -> dict[str, Any]:
        """Write the pixels of all items into one file, those to train on first; a pair's images follow each other.

        Returns:
            ``shape``: ``[C, H, W]`` of all images of an item together; ``channels``: C of each; ``kept``,
            ``skipped``, ``checksum``: as in `Decoded`.
        """
        kept: tuple[list[int], list[int]] = ([], [])
        skipped: list[str] = []
        first: tuple[Item, Images] | None = None
        with (
            naming_the_cache(),
            replacing(pixels) as stream,
            tqdm(total=len(self.items), desc=f"reading {self.noun}, once", delay=2, disable=None, leave=False) as bar,
        ):
            writer = PixelWriter(stream)
            for part, indices in zip(kept, parts, strict=True):
                for index, images in self._ahead(indices.tolist()):
                    bar.update()
                    item = self.items[index]
                    if images is None:
                        skipped.append(shown(item[0].below))
                        continue
                    first = first or (item, images)
                    _check_alike(first, (item, images))
                    writer.write(images[0] if len(images) == 1 else np.concatenate(images, axis=2))
                    part.append(index)
            if first is None or min(map(len, kept)) < 2:
                raise ConfigError(
                    f"{self._what}: {len(skipped)} of {len(self.items)} {self.noun} cannot be read, such as "
                    f"{skipped[0]}, and too few are left"
                )
            channels = [image.shape[2] for image in first[1]]
            for number, varied in enumerate(np.split(writer.varied, np.cumsum(channels)[:-1])):
                if not varied.any():
                    folder = first[0][number % len(first[0])].folder
                    raise all_the_same(str(folder), sum(map(len, kept)), "sources" if number else "samples")
        return {
            "shape": writer.shape,
            "channels": channels,
            "kept": list(kept),
            "skipped": sorted(skipped),
            "checksum": writer.checksum,
        }

    def _ahead(self, indices: list[int]) -> Iterator[tuple[int, Images | None]]:
        """Each index with its images, in order. Several threads decode at once, as Pillow releases Python's lock."""
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for start in range(0, len(indices), _AHEAD):
                chosen = indices[start : start + _AHEAD]
                yield from zip(chosen, pool.map(self._read, [self.items[index] for index in chosen]), strict=True)

    def _read(self, item: Item) -> Images | None:
        """The images of an item; None if it is to be left out."""
        try:
            return self.read(item)
        except BrokenFile:
            if self.skip_corrupt:
                return None
            raise


def _check_alike(one: tuple[Item, Images], other: tuple[Item, Images]) -> None:
    """Raise ConfigError unless the images of two items have the same shapes."""
    for number, (known, image) in enumerate(zip(one[1], other[1], strict=True)):
        if image.shape == known.shape:
            continue
        beginning, file = (item[number % len(item)] for item in (one[0], other[0]))
        same_size = image.shape[:2] == known.shape[:2]
        of_source = number > 0 or file.folder.key == "dataset.source"
        way_on = (
            f"dataset.{'source_' * of_source}channels=3 makes all colour, 1 grey"
            if same_size
            else "dataset.image_size=64 brings all to one size, of 64x64 pixels"
        )
        raise ConfigError(
            f"{file} is {described(image.shape)}, and {shown(beginning.path)} is {described(known.shape)}, expected "
            f"all alike; {way_on}"
        )
