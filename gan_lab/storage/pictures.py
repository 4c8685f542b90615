"""Samples as pictures: a grid of images, or a scatter plot of points."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from gan_lab.storage.files import replacing
from gan_lab.storage.scatter_plot import scatter_plot

_PIXELS = 640  # the side of a picture; small images are enlarged until a grid is about as wide


def draw(samples: Tensor, real: Tensor, columns: int | None = None) -> np.ndarray:
    """A picture of the samples, uint8 ``[H, W, 3]``.

    Args:
        samples: ``[N, C, H, W]`` uint8 pixels, C being 1 or 3, or points ``[N, 2]``.
        real: real points to draw behind generated points; unused for images.
        columns: as of `draw_grid`; unused for points.
    """
    return draw_grid(samples, columns) if samples.ndim == 4 else draw_points(samples, real)


def draw_grid(images: Tensor, columns: int | None = None) -> np.ndarray:
    """Images side by side, uint8 ``[H, W, 3]``.

    Small images are enlarged by cubic interpolation: strokes of 8×8 digits then look like strokes, not like squares.

    Args:
        images: ``[N, C, h, w]`` uint8 pixels, C being 1 or 3.
        columns: images in a row; None for about as many as there are rows.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    scale = max(1, _PIXELS // (columns * images.shape[-1]))
    return _grid(_enlarged(images, scale), columns, max(2, scale // 2))


def draw_groups(parts: Sequence[Tensor], titles: Sequence[str] = ()) -> np.ndarray:
    """Images that belong together side by side, such as a source and its translation; uint8 ``[H, W, 3]``.

    A line of white separates the images of a group, and a wider one the groups. Image i of every part is of group i.

    Args:
        parts: ``[N, C, h, w]`` uint8 pixels each, of one h and w, C being 1 or 3 in each.
        titles: what the parts are, written above the first group of each column; empty for a picture without.
    """
    columns = max(1, round(math.sqrt(len(parts[0]) / len(parts))))
    scale = max(1, _PIXELS // (columns * len(parts) * parts[0].shape[-1]))
    thin = max(1, scale // 4)
    images = [_enlarged(part.expand(-1, 3, -1, -1), scale) for part in parts]
    line = images[0].new_full((*images[0].shape[:3], thin), 255)
    joined = [piece for image in images for piece in (line, image)][1:]
    padding = 3 * thin + 2
    picture = _grid(torch.cat(joined, dim=3), columns, padding)
    if not titles:
        return picture
    step = parts[0].shape[-1] * scale + thin
    group = len(parts) * step - thin + padding
    starts = [padding + column * group + place * step for column in range(columns) for place in range(len(parts))]
    return np.concatenate([_titled(picture.shape[1], starts, titles), picture])


def _titled(width: int, starts: Sequence[int], titles: Sequence[str]) -> np.ndarray:
    """A line of text, uint8 ``[14, width, 3]``: the titles in turn, at the columns of pixels in ``starts``."""
    line = Image.new("RGB", (width, 14), "white")
    for place, start in enumerate(starts):
        ImageDraw.Draw(line).text((start, 1), titles[place % len(titles)], "black", ImageFont.load_default(10))
    return np.asarray(line)


def _enlarged(images: Tensor, scale: int) -> Tensor:
    return interpolate(images.float(), scale_factor=scale, mode="bicubic").round().clamp(0, 255).to(torch.uint8)


def _grid(images: Tensor, columns: int, padding: int) -> np.ndarray:
    from torchvision.utils import make_grid  # imported late: it takes seconds

    return make_grid(images, nrow=columns, padding=padding, pad_value=255).permute(1, 2, 0).numpy()


def draw_points(samples: Tensor, real: Tensor | None = None, extent: float | None = None) -> np.ndarray:
    """A scatter plot of the first two dimensions of points ``[N, D]``, over real points if given; uint8 ``[H, W, 3]``.

    The title counts the samples that lie beyond the axes, if there are any.

    Args:
        samples: generated points.
        real: real points, which set the axes.
        extent: of the axes, if there are no real points; default: that of the samples.
    """
    if extent is None or real is not None:
        extent = (samples if real is None else real).abs().max().item()  # real points: equal in all pictures
    extent *= 1.35
    title = None
    if beyond := int((samples[:, :2].abs() > extent).any(1).sum()):
        title = f"{beyond:,} of {len(samples):,} generated samples lie beyond the axes"
    return scatter_plot(samples[:, :2], None if real is None else real[:, :2], extent, _PIXELS, title)


def save_picture(path: Path, picture: np.ndarray) -> bytes:
    """Write a picture, uint8 ``[H, W, 3]``, atomically, as PNG or JPEG by the suffix; returns the file's content."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="png" if path.suffix.lower() == ".png" else "jpeg", quality=95)
    with replacing(path) as file:
        file.write(buffer.getvalue())
    return buffer.getvalue()


def save_animation(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Write pictures ``[H, W, 3]`` of equal size as a GIF that plays without end, 12 a second, atomically."""
    first, *others = (Image.fromarray(frame).quantize() for frame in frames)
    buffer = io.BytesIO()
    first.save(buffer, format="gif", save_all=True, append_images=others, duration=80, loop=0)
    with replacing(path) as file:
        file.write(buffer.getvalue())
