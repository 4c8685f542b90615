"""Resampling by a short low-pass filter, which can be differentiated twice as any convolution of PyTorch can.

The filter is [1, 3, 3, 1] in both directions, as in StyleGAN2 (Karras et al. 2020, arXiv 1912.04958, appendix B) and
R3GAN. Beyond the border is zero.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_TAPS = (1.0, 3.0, 3.0, 1.0)


class _LowPass(nn.Module):
    """Holds the filter, ``[1, 1, 4, 4]``; its sum is ``gain``."""

    kernel: Tensor

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        taps = torch.tensor(_TAPS)
        kernel = torch.outer(taps, taps)
        self.register_buffer("kernel", (gain * kernel / kernel.sum())[None, None], persistent=False)

    def kernels(self, features: Tensor) -> Tensor:
        """The filter for each channel."""
        return self.kernel.expand(features.shape[1], -1, -1, -1)


class Upsample(_LowPass):
    """``[B, C, H, W]`` → ``[B, C, 2·H, 2·W]``: zeros between the pixels, then the filter, whose gain keeps the mean."""

    def __init__(self) -> None:
        super().__init__(gain=4.0)

    def forward(self, features: Tensor) -> Tensor:
        channels = features.shape[1]
        return functional.conv_transpose2d(features, self.kernels(features), stride=2, padding=1, groups=channels)


class Downsample(_LowPass):
    """``[B, C, H, W]`` → ``[B, C, H/2, W/2]``: the filter, then every other pixel."""

    def forward(self, features: Tensor) -> Tensor:
        return functional.conv2d(features, self.kernels(features), stride=2, padding=1, groups=features.shape[1])


class Smooth(_LowPass):
    """``[B, C, H, W]`` → ``[B, C, H + 2·padding − 3, W + 2·padding − 3]``: the filter alone.

    Args:
        padding: zeros around the map.
        gain: sum of the filter's weights.
    """

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__(gain)
        self.padding = padding

    def forward(self, features: Tensor) -> Tensor:
        channels = features.shape[1]
        return functional.conv2d(features, self.kernels(features), padding=self.padding, groups=channels)
