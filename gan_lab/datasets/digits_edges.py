"""Digits from their outlines: pairs for translation that need no download."""

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from gan_lab.datasets.dataset import Dataset, derived
from gan_lab.datasets.digits import digits
from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.source import Source

_INK = 128  # pixels of at least this value are ink


def digits_edges(
    max_samples: int | None = None, subset: float | None = None, flip: bool = False, dequantise: bool = False
) -> Dataset:
    """The 8×8 digits of `gan_lab.datasets.digits`; the source of each is its outline, black and white.

    Args:
        max_samples: number of pairs to train on, the first ones; None for all 1297.
        subset, flip, dequantise: see `Drawing`; a pair's images are mirrored together, and noise is added to samples.
    """
    drawing = Drawing(subset, flip, dequantise)
    whole = digits()
    source = Source(outlines(whole.train), outlines(whole.test), True, whole.train_labels, whole.test_labels)
    return replace(whole, checksum=derived(whole.checksum, "outlines"), source=source).limited(max_samples, drawing)


def outlines(images: Tensor) -> Tensor:
    """The edges of what is drawn in images ``[N, 1, H, W]``, of the same shape: 255 there and 0 elsewhere.

    A pixel is on the edge if it is ink and one of its four neighbours is not; beyond the image there is no ink.
    """
    ink = images >= _INK
    framed = F.pad(ink, (1, 1, 1, 1))
    above, below, left, right = (
        framed[..., top : top + ink.shape[-2], start : start + ink.shape[-1]]
        for top, start in ((0, 1), (2, 1), (1, 0), (1, 2))
    )
    return (ink & ~(above & below & left & right)).to(images.dtype) * 255
