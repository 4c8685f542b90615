"""Image files: which there are in a folder, and the pixels of one."""

import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gan_lab.errors import ConfigError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_MODES = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB", "RGBA": "RGB"}  # Pillow's, 8 bits


class UnfitImage(Exception):
    """Why an image is not taken as it is; the text goes on after the file's name."""


class BrokenImage(UnfitImage):
    """The file's content is no image, or a damaged one."""


def find_images(key: str, folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files at any depth, told by their suffix, and the other files, both in the order of their names.

    Links to folders are followed. Hidden files and folders are passed over: systems leave their own there.

    Raises:
        ConfigError: if a folder cannot be read, or is met twice.
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


def read_image(file: Path, channels: int | None = None, size: int | None = None) -> np.ndarray:
    """Pixels, uint8 ``[H, W, C]``, upright as the file's orientation tag has it; of an animation the first picture.

    Args:
        file: the file.
        channels: convert to 1, grey (ITU-R 601), or 3, colour; None for what the file has.
        size: bring the shorter side to so many pixels, by antialiased bicubic interpolation (Parmar et al. 2022, arXiv
            2104.11222, on why these two), and cut the middle square out; None for what the file has.

    Raises:
        BrokenImage: if the content cannot be decoded.
        UnfitImage: if it is transparent, or not of 8 bits grey or colour.
        OSError: if the system cannot read the file.
    """
    if not stat.S_ISREG(file.stat().st_mode):  # a pipe would be waited for without end
        raise UnfitImage("is no ordinary file")
    content = file.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except Exception as error:  # on damaged bytes Pillow raises whatever its many parsers stumble on
        raise BrokenImage(f"is not an image that can be read: {_reason(error)}") from error
    if image.mode not in _MODES:
        raise UnfitImage(f"is of Pillow's mode {image.mode}, expected 8-bit grey or colour")
    if image.has_transparency_data:
        image = image.convert("RGBA" if _MODES[image.mode] == "RGB" else "LA")
        if image.getextrema()[-1] != (255, 255):
            raise UnfitImage("is transparent in places, where its colour is undefined, expected opaque images")
    image = image.convert(_MODES[image.mode] if channels is None else {1: "L", 3: "RGB"}[channels])
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def described(shape: tuple[int, ...]) -> str:
    """The shape ``(H, W, C)`` of an image in words."""
    height, width, channels = shape
    return f"{width}x{height} with {channels} channel{'s' if channels > 1 else ''}"


def shown(file: str | Path) -> str:
    """A file's name for people, which may not be text to the system."""
    text = os.fsencode(file).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _raise(error: OSError) -> None:
    raise error


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):  # whose text is an address in memory
        return "its format is unknown"
    return " ".join(str(error).split()) or type(error).__name__
