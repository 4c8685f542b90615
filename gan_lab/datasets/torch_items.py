"""What an item of a `torch.utils.data.Dataset` may be, and the pixels or the point in it."""

from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gan_lab.datasets.image_files import UnfitImage, pixels_of
from gan_lab.errors import shown
from gan_lab.validation import is_whole

_SAMPLES = "an image (Pillow's, a tensor [C, H, W] or an array [H, W, C]) or a point (floats [D])"


class UnfitItem(Exception):
    """An item that cannot be used. The text continues a sentence that begins with its number."""


class Item(NamedTuple):
    """A sample, uint8 pixels ``[H, W, C]`` or a float32 point ``[D]``, and its class, or None."""

    sample: np.ndarray
    label: int | None


def item_of(value: Any, count: int) -> Item:
    """The sample and class in an item.

    Args:
        value: a sample, a pair of a sample and a class number, or a tuple of a sample alone.
        count: number of items. A class number is smaller: a larger one may be an identifier.

    Raises:
        UnfitItem: for anything else.
    """
    label = None
    if isinstance(value, tuple | list):
        if not 1 <= len(value) <= 2:
            raise UnfitItem(f"is a {type(value).__name__} of {len(value)}, expected a sample, or it and its class")
        value, *labels = value
        label = _label(labels[0], count) if labels else None
    if isinstance(value, Image.Image):
        try:
            return Item(pixels_of(value), label)
        except UnfitImage as error:
            raise UnfitItem(str(error)) from error
    array = _array(value)
    return Item(_point(array) if array.ndim == 1 else _pixels(array, isinstance(value, Tensor)), label)


def _label(value: Any, count: int) -> int:
    if isinstance(value, Tensor | np.ndarray | np.generic) and value.ndim == 0:
        value = value.item()
    if is_whole(value) and 0 <= value < count:
        return value
    told = shown(value) if isinstance(value, bool | int | float | str | None) else f"a {type(value).__name__}"
    raise UnfitItem(
        f"has {told} for a class, expected a whole number from 0 to {count - 1}, below the number of items, or the "
        "sample alone"
    )


def _array(value: Any) -> np.ndarray:
    """A tensor or an array, of bytes or float32."""
    if isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized:
        array = (value.float() if value.is_floating_point() else value).detach().cpu().numpy()
    elif isinstance(value, np.ndarray):
        array = value
    else:
        raise UnfitItem(f"is a {type(value).__name__}, expected {_SAMPLES}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # values too large for float32 are refused below
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise UnfitItem(f"holds {array[~np.isfinite(array)][0]}, expected numbers that are finite as float32")
    elif array.dtype != np.uint8:
        raise UnfitItem(f"is {array.dtype} {list(array.shape)}, expected floats, or pixels as uint8")
    return array


def _point(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float32 or len(array) < 2:
        raise UnfitItem(f"is {array.dtype} {list(array.shape)}, expected {_SAMPLES}, with D of at least 2")
    return array


def _pixels(array: np.ndarray, is_tensor: bool) -> np.ndarray:
    """Bytes ``[H, W, C]`` of an image ``[C, H, W]``, ``[H, W]`` or, of an array, ``[H, W, C]``."""
    given = array
    if array.ndim == 2:
        array = array[:, :, None]
    elif array.ndim == 3 and (is_tensor or array.shape[2] not in (1, 3)):
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in (1, 3) or not array.size:
        raise UnfitItem(f"is {given.dtype} {list(given.shape)}, expected {_SAMPLES}, with 1 or 3 channels")
    if array.dtype == np.uint8:
        return array
    if array.min() < 0 or array.max() > 1:
        far = array.min() if array.min() < 0 else array.max()
        raise UnfitItem(f"holds {far:.4g}, expected floating-point pixels from 0 to 1, without a Normalize, or uint8")
    return np.rint(array * 255).astype(np.uint8)
