"""Decoded images in one file of the cache, which runs map into memory.

A mapped file is a tensor like any other, whether or not it fits into memory. So large data sets have the same order of
batches and the same exact resume as small ones, no run decodes images again, and the processes of a sweep share one
copy.
"""

import hashlib
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from gan_lab.datasets.dataset import checksum
from gan_lab.storage.cache import broken


class PixelWriter:
    """Writes images one after the other, ``[C, H, W]`` each.

    Args:
        stream: the file.

    Attributes:
        example: the first image, ``[H, W, C]``; None if there is none yet.
        varied: for each channel, whether an image differs from the first one there, ``[C]``.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.example: np.ndarray | None = None
        self.varied = np.zeros(0, bool)
        self._digest = hashlib.sha256()

    def write(self, image: np.ndarray) -> None:
        """Write an image, uint8 ``[H, W, C]`` of the same shape as the first one."""
        if self.example is None:
            self.example = image
            self.varied = np.zeros(image.shape[2], bool)
        if not self.varied.all():
            self.varied |= (image != self.example).any((0, 1))
        row = image.transpose(2, 0, 1).tobytes()
        self.stream.write(row)
        self._digest.update(row)

    @property
    def shape(self) -> list[int]:
        """``[C, H, W]``."""
        assert self.example is not None
        height, width, channels = self.example.shape
        return [channels, height, width]

    @property
    def checksum(self) -> str:
        """The SHA-256 of what has been written."""
        return self._digest.hexdigest()


def mapped(pixels: Path, shape: Sequence[int], sizes: Sequence[int], expected: str) -> tuple[Tensor, Tensor]:
    """The images to train on and those held out, ``[N, C, H, W]``, as views of the mapped file.

    Args:
        pixels: the file; its record in the cache, of suffix ``.pt``, is beside it.
        shape: ``[C, H, W]``.
        sizes: number of images of both parts.
        expected: `PixelWriter.checksum`.

    Raises:
        ConfigError: if the file's content is not what was written.
    """
    count = sum(sizes) * math.prod(shape)
    record = pixels.with_suffix(".pt")  # deleting this file makes both anew
    if not pixels.is_file() or pixels.stat().st_size != count:
        raise broken(record)
    content = _read_only(pixels)
    if checksum(content) != expected:
        raise broken(record)
    train, test = content.view(-1, *shape).split(list(sizes))
    return train, test


def _read_only(file: Path) -> Tensor:
    """The bytes of a file, uint8 ``[N]``, mapped into memory; they must not be written to.

    Of a writable mapping that is not shared, as of `torch.from_file`, the system must be able to keep a copy: Linux
    refuses one that is larger than memory.
    """
    content = np.memmap(file, np.uint8, mode="r")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nothing writes to it
        return torch.from_numpy(content)
