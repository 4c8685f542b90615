"""Two folders of pictures that belong to each other as a whole, without pairs (Zhu et al. 2017, arXiv 1703.10593)."""

from dataclasses import replace

import torch

from gan_lab.datasets.batch import one_per_sample
from gan_lab.datasets.dataset import Dataset, derived
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.folders import check_channels, check_reading
from gan_lab.datasets.image_folder import read_folder
from gan_lab.datasets.pairs import two_folders
from gan_lab.datasets.source import Source
from gan_lab.errors import ConfigError


def unpaired(
    source: str,
    target: str,
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
    """The images in two folders, uint8 ``[N, C, H, W]`` and ``[M, C', H, W]``: samples, and sources of no sample.

    Each folder is read as `image_folder` reads one. If both have subfolders, equal names are the same class.

    Args:
        source: the folder of the sources.
        target: the folder of the samples.
        image_size: side in pixels of the square that each image is resized and cropped to; None for images that all
            have one size already.
        channels: 1 converts all samples to grey, 3 to colour; None for samples that are all alike already.
        source_channels: the same for the sources.
        held_out: share of each side to hold out for evaluation, see `hold_out`.
        skip_corrupt: leave out files that cannot be decoded, instead of raising an error for the first.
        max_samples: number of images to train on, the first ones of each side; None for all.
        subset, flip, dequantise: see `Drawing`; they are applied to each side on its own.

    Raises:
        ConfigError: for a folder that is missing or a file that cannot be used; for sides of different sizes.
        ValueError: for an argument out of range.
    """
    check_reading(image_size, channels, skip_corrupt)
    check_channels("source_channels", source_channels)
    drawing = Drawing(subset, flip, dequantise)
    folders = two_folders(source, target)
    sources = read_folder(folders[0], image_size, source_channels, held_out, skip_corrupt)
    samples = read_folder(folders[1], image_size, channels, held_out, skip_corrupt)
    if sources.sample_shape[1:] != samples.sample_shape[1:]:
        sizes = ["{1}x{0}".format(*dataset.sample_shape[1:]) for dataset in (sources, samples)]
        raise ConfigError(
            f"{folders[0]}: its images are {sizes[0]}, and those of {folders[1]} are {sizes[1]}, expected one size; "
            "dataset.image_size=64 brings all to 64x64 pixels"
        )
    return two_sides(*_same_classes(sources, samples)).limited(max_samples, drawing)


def two_sides(sources: Dataset, samples: Dataset) -> Dataset:
    """The samples of one dataset, with those of another as sources that belong to none of them."""
    labels = one_per_sample(sources.train_labels), one_per_sample(sources.test_labels)
    return replace(
        samples,
        checksum=derived(samples.checksum, f"from {sources.checksum}"),
        origin=samples.origin | {f"source_{name}": value for name, value in sources.origin.items()},
        source=Source(sources.train, sources.test, False, *labels),
    )


def _same_classes(sources: Dataset, samples: Dataset) -> tuple[Dataset, Dataset]:
    """Both sides, their classes numbered alike by the names of both, if both have classes."""
    names = [dataset.origin["classes"] for dataset in (sources, samples)]
    if not all(names) or names[0] == names[1]:
        return sources, samples
    known = sorted({*names[0], *names[1]})
    return _numbered(sources, known), _numbered(samples, known)


def _numbered(dataset: Dataset, known: list[str]) -> Dataset:
    """The dataset with the numbers that its classes have in a list of names."""
    assert dataset.train_labels is not None
    assert dataset.test_labels is not None
    numbers = torch.tensor([known.index(name) for name in dataset.origin["classes"]])
    return replace(
        dataset,
        train_labels=numbers[dataset.train_labels],
        test_labels=numbers[dataset.test_labels],
        checksum=derived(dataset.checksum, f"classes {numbers.tolist()}"),
        origin=dataset.origin | {"classes": known},
    )
