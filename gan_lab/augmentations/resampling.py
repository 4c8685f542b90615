"""Images moved by any affine map without aliasing: resampled at twice the resolution through a wavelet's filter."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import conv2d, conv_transpose2d, grid_sample, pad

# Daubechies' least asymmetric wavelet with six vanishing moments, "sym6" (Daubechies 1992, Ten Lectures on Wavelets,
# table 8.1). Its translates by 2 are orthonormal: what is spread by it and gathered by it is what it was.
SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
_TAPS = len(SYM6)
_CENTRE = sum(place * tap for place, tap in enumerate(SYM6)) / sum(SYM6)  # where it puts a sample, to first order
_REACH = _TAPS / 4  # half its length, in pixels of the image that it spreads


def warped(images: Tensor, back: Tensor) -> Tensor:
    """Images ``[B, C, H, W]`` whose pixel at p shows what was at ``back · p``; twice differentiable in the images.

    Beyond the border lies the image mirrored, as far as it goes once, and then zeros.

    Args:
        images: at least 2 pixels in each direction.
        back: matrices ``[B, 3, 3]`` of (x, y, 1), in pixels to the right of and below the image's centre.
    """
    height, width = images.shape[2:]
    across, down = _margins(back, height, width)
    padded = pad(images, (across, across, down, down), mode="reflect")
    fine = _along(_along(padded, 2, spread=True), 3, spread=True)
    size = back.new_tensor([width + 2 * across, height + 2 * down])
    places = 2 * (_places(back, height, width) + (size - 1) / 2) + _CENTRE
    last = 2 * size + _TAPS - 3  # places of the fine image go from 0 to this one, which grids call −1 and 1
    moved = _Sampled.apply(fine, 2 * places / last - 1)
    return _along(_along(moved, 2, spread=False), 3, spread=False)


def _places(back: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel of the result at twice the resolution comes from, ``[B, 2H + 10, 2W + 10, 2]``."""
    x, y = (
        (torch.arange(2 * size + _TAPS - 2, device=back.device, dtype=back.dtype) - _CENTRE) / 2 - (size - 1) / 2
        for size in (width, height)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    points = torch.stack([columns, rows, torch.ones_like(rows)], -1)
    return torch.einsum("bij,hwj->bhwi", back[:, :2], points)


def _margins(back: Tensor, height: int, width: int) -> tuple[int, int]:
    """By how many pixels to widen the images across and down, so that every place has its surroundings."""
    x, y = (width - 1) / 2 + _REACH, (height - 1) / 2 + _REACH
    corners = back.new_tensor([[x, y, 1], [x, -y, 1], [-x, y, 1], [-x, -y, 1]])
    reached = (back[:, :2] @ corners.T).abs().amax((0, 2))
    needed = reached + _REACH - back.new_tensor([(width - 1) / 2, (height - 1) / 2])
    across, down = needed.ceil().clamp(min=0).tolist()
    return min(int(across), width - 1), min(int(down), height - 1)


def _along(images: Tensor, dim: int, spread: bool) -> Tensor:
    """Images at twice the resolution along a dimension, N → 2N + 10 (``spread``), or at half of it, 2N + 10 → N."""
    shape = [1, 1, 1, 1]
    shape[dim] = _TAPS
    stride = (2, 1) if dim == 2 else (1, 2)
    taps = images.new_tensor(SYM6).view(shape)
    planes = images.flatten(0, 1)[:, None]
    made = conv_transpose2d(planes, taps, stride=stride) if spread else conv2d(planes, taps, stride=stride)
    return made[:, 0].unflatten(0, images.shape[:2])


class _Sampled(Function):
    """`torch.nn.functional.grid_sample`, bilinear and with zeros outside, which PyTorch differentiates only once.

    It is linear in the images, so that the derivative of its derivative is itself.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = images.shape
        return grid_sample(images, grid, align_corners=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Returned.apply(gradient, grid, ctx.size), None


class _Returned(Function):
    """The transpose of `_Sampled`: what was taken from each place goes back there."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        like = gradient.new_empty(size)
        needed = [True, False]  # of the images, not of the grid
        returned, _ = torch.ops.aten.grid_sampler_2d_backward(gradient, like, grid, 0, 0, True, needed)
        return returned

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sampled.apply(gradient, grid), None, None
