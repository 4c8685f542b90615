"""Layers of several networks of one architecture as one: weights ``[R, …]``, features ``[R, B, …]`` for R replicas."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_lab.errors import ConfigError
from gan_lab.models.conditions import Judgement, takes_labels
from gan_lab.models.layers import heads
from gan_lab.models.layers.attention import Heads, SelfAttention
from gan_lab.models.layers.labelled import ConcatLabel, ConditionalBatchNorm, LabelledSequential
from gan_lab.models.layers.maxout import Maxout


class Scope:
    """The stacked weights and buffers of a part of a network, ``[R, …]`` each, by their names in it."""

    def __init__(self, tensors: Mapping[str, Tensor], prefix: str = "") -> None:
        self.tensors = tensors
        self.prefix = prefix

    def __call__(self, name: str) -> Tensor | None:
        return self.tensors.get(self.prefix + name)

    def below(self, name: str) -> "Scope":
        """That of a part of the part."""
        return Scope(self.tensors, f"{self.prefix}{name}.")

    def converted(self, network: nn.Module, name: str) -> nn.Module:
        """The stacked form of a part of the network."""
        return converted(getattr(network, name), self.below(name))


class Weight(nn.Module):
    """A stacked weight ``[R, …]``, divided by each replica's own spectral norm if it is constrained so.

    The estimate is that of `torch.nn.utils.parametrizations.spectral_norm`: a step of power iteration in every pass.
    """

    def __init__(self, layer: nn.Module, scope: Scope) -> None:
        super().__init__()
        plain = scope("weight")
        self.norm: _SpectralNorm | None = None
        if plain is None:
            plain, (norm,) = scope("parametrizations.weight.original"), layer.parametrizations.weight  # type: ignore
            if not isinstance(norm, _SpectralNorm) or norm.dim != 0:
                raise not_stackable(norm)
            self.norm, below = norm, scope.below("parametrizations.weight.0")
            self.u, self.v = nn.Buffer(_there(below("_u"))), nn.Buffer(_there(below("_v")))
        assert isinstance(plain, nn.Parameter)
        self.plain = plain

    def forward(self) -> Tensor:
        if self.norm is None:
            return self.plain
        matrix, eps = self.plain.flatten(2), self.norm.eps
        with torch.no_grad():
            for _ in range(self.norm.n_power_iterations):
                self.u.copy_(functional.normalize(_product(matrix, self.v), dim=1, eps=eps))
                self.v.copy_(functional.normalize(_product(matrix.mT, self.u), dim=1, eps=eps))
        sigma = (self.u.clone() * _product(matrix, self.v.clone())).sum(1)
        return self.plain / sigma.view(-1, *[1] * (self.plain.ndim - 1))


def _there(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor


def _product(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[:, :, None]).squeeze(2)


class Linear(nn.Module):
    """``[R, B, …, in]`` → ``[R, B, …, out]``."""

    def __init__(self, layer: nn.Linear, scope: Scope) -> None:
        super().__init__()
        self.weight = Weight(layer, scope)
        self.bias = scope("bias")

    def forward(self, features: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(features, self.weight().mT)
        return torch.baddbmm(self.bias[:, None], features, self.weight().mT)


class Embedding(nn.Module):
    """Labels ``[R, B]`` → ``[R, B, width]``."""

    def __init__(self, layer: nn.Embedding, scope: Scope) -> None:
        super().__init__()
        self.weight = Weight(layer, scope)

    def forward(self, labels: Tensor) -> Tensor:
        weight = self.weight()
        return weight[torch.arange(len(weight), device=weight.device)[:, None], labels]


class BatchNorm(nn.Module):
    """Each replica's features are normalised over its own batch."""

    def __init__(self, layer: nn.BatchNorm1d, scope: Scope) -> None:
        super().__init__()
        if layer.momentum is None or not layer.track_running_stats:
            raise not_stackable(layer)
        self.momentum, self.eps = layer.momentum, layer.eps
        self.weight, self.bias = scope("weight"), scope("bias")
        names = ("running_mean", "running_var", "num_batches_tracked")
        self.running_mean, self.running_var, self.batches = (nn.Buffer(_there(scope(name))) for name in names)

    def forward(self, features: Tensor) -> Tensor:
        flat = features.transpose(0, 1).flatten(1)  # a channel of each replica is a channel
        gain, offset = (None if one is None else one.flatten() for one in (self.weight, self.bias))
        mean, variance = self.running_mean.view(-1), self.running_var.view(-1)
        self.batches.add_(1)
        normal = functional.batch_norm(flat, mean, variance, gain, offset, True, self.momentum, self.eps)
        return normal.view(-1, features.shape[0], features.shape[2]).transpose(0, 1)


class LayerNorm(nn.Module):
    def __init__(self, layer: nn.LayerNorm, scope: Scope) -> None:
        super().__init__()
        self.shape, self.eps = layer.normalized_shape, layer.eps
        self.weight, self.bias = scope("weight"), scope("bias")

    def forward(self, features: Tensor) -> Tensor:
        normal = functional.layer_norm(features, self.shape, eps=self.eps)
        if self.weight is not None:
            normal = normal * self.weight[:, None]
        return normal if self.bias is None else normal + self.bias[:, None]


class Sequential(nn.Module):
    """Layers one after the other; those that take labels get them."""

    def __init__(self, network: nn.Sequential, scope: Scope) -> None:
        super().__init__()
        if type(network).forward not in (nn.Sequential.forward, LabelledSequential.forward):
            raise not_stackable(network)
        self.given = [takes_labels(layer) for layer in network]
        self.layers = nn.ModuleList(converted(layer, scope.below(name)) for name, layer in network.named_children())

    def forward(self, features: Any, labels: Tensor | None = None) -> Any:
        for layer, given in zip(self.layers, self.given, strict=True):
            features = layer(features, labels) if given else layer(features)
        return features


class Composed(nn.Module):
    """A layer made of other layers, whose forward pass on ``[R, B, …]`` is a function of them.

    Args:
        layer: the layer of one replica.
        scope: its weights.
        names: of the layers in it, in the order in which the function takes them.
        function: ``(layer, parts, inputs…)`` → outputs.
    """

    def __init__(self, layer: nn.Module, scope: Scope, names: Sequence[str], function: Callable[..., Any]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Identity() if getattr(layer, name) is None else scope.converted(layer, name) for name in names
        )
        self.settings = (layer,)  # in a tuple: its weights are those of one replica
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self.settings[0], *self.parts, *inputs)


def composed(function: Callable[..., Any], *names: str) -> Callable[[Any, Scope], nn.Module]:
    """Makes `Composed` of a layer."""
    return lambda layer, scope: Composed(layer, scope, names, function)


class Attention(nn.Module):
    """`SelfAttention` of ``[R, B, channels, positions]``."""

    def __init__(self, layer: SelfAttention, scope: Scope) -> None:
        super().__init__()
        self.maps = nn.ModuleList(
            Weight(getattr(layer, name), scope.below(name)) for name in ("key", "query", "value", "out")
        )
        self.gamma = scope("gamma")

    def forward(self, features: Tensor) -> Tensor:
        assert self.gamma is not None
        key, query, value, out = (weight().flatten(2)[:, None] for weight in self.maps)  # [R, 1, to, from]
        scores = (query @ features).mT @ (key @ features)
        attended = out @ ((value @ features) @ scores.softmax(3).mT)
        return features + self.gamma[:, None, None, None] * attended


def _heads(layer: Heads, first: nn.Module, attention: nn.Module, second: nn.Module, features: Tensor) -> Tensor:
    if layer.attention is None:
        return first(features).flatten(1)
    features = attention(features)
    return torch.cat([first(features).flatten(2), second(features).flatten(2)], 2)


def _projected(
    layer: heads.Projection, logit: nn.Module, embedding: nn.Module, features: Tensor, labels: Tensor
) -> Any:
    return logit(features).flatten(1) + (embedding(labels) * features.flatten(2)).sum(2)


_MAKE: dict[type[nn.Module], Callable[[Any, Scope], nn.Module]] = {
    nn.Linear: Linear,
    nn.Embedding: Embedding,
    nn.BatchNorm1d: BatchNorm,
    nn.LayerNorm: LayerNorm,
    SelfAttention: Attention,
    nn.Flatten: lambda layer, scope: nn.Flatten(layer.start_dim + 1, layer.end_dim + (layer.end_dim >= 0)),
    nn.Unflatten: lambda layer, scope: nn.Unflatten(layer.dim + 1, layer.unflattened_size),
    **dict.fromkeys([nn.Identity, nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid], lambda layer, scope: layer),
    Heads: composed(_heads, "first", "attention", "second"),
    heads.Logit: composed(lambda layer, logit, features: logit(features.flatten(2)).squeeze(2), "logit"),
    heads.Projection: composed(_projected, "logit", "embedding"),
    heads.AuxiliaryClassifier: composed(
        lambda layer, logit, classifier, features: Judgement(
            logit(features).flatten(1), classifier(features.flatten(2))
        ),
        "logit",
        "classifier",
    ),
    heads.PerClassLogit: composed(
        lambda layer, logits, features, labels: logits(features.flatten(2)).gather(2, labels[:, :, None]).squeeze(2),
        "logits",
    ),
    ConcatLabel: composed(
        lambda layer, embedding, samples, labels: torch.cat([samples, embedding(labels).to(samples.dtype)], 2),
        "embedding",
    ),
    ConditionalBatchNorm: composed(
        lambda layer, norm, gain, offset, features, labels: norm(features) * gain(labels) + offset(labels),
        "norm",
        "gain",
        "offset",
    ),
    Maxout: composed(
        lambda layer, linear, features: linear(features).unflatten(2, (-1, layer.pieces)).amax(3), "linear"
    ),
}
"""How each kind of layer is stacked. What is not here is not."""


def converted(layer: nn.Module, scope: Scope) -> nn.Module:
    """The stacked form of a layer.

    Raises:
        ConfigError: if it has none.
    """
    kind = type(layer)
    if kind.__name__.startswith("Parametrized"):
        kind = kind.__bases__[0]
    if kind in _MAKE:
        return _MAKE[kind](layer, scope)
    if isinstance(layer, nn.Sequential):
        return Sequential(layer, scope)
    raise not_stackable(layer)


def not_stackable(layer: nn.Module) -> ConfigError:
    """What to raise for a layer that has no stacked form."""
    return ConfigError(
        f"hydra/launcher=vectorized: {type(layer).__name__} cannot be stacked; expected perceptrons, such as "
        "model=mlp, or another launcher"
    )
