"""Convolutions that a style steers, sample by sample (Karras et al. 2020, StyleGAN2, arXiv 1912.04958, §2)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_lab.models.layers.activation import ScaledLeakyReLU
from gan_lab.models.layers.equalised import equalise
from gan_lab.models.layers.resampling import Smooth


class ModulatedConv2d(nn.Module):
    """A convolution whose weights are scaled by the style for each sample: w'ₒᵢₖ = sᵢ · wₒᵢₖ.

    Demodulation divides by the norm of an output channel's weights, √(Σᵢₖ w'ₒᵢₖ² + 1e-8), so that unit input has unit
    output. Neither is done to the weights: input channels are scaled before, and output channels after one convolution
    of the whole batch. That is the same, and unlike a convolution in as many groups as samples it can be exported for
    batches of any size.

    In float16, whose largest number is 65504, scales and weights are normalised first, as in Karras et al. 2020
    (arXiv 2006.06676, appendix D): each by its largest, and the weights by √(fan_in·k²) too. Demodulation cancels it.

    Args:
        style: size of the style.
        fan_in: channels of the input.
        fan_out: channels of the output.
        size: side of the kernel.
        demodulate: as above; without it weights are scaled by 1 / √fan_in.
        up: doubles the sides: a transposed convolution of stride 2, then the low-pass filter.
    """

    def __init__(
        self, style: int, fan_in: int, fan_out: int, size: int, demodulate: bool = True, up: bool = False
    ) -> None:
        super().__init__()
        self.demodulate = demodulate
        self.scales = equalise(nn.Linear(style, fan_in), bias=1.0)
        self.kernel = nn.Conv2d(fan_in, fan_out, size, padding=size // 2, bias=False)
        if demodulate:
            nn.init.normal_(self.kernel.weight)  # the factor of equalised weights would cancel
        else:
            equalise(self.kernel)
        self.smooth = Smooth(padding=1, gain=4.0) if up else None

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Features ``[B, fan_in, H, W]`` and styles ``[B, style]`` → ``[B, fan_out, H, W]``, or twice the sides."""
        scales, weight = self.scales(style), self.kernel.weight
        if self.demodulate and _computes_in_half(features):
            scales = scales / scales.abs().amax(1, keepdim=True)
            weight = weight / (weight.abs().amax((1, 2, 3), keepdim=True) * weight[0].numel() ** 0.5)
        scaled = features * scales[:, :, None, None]
        if self.smooth is None:
            made = functional.conv2d(scaled, weight, padding=self.kernel.padding)
        else:
            made = self.smooth(functional.conv_transpose2d(scaled, weight.transpose(0, 1), stride=2))
        if not self.demodulate:
            return made
        with torch.autocast(features.device.type, enabled=False):
            squares = scales.to(weight.dtype).square() @ weight.square().sum((2, 3)).T
            norms = torch.rsqrt(squares + 1e-8)
        return made * norms[:, :, None, None].to(made.dtype)


def _computes_in_half(features: Tensor) -> bool:
    """Whether a convolution of these features is in float16."""
    device = features.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype
    return dtype == torch.float16


class Noise(nn.Module):
    """Adds noise of one value a pixel, N(0, 1), times a learned strength that begins at 0.

    In training it is fresh for each sample, from PyTorch's global generator. In eval mode it is a buffer, the same for
    all samples, so that a sample is a function of its request. Several processes draw the same noise each for its part.

    Args:
        side: of the feature maps.
    """

    fixed: Tensor

    def __init__(self, side: int) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("fixed", torch.randn(side, side))

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, C, side, side]`` → the same shape."""
        fixed = self.fixed
        noise = (
            torch.randn(len(features), 1, *fixed.shape, dtype=fixed.dtype, device=fixed.device)
            if self.training
            else fixed
        )
        return features + (self.strength * noise).to(features.dtype)


class StyledConv2d(nn.Module):
    """A modulated 3×3 convolution, noise, a bias and LeakyReLU.

    Args:
        style: as of `ModulatedConv2d`.
        fan_in: as of `ModulatedConv2d`.
        fan_out: as of `ModulatedConv2d`.
        side: of the output.
        up: as of `ModulatedConv2d`.
    """

    def __init__(self, style: int, fan_in: int, fan_out: int, side: int, up: bool = False) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(style, fan_in, fan_out, 3, up=up)
        self.noise = Noise(side)
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.activation = ScaledLeakyReLU()

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Features ``[B, fan_in, H, W]`` and styles ``[B, style]`` → ``[B, fan_out, side, side]``."""
        made = self.noise(self.convolution(features, style))
        return self.activation(made + self.bias[:, None, None].to(made.dtype))


class StyledColours(nn.Module):
    """Features → the channels of a picture: a modulated 1×1 convolution without demodulation, and a bias.

    Args:
        style: as of `ModulatedConv2d`.
        fan_in: as of `ModulatedConv2d`.
        colours: channels of the picture.
    """

    def __init__(self, style: int, fan_in: int, colours: int) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(style, fan_in, colours, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Features ``[B, fan_in, H, W]`` and styles ``[B, style]`` → ``[B, colours, H, W]``."""
        made = self.convolution(features, style)
        return made + self.bias[:, None, None].to(made.dtype)
