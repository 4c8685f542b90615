"""Image files: finding them in a folder, and reading the pixels of one."""

import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from gan_lab.errors import ConfigError, shown

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
# other formats under such a name are refused: Pillow would hand an EPS to Ghostscript, which runs it as a program
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
# Pillow's modes of 8 bits or fewer a channel, each with the mode it is converted to: grey or colour
_MODES = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB"}

_SIXTEEN_A_PIXEL = "BGR;16"  # the raw mode of a BMP with 5, 6 and 5 bits for the channels: the others have 16 each


class UnfitImage(Exception):
    """An image that cannot be used as it is. The text continues a sentence that begins with the file's name."""


class BrokenImage(UnfitImage):
    """A file whose content is not an image, or a damaged one."""


def find_images(key: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files in a folder at any depth, recognised by suffix, and its other files; both sorted by path.

    Links to folders are followed. Hidden files and folders are skipped: operating systems keep files of theirs there.

    Args:
        key: the configuration key of the folder, for errors.
        folder: the folder.

    Raises:
        ConfigError: if a folder cannot be read, or is reached twice through links.
    """
    images: list[Path] = []
    others: list[Path] = []
    seen: set[str] = set()
    try:
        for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
            if (real := os.path.realpath(parent)) in seen:
                raise ConfigError(f"{key}={folder}: {shown(parent)} is a link to a folder that is among them already")
            seen.add(real)
            folders[:] = [name for name in folders if not _is_hidden(name)]
            for name in names:
                if not _is_hidden(name):
                    (images if name.lower().endswith(SUFFIXES) else others).append(Path(parent, name))
    except OSError as error:
        raise ConfigError(
            f"{key}={folder}: {shown(error.filename)} cannot be read: {error.strerror}; expected a folder of images"
        ) from error
    return sorted(images), sorted(others)


def read_image(file: Path, channels: int | None = None, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """The pixels of an image file, uint8 ``[H, W, C]``.

    Args:
        file: as of `open_image`, as are further errors.
        channels: 1 converts to grey (ITU-R 601), 3 to colour; None keeps the file's.
        size: resize the shorter side to this many pixels, by antialiased bicubic interpolation as Parmar et al. 2022
            (arXiv 2104.11222) advise, and crop the central square; width and height instead, for the central
            rectangle; None keeps the file's size.

    Raises:
        UnfitImage: if the image has transparent pixels, or is neither grey nor colour of 8 bits a channel.
    """
    return pixels_of(open_image(file), channels, size)


def open_image(file: Path) -> Image.Image:
    """The image in a file, turned upright by its orientation tag. Of an animation it is the first picture.

    Raises:
        BrokenImage: if the content cannot be decoded.
        UnfitImage: if it is no ordinary file, or has 16 bits a channel.
        OSError: if the system cannot read the file.
    """
    if not stat.S_ISREG(file.stat().st_mode):  # reading a pipe could block for ever
        raise UnfitImage("is no ordinary file")
    content = file.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            _check_depth(opened)
            opened.load()
            return ImageOps.exif_transpose(opened)
    except UnfitImage:
        raise
    except Exception as error:  # on damaged bytes Pillow's parsers raise errors of many kinds
        raise BrokenImage(f"is not an image that can be read: {_reason(error)}") from error


def _check_depth(opened: ImageFile.ImageFile) -> None:
    """Raise UnfitImage if Pillow would cut the channels of an image, not yet loaded, from 16 bits to 8.

    Its mode then is one of 8 bits, such as RGB, and only the raw mode of the file's parts says what they hold. Of a
    TIFF whose channels lie one after the other it says nothing either, but the file does.
    """
    if isinstance(opened, TiffImageFile) and opened.mode in _MODES:
        bits = max(opened.tag_v2.get(BITSPERSAMPLE, (1,)))
        if bits > 8:
            raise UnfitImage(f"has {bits} bits a channel, expected 8-bit grey or colour")
    for tile in opened.tile if opened.mode in _MODES else ():
        raw = tile.args[0] if isinstance(tile.args, tuple) else tile.args
        if isinstance(raw, str) and ";16" in raw and raw != _SIXTEEN_A_PIXEL:
            raise UnfitImage(f"is of Pillow's mode {raw}, expected 8-bit grey or colour")


def pixels_of(image: Image.Image, channels: int | None = None, size: int | tuple[int, int] | None = None) -> np.ndarray:
    """The pixels of an image, uint8 ``[H, W, C]``; arguments and UnfitImage are those of `read_image`."""
    if image.mode not in _MODES:
        raise UnfitImage(f"is of Pillow's mode {image.mode}, expected 8-bit grey or colour")
    if image.has_transparency_data:
        image = image.convert("RGBA" if _MODES[image.mode] == "RGB" else "LA")
        if image.getextrema()[-1] != (255, 255):
            raise UnfitImage("is transparent in places, where its colour is undefined, expected opaque images")
    return converted(image, _MODES[image.mode] if channels is None else {1: "L", 3: "RGB"}[channels], size)


def converted(image: Image.Image, mode: str, size: int | tuple[int, int] | None) -> np.ndarray:
    """The pixels of an opaque image, uint8 ``[H, W, C]``, in mode L or RGB; ``size`` as in `read_image`."""
    image = image.convert(mode)
    if size is not None:
        both = (size, size) if isinstance(size, int) else size
        image = ImageOps.fit(image, both, Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def described(shape: tuple[int, ...]) -> str:
    """An image's shape ``(H, W, C)`` in words, such as ``32x24 with 3 channels``."""
    height, width, channels = shape
    return f"{width}x{height} with {channels} channel{'s' if channels > 1 else ''}"


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _raise(error: OSError) -> None:
    raise error


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):  # its text contains an address in memory
        return "its format is unknown"
    return " ".join(str(error).split()) or type(error).__name__
