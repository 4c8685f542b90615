"""Normalisation layers by name, for feature maps and for vectors."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lab.models.layers.labelled import ConditionalBatchNorm
from gan_lab.validation import check_choice

Norm = Callable[[int], nn.Module]
"""Makes the normalisation of a number of channels or features."""

MAP_NORMS: Mapping[str, Norm] = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),  # over all channels and positions: layer norm of an image
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
}
VECTOR_NORMS: Mapping[str, Norm] = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def check_map_norm(name: str, norm: object, smallest: Sequence[int], sample_shape: Sequence[int]) -> None:
    """Raise unless ``norm`` is one of `MAP_NORMS` that the discriminator's smallest normalised map allows.

    Args:
        name: the argument, for the message.
        norm: its value.
        smallest: height and width of the map. Instance norm takes its statistics from the pixels of a map, and of one
            pixel there are none.
        sample_shape: ``(C, H, W)``, for the message.
    """
    check_choice(name, norm, MAP_NORMS)
    if norm == "instance" and tuple(smallest) == (1, 1):
        sides = "x".join(map(str, sample_shape[1:]))
        raise ValueError(
            f"{name}=instance: expected none, batch or layer, as the last map of images of {sides} pixels has one pixel"
        )


def batch_norm(
    kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d], conditioning: str, classes: int | None, eps: float = 1e-5
) -> Norm:
    """Makes a generator's BatchNorm: with a gain and offset for each class if labels reach it there.

    Args:
        kind: BatchNorm of vectors or of feature maps.
        conditioning: one of `gan_lab.models.conditions.GENERATOR_CONDITIONING`.
        classes: number of classes, or None for a generator without labels.
        eps: added to the variance.
    """
    if classes is None or conditioning != "batch_norm":
        return lambda channels: kind(channels, eps)
    return lambda channels: ConditionalBatchNorm(kind(channels, eps, affine=False), classes)


def bound_layers(network: nn.Module, eps: float = 1e-12) -> None:
    """Divide the weights of linear layers and convolutions by their largest singular values, once they are drawn.

    So do the generators of SAGAN and BigGAN. Embeddings of labels, and what is made from them in a table, stay as they
    are: with their norms bounded a generator hardly tells classes apart.

    Args:
        network: its weights are drawn.
        eps: of the norms that spectral norm divides by.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d):
            spectral_norm(module, eps=eps)


class PixelNorm(nn.Module):
    """Divides each position's vector of channels by the root of its mean square, + 1e-8 below the root.

    References:
        Karras et al. 2018, Progressive Growing of GANs (arXiv 1710.10196), §4.2.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, C, …]`` → the same shape."""
        return features * torch.rsqrt(features.square().mean(1, keepdim=True) + 1e-8)
