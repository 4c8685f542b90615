"""Moves by whole pixels, and squares cut out."""

from typing import Literal

import torch
from torch import Tensor

from gan_lab.augmentations.draws import each


def shifted(images: Tensor, right: Tensor, down: Tensor, border: Literal["zeros", "reflect"]) -> Tensor:
    """Images ``[B, C, H, W]`` moved by whole numbers of pixels, ``[B]`` int64 each.

    Args:
        images: they are not changed.
        right: how far to the right; negative for the left.
        down: how far down.
        border: what comes in: zeros, or the image mirrored at its border pixels, of which it has to have enough.
    """
    _, _, height, width = images.shape
    rows, inside_y = _places(height, down, border)
    columns, inside_x = _places(width, right, border)
    batch = torch.arange(len(images), device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    return torch.where(inside[:, None], moved, 0.0)


def _places(size: int, move: Tensor, border: str) -> tuple[Tensor, Tensor]:
    """From which row or column each one comes, ``[B, size]``, and whether that lies inside."""
    place = torch.arange(size, device=move.device) - move[:, None]
    if border == "reflect":
        place = place.abs()
        place = torch.where(place >= size, 2 * (size - 1) - place, place)
    return place.clamp(0, size - 1), (place >= 0) & (place < size)


def without_box(images: Tensor, left: Tensor, top: Tensor, width: Tensor | float, height: Tensor | float) -> Tensor:
    """Images ``[B, C, H, W]`` with a box of zeros each: pixels from ``left`` to before ``left + width``, and so down.

    Pixel i is at i. The sizes are numbers, or ``[B]``; a box of size 0 has no pixels.
    """
    rows = torch.arange(images.shape[2], device=images.device)[None, :]
    columns = torch.arange(images.shape[3], device=images.device)[None, :]
    down, right = rows - top[:, None], columns - left[:, None]
    if isinstance(width, Tensor) and isinstance(height, Tensor):
        width, height = width[:, None], height[:, None]
    box = ((down >= 0) & (down < height))[:, :, None] & ((right >= 0) & (right < width))[:, None, :]
    return torch.where(box[:, None], 0.0, images)


def mixed(images: Tensor, others: Tensor, factor: Tensor) -> Tensor:
    """``others + factor · (images − others)``, a factor ``[B]`` for each image."""
    return (images - others) * each(factor) + others
