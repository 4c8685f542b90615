"""Activations."""

import torch
from torch import Tensor, nn
from torch.nn import functional

_LARGEST = 256.0  # so that products of half precision stay finite


class ScaledLeakyReLU(nn.Module):
    """LeakyReLU of slope 0.2, times √2, which keeps the mean square of normal features (Karras et al. 2020).

    In float16 its output is clamped to ±256.
    """

    def forward(self, features: Tensor) -> Tensor:
        activated = functional.leaky_relu(features, 0.2) * 2**0.5
        return activated.clamp(-_LARGEST, _LARGEST) if activated.dtype == torch.float16 else activated
