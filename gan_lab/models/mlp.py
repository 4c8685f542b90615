"""Multi-layer perceptrons, for images and for points."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.layers.attention import Heads, SelfAttention
from gan_lab.validation import check_choice, check_widths

_NORMS: dict[str, Callable[[int], nn.Module]] = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def _hidden_layers(widths: Sequence[int], norm: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), _NORMS[norm](fan_out), nn.LeakyReLU(0.2)]
    return layers


class MLPGenerator(nn.Sequential):
    """Latent → hidden layers → sample; tanh at the end for images, nothing for points.

    Args:
        latent_dim: size of the latent.
        sample_shape: ``(C, H, W)`` or ``(D,)``.
        hidden: widths of the hidden layers.
        norm: normalisation of the hidden layers: none, batch or layer.
    """

    def __init__(self, latent_dim: int, sample_shape: Sequence[int], hidden: Sequence[int], norm: str = "none") -> None:
        check_widths("MLPGenerator.hidden", hidden)
        check_choice("MLPGenerator.norm", norm, _NORMS)
        layers = _hidden_layers([latent_dim, *hidden], norm)
        layers.append(nn.Linear(hidden[-1], math.prod(sample_shape)))
        if len(sample_shape) == 3:
            layers += [nn.Tanh(), nn.Unflatten(1, tuple(sample_shape))]
        super().__init__(*layers)


class MLPDiscriminator(nn.Sequential):
    """Sample → hidden layers → logit.

    Args:
        sample_shape: ``(C, H, W)`` or ``(D,)``.
        hidden: widths of the hidden layers.
        norm: normalisation of the hidden layers: none, batch or layer.
        attention: add self-attention over the last hidden layer, split into at most 16 tokens, and a second logit.
    """

    def __init__(
        self, sample_shape: Sequence[int], hidden: Sequence[int], norm: str = "none", attention: bool = False
    ) -> None:
        check_widths("MLPDiscriminator.hidden", hidden)
        check_choice("MLPDiscriminator.norm", norm, _NORMS)
        check_choice("MLPDiscriminator.attention", attention, (False, True))
        layers = _hidden_layers([math.prod(sample_shape), *hidden], norm)
        width = hidden[-1]
        first = nn.Linear(width, 1)
        super().__init__(nn.Flatten(), *layers, Heads(first, *(_attention(width) if attention else (None, None))))


def _attention(width: int) -> tuple[nn.Module, nn.Module]:
    tokens = math.gcd(width, 16)
    if tokens == 1:
        raise ValueError(
            f"MLPDiscriminator.attention: the last hidden width, {width}, is odd and does not split in tokens"
        )
    block = nn.Sequential(nn.Unflatten(1, (width // tokens, tokens)), SelfAttention(width // tokens), nn.Flatten())
    return block, nn.Linear(width, 1)
