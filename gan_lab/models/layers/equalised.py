"""Equalised learning rates: weights are kept at unit size, and scaled when they are used.

Adam's steps have the size of the learning rate whatever the gradient. With all weights drawn from N(0, 1) every layer
therefore learns at the same relative rate (Karras et al. 2018, arXiv 1710.10196, §4.1).
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

Layer = TypeVar("Layer", bound=nn.Linear | nn.Conv2d | nn.Embedding)


class Scaled(nn.Module):
    """A parametrization: the weight that a layer uses is the one that is trained, times a constant.

    Args:
        factor: the constant.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, trained: Tensor) -> Tensor:
        return trained * self.factor


def factor_in_use(module: nn.Module) -> float:
    """What a module's own parameters are multiplied by when they are used: 1 but for those of equalised layers."""
    if not isinstance(module, parametrize.ParametrizationList):
        return 1.0
    return math.prod((part.factor for part in module if isinstance(part, Scaled)), start=1.0)


def equalise(layer: Layer, gain: float = 1.0, rate: float = 1.0, bias: float = 0.0) -> Layer:
    """The layer with weights from N(0, 1), scaled by gain / √fan_in when they are used.

    What constraints bound, and what an export holds, is the weight that is used.

    Args:
        layer: of an embedding the fan-in is its width, as of the inner product that it is part of.
        gain: standard deviation of the weights in use, times √fan_in.
        rate: factor on the learning rate: weights and biases are kept 1 / rate times as large.
        bias: first value of the biases.
    """
    fan_in = math.prod(layer.weight.shape[1:])
    with torch.no_grad():
        nn.init.normal_(layer.weight, 0.0, 1 / rate)
        parametrize.register_parametrization(layer, "weight", Scaled(gain * rate / math.sqrt(fan_in)))
        if (offset := getattr(layer, "bias", None)) is not None:
            nn.init.constant_(offset, bias / rate)
            if rate != 1:
                parametrize.register_parametrization(layer, "bias", Scaled(rate))
    return layer


def equalise_all(network: nn.Module) -> nn.Module:
    """The network with every linear layer, convolution and embedding in it equalised."""
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding):
            equalise(module)
    return network
