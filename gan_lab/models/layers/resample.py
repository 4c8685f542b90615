"""Doubling and halving the sides of a map with the kernel [1, 3, 3, 1], which is [1, 2, 1] convolved with [1, 1]."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Filtered(nn.Module):
    """Holds the kernel ``[1, 1, 4, 4]`` of sum ``total``; it is no part of the state."""

    kernel: Tensor

    def __init__(self, total: float) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0])
        kernel = torch.outer(line, line)
        self.register_buffer("kernel", total * kernel[None, None] / kernel.sum(), persistent=False)

    def _of_each(self, features: Tensor) -> Tensor:
        return self.kernel.to(features.dtype).expand(features.shape[1], 1, 4, 4)


class FilteredUpsample(_Filtered):
    """``[B, C, H, W]`` → ``[B, C, 2·H, 2·W]``: zeros between the pixels, then the kernel; beyond the border is zero."""

    def __init__(self) -> None:
        super().__init__(4.0)  # three of four pixels are zeros

    def forward(self, features: Tensor) -> Tensor:
        kernel = self._of_each(features)
        return functional.conv_transpose2d(features, kernel, stride=2, padding=1, groups=features.shape[1])


class FilteredDownsample(_Filtered):
    """``[B, C, H, W]`` → ``[B, C, H/2, W/2]``: the kernel, then every other pixel; beyond the border is zero."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def forward(self, features: Tensor) -> Tensor:
        return functional.conv2d(features, self._of_each(features), stride=2, padding=1, groups=features.shape[1])
