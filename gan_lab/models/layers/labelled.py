"""Layers that are given labels, and how labels reach them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import takes_labels


def missing_labels(network: nn.Module) -> ValueError:
    """What to raise for a network that needs labels and is given none."""
    return ValueError(f"{type(network).__name__}: labels are missing, expected the class of each sample, [B] int64")


class LabelledSequential(nn.Sequential):
    """Layers one after the other; those that take labels are given them beside their input.

    Attributes:
        uses_labels: whether any of the layers takes labels. Without one it is a plain `torch.nn.Sequential`.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self._given = [takes_labels(layer) for layer in layers]
        self.uses_labels = any(self._given)

    def forward(self, input: Tensor, labels: Tensor | None = None) -> Tensor:
        """Inputs ``[B, …]``, and labels ``[B]`` int64 if a layer takes them → the last layer's output.

        Raises:
            ValueError: if labels are needed and missing.
        """
        if not self.uses_labels:
            return super().forward(input)
        if labels is None:
            raise missing_labels(self)
        for layer, given in zip(self, self._given, strict=True):
            input = layer(input, labels) if given else layer(input)
        return input


class ConcatLabel(nn.Module):
    """Appends an embedding of the label: to a vector as features, to an image as maps of one value each.

    Embeddings are drawn from N(0, 1).

    Args:
        classes: number of classes.
        width: features or channels that are appended; None for as many as there are classes, at most 64.
    """

    def __init__(self, classes: int, width: int | None = None) -> None:
        super().__init__()
        self.width = min(classes, 64) if width is None else width
        self.embedding = nn.Embedding(classes, self.width)

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Samples ``[B, C, …]`` and labels ``[B]`` → ``[B, C + width, …]``."""
        embedded = self.embedding(labels).to(samples.dtype)
        maps = embedded.view(*embedded.shape, *[1] * (samples.ndim - 2)).expand(-1, -1, *samples.shape[2:])
        return torch.cat([samples, maps], 1)


class ConditionalBatchNorm(nn.Module):
    """BatchNorm whose gain and offset are the label's (Dumoulin et al. 2017, arXiv 1610.07629; de Vries et al. 2017).

    Gains begin at 1 and offsets at 0, so that all classes begin alike.

    Args:
        norm: BatchNorm of one or two dimensions, without a gain and offset of its own.
        classes: number of classes.
    """

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.gain = nn.Embedding(classes, norm.num_features)
        self.offset = nn.Embedding(classes, norm.num_features)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.offset.weight)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features ``[B, C, …]`` and labels ``[B]`` → the same shape."""
        shape = (features.shape[0], -1, *[1] * (features.ndim - 2))  # torch.export cannot trace len()
        return self.norm(features) * self.gain(labels).view(shape) + self.offset(labels).view(shape)


class ModulatedBatchNorm(nn.Module):
    """BatchNorm with gain 1 + g(c) and offset o(c), where c is what the layer is told of a sample (BigGAN).

    Args:
        channels: of the feature map.
        make: makes g and o, each a map from c to ``channels`` numbers.
        eps: added to the variance.

    References:
        Brock, Donahue and Simonyan 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis (arXiv
        1809.11096), appendix B.
    """

    def __init__(self, channels: int, make: Callable[[int], nn.Module], eps: float = 1e-5) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps, affine=False)
        self.gain, self.offset = make(channels), make(channels)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features ``[B, channels, H, W]`` → the same shape; ``labels`` is c: vectors ``[B, width]``, or classes."""
        gain, offset = (made(labels)[:, :, None, None] for made in (self.gain, self.offset))
        return self.norm(features) * (1 + gain) + offset
