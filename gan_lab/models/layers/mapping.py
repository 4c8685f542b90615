"""Mapping networks: from latents, or labels, to the styles that steer a generator (Karras et al. 2019, 1812.04948)."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_lab.models.layers.activation import ScaledLeakyReLU
from gan_lab.models.layers.equalised import equalise
from gan_lab.models.layers.normalisation import PixelNorm

_RATE = 0.01  # factor on the mapping's learning rate


class Mapping(nn.Module):
    """Latents, labels or both → perceptron → styles.

    A latent is divided by the root of its mean square; so is the embedding of a label, which is as wide as a style.

    Args:
        latent_dim: size of the latent; 0 for a mapping of labels alone.
        width: size of a style, and of every layer.
        layers: number of layers.
        classes: number of classes; None without labels.
    """

    def __init__(self, latent_dim: int, width: int, layers: int, classes: int | None = None) -> None:
        super().__init__()
        self.classes = classes
        self.normalise = PixelNorm()
        self.embedding = None if classes is None else equalise(nn.Linear(classes, width))
        fan_ins = [latent_dim + (0 if classes is None else width), *[width] * (layers - 1)]
        perceptron: list[nn.Module] = []
        for fan_in in fan_ins:
            perceptron += [equalise(nn.Linear(fan_in, width), rate=_RATE), ScaledLeakyReLU()]
        self.perceptron = nn.Sequential(*perceptron)

    def forward(self, latents: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Latents ``[B, latent_dim]`` or None, and labels ``[B]`` or None → styles ``[B, width]``."""
        inputs = [] if latents is None else [self.normalise(latents)]
        if self.embedding is not None:
            assert labels is not None
            assert self.classes is not None
            weight = self.embedding.weight
            inputs.append(self.normalise(self.embedding(functional.one_hot(labels, self.classes).to(weight.dtype))))
        return self.perceptron(torch.cat(inputs, 1))


@runtime_checkable
class Mapped(Protocol):
    """A generator in two steps: a mapping of latents to styles, and the synthesis of samples from them."""

    def styles(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents ``[B, latent_dim]``, and labels ``[B]`` if it takes them → styles ``[B, layers, width]``."""

    def synthesis(self, styles: Tensor) -> Tensor:
        """Styles ``[B, layers, width]`` → samples ``[B, …]``."""


def has_mapping(network: nn.Module) -> bool:
    """Whether a generator has styles."""
    return isinstance(network, Mapped)


def mapped(network: nn.Module) -> Mapped:
    """The same network, which has styles."""
    assert isinstance(network, Mapped)
    return network


class Truncated(nn.Module):
    """A generator whose styles are drawn towards their mean, w̄ + ψ (w − w̄): fewer failures, less variety.

    The mean is that of the styles of given latents, and so of these very weights, a moving average's for one.

    Args:
        generator: has a mapping, and is in eval mode.
        truncation: ψ; 1 leaves styles as they are, 0 makes all samples those of the mean style.
        latents: by whose styles the mean is estimated, ``[N, latent_dim]``.
        classes: those that will be asked for, each of which has a mean of its own; None without labels.

    References:
        Karras et al. 2019, A Style-Based Generator Architecture for GANs (arXiv 1812.04948), appendix B.
    """

    classes: Tensor
    means: Tensor

    def __init__(
        self, generator: nn.Module, truncation: float, latents: Tensor, classes: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.generator = generator
        self.truncation = truncation
        self.uses_labels = classes is not None
        self.training = generator.training
        asked: list[int | None] = [None] if classes is None else [*sorted(classes)]
        self.register_buffer("classes", torch.tensor(sorted(classes or ())))
        self.register_buffer("means", torch.stack([self._mean(latents, one) for one in asked]))

    @torch.no_grad()
    def _mean(self, latents: Tensor, label: int | None) -> Tensor:
        """The mean styles of a class, or of all samples without labels: ``[layers, style]``."""
        labels = None if label is None else torch.full((len(latents),), label)
        return mapped(self.generator).styles(latents, labels).mean(0)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """As the generator's."""
        generator = mapped(self.generator)
        mean = self.means if labels is None else self.means[torch.searchsorted(self.classes, labels)]
        return generator.synthesis(torch.lerp(mean, generator.styles(latents, labels), self.truncation))
