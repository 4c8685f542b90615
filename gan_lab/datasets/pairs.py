"""Pairs of pictures in files: a source, and the sample that it is translated to."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from gan_lab.datasets.dataset import Dataset, hold_out
from gan_lab.datasets.decoding import Decoder, Images, Item
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.folders import (
    File,
    Folder,
    check_channels,
    check_reading,
    naming,
    report_others,
    report_skipped,
    resized,
)
from gan_lab.datasets.image_files import UnfitImage, open_image, pixels_of
from gan_lab.datasets.source import Source
from gan_lab.errors import ConfigError, shown
from gan_lab.validation import check_choice


def pairs(
    path: str | None = None,
    source_side: str = "left",
    source: str | None = None,
    target: str | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    source_channels: int | None = None,
    held_out: float = 0.2,
    skip_corrupt: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """Pairs of images, uint8 ``[N, C, H, W]`` each: samples, and the source of each.

    They lie side by side in the files of one folder, as those of Isola et al. 2017 (arXiv 1611.07004) do, or in two
    folders under equal names, whatever their suffixes. Subfolders, if there are any, are the classes, as of
    `image_folder`; those of two folders have the same names.

    Args:
        path: a folder of pictures, each of two images side by side; None if there are two folders.
        source_side: the half of such a picture that is the source: left or right.
        source: the folder of the sources; None if there is one folder.
        target: the folder of the samples; None if there is one folder.
        image_size: side in pixels of the square that each image is resized and cropped to; None for images that all
            have one size already.
        channels: 1 converts all samples to grey, 3 to colour; None for samples that are all alike already.
        source_channels: the same for the sources.
        held_out: share of the pairs to hold out for evaluation, see `hold_out`.
        skip_corrupt: leave out pairs of which a file cannot be decoded, instead of raising an error for the first.
        max_samples: number of pairs to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`; a pair's images are mirrored together, and noise is added to samples.

    Raises:
        ConfigError: for a folder that is missing, an image without a partner, or a file that cannot be used.
        ValueError: for an argument out of range.
    """
    check_reading(image_size, channels, skip_corrupt)
    check_channels("source_channels", source_channels)
    drawing = Drawing(subset, flip, dequantise)
    found = _found(path, source_side, source, target)
    reader = _Reader(channels, source_channels, image_size, source_side)
    return _read_pairs(*found, reader, held_out, skip_corrupt).limited(max_samples, drawing)


def _found(path: str | None, source_side: str, source: str | None, target: str | None) -> tuple[Folder, list[Item]]:
    """The folder of the samples, and the files of every pair."""
    if path is not None and source is None and target is None:
        check_choice("source_side", source_side, ("left", "right"))
        return _side_by_side(Folder.named("dataset.path", path))
    if path is None and source is not None and target is not None:
        return _with_partners(*two_folders(source, target))
    given = {"path": path, "source": source, "target": target}
    told = " ".join(f"dataset.{name}={value}" for name, value in given.items() if value is not None)
    raise ConfigError(
        f"dataset=pairs: it has {told or 'no folder'}, expected dataset.path=FOLDER, of pictures of two images side by "
        "side, or dataset.source=FOLDER dataset.target=FOLDER"
    )


def _side_by_side(folder: Folder) -> tuple[Folder, list[Item]]:
    """The folder, and each picture in it."""
    files, others = folder.files()
    report_others(folder, others)
    return folder, [(file,) for file in files]


def two_folders(source: str, target: str) -> tuple[Folder, Folder]:
    """The folders of the sources and of the samples; ConfigError if they are the same one."""
    folders = Folder.named("dataset.source", source), Folder.named("dataset.target", target)
    if os.path.realpath(folders[0].path) == os.path.realpath(folders[1].path):
        raise ConfigError(f"{folders[0]}: it is the folder of dataset.target too, expected another one")
    return folders


def _with_partners(sources: Folder, samples: Folder) -> tuple[Folder, list[Item]]:
    """The folder of the samples, and each sample with its source."""
    partners, named = sources.by_name(), samples.by_name()
    for here, there, folder in ((partners, named, samples), (named, partners, sources)):
        if alone := sorted(here.keys() - there.keys()):
            more = "" if len(alone) == 1 else f", nor have {len(alone) - 1} more"
            raise ConfigError(
                f"{here[alone[0]]} has no partner in {folder}{more}, expected equal names in both folders"
            )
    return samples, [(file, partners[name]) for name, file in named.items()]


@dataclass(frozen=True)
class _Reader:
    """Reads the sample and the source of a pair; the arguments are those of `pairs`."""

    channels: int | None
    source_channels: int | None
    image_size: int | None
    source_side: str

    def __call__(self, item: Item) -> Images:
        opened = self._halves(item[0]) if len(item) == 1 else self._both(item)
        images = []
        for number, channels in enumerate((self.channels, self.source_channels)):
            with naming(item[number % len(item)]):
                images.append(pixels_of(opened[number], channels, self.image_size))
        return images

    def _halves(self, file: File) -> list[Image.Image]:
        """The sample and the source in a picture of both."""
        with naming(file):
            picture = open_image(file.path)
            width, height = picture.size
            if width % 2:
                raise UnfitImage(f"is {width} pixels wide, expected an even width, of two images side by side")
        halves = [picture.crop((left, 0, left + width // 2, height)) for left in (0, width // 2)]
        return halves if self.source_side == "right" else halves[::-1]

    def _both(self, files: Item) -> list[Image.Image]:
        """The sample and the source in two files."""
        images = []
        for file in files:
            with naming(file):
                images.append(open_image(file.path))
        (width, height), (source_width, source_height) = (image.size for image in images)
        if self.image_size is None:
            fit = images[0].size == images[1].size
            expected = "one size; dataset.image_size=64 brings all to 64x64 pixels"
        else:  # of two sizes of one shape, the smaller may be rounded to whole pixels
            rounding = max(width, height, source_width, source_height)
            fit = abs(width * source_height - source_width * height) <= rounding
            expected = "one shape, as the middle square of each is cut out"
        if not fit:
            raise ConfigError(
                f"{files[1]} is {source_width}x{source_height}, and its partner {shown(files[0].path)} is "
                f"{width}x{height}, expected {expected}"
            )
        return images


def _read_pairs(folder: Folder, items: Sequence[Item], reader: _Reader, held_out: float, skip_corrupt: bool) -> Dataset:
    """All pairs, from the folder of the samples and the files of every pair."""
    classes, labels = folder.classes([item[0] for item in items])
    settings = ["pairs", vars(reader), held_out]
    decoder = Decoder(items, reader, settings, skip_corrupt, "pairs")
    decoded = decoder.decoded(hold_out(held_out, len(items), labels))
    report_skipped(folder, len(items), decoded.skipped, "pairs")
    train_labels, test_labels = decoded.labels(labels)
    (train, train_source), (test, test_source) = decoded.train, decoded.test
    return Dataset(
        train,
        train_labels,
        test,
        test_labels,
        decoded.identity(train_labels, test_labels),
        origin={
            "pairs": len(items),
            "skipped": decoded.skipped,
            "classes": classes,
            "resize": resized(reader.image_size),
        },
        source=Source(train_source, test_source, True, train_labels, test_labels),
    )
