"""A folder of images, decoded once into one file of the cache (`gan_lab.datasets.decoding`)."""

from typing import Any

from gan_lab.datasets.dataset import Dataset, hold_out
from gan_lab.datasets.decoding import Decoder, Images, Item
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.folders import Folder, check_reading, naming, report_others, report_skipped, resized
from gan_lab.datasets.image_files import read_image


def image_folder(
    path: str,
    image_size: int | None = None,
    channels: int | None = None,
    held_out: float = 0.2,
    skip_corrupt: bool = False,
    max_samples: int | None = None,
    subset: float | None = None,
    flip: bool = False,
    dequantise: bool = False,
) -> Dataset:
    """The images in a folder, uint8 ``[N, C, H, W]``. If they are in subfolders, each subfolder is a class.

    Labels number the subfolders in the order of their names, as `torchvision.datasets.ImageFolder` does.

    Args:
        path: the folder.
        image_size: side in pixels of the square that each image is resized and cropped to, see `read_image`; None for
            images that all have one size already.
        channels: 1 converts all images to grey, 3 to colour; None for images that are all alike already.
        held_out: share of the images to hold out for evaluation, see `hold_out`.
        skip_corrupt: leave out files that cannot be decoded, instead of raising an error for the first.
        max_samples: number of images to train on, the first ones; None for all.
        subset, flip, dequantise: see `Drawing`.

    Raises:
        ConfigError: for a folder that is missing or a file that cannot be used; the first one is named.
        ValueError: for an argument out of range.
    """
    check_reading(image_size, channels, skip_corrupt)
    drawing = Drawing(subset, flip, dequantise)
    whole = read_folder(Folder.named("dataset.path", path), image_size, channels, held_out, skip_corrupt)
    return whole.limited(max_samples, drawing)


def read_folder(
    folder: Folder, image_size: int | None, channels: int | None, held_out: float, skip_corrupt: bool
) -> Dataset:
    """All images in a folder; the other arguments and the errors are those of `image_folder`."""
    files, others = folder.files()
    classes, labels = folder.classes(files)

    def read(item: Item) -> Images:
        (file,) = item
        with naming(file):
            return [read_image(file.path, channels, image_size)]

    decoder = Decoder([(file,) for file in files], read, [channels, image_size, held_out], skip_corrupt)
    decoded = decoder.decoded(hold_out(held_out, len(files), labels))
    report_skipped(folder, len(files), decoded.skipped)
    report_others(folder, others)
    part_labels = decoded.labels(labels)
    origin: dict[str, Any] = {
        "images": len(files),
        "other_files": len(others),
        "skipped": decoded.skipped,
        "classes": classes,
        "resize": resized(image_size),
    }
    (train,), (test,) = decoded.train, decoded.test
    return Dataset(train, part_labels[0], test, part_labels[1], decoded.identity(*part_labels), origin=origin)
