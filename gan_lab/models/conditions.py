"""How networks are given labels, and what a discriminator says of them."""

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from gan_lab.validation import check_choice, check_positive

GENERATOR_CONDITIONING = ("concat", "batch_norm")
DISCRIMINATOR_CONDITIONING = ("none", "concat", "projection", "auxiliary", "per_class")
_CONDITIONS = ("labels", "source")


class Conditions(Protocol):
    """Labels ``[B]`` int64 and source images ``[B, C, H, W]`` of a batch; each None if there are none."""

    @property
    def labels(self) -> Tensor | None: ...

    @property
    def source(self) -> Tensor | None: ...


class Judgement(NamedTuple):
    """What a discriminator gives: the logits, and of one with an auxiliary classifier the classes.

    Args:
        logits: ``[B]``; ``[B, heads]``; or ``[B, 1, …]``, such as a map ``[B, 1, H, W]``, each number of which is a
            logit of its sample.
        classes: unnormalised log-probabilities of the classes, ``[B, classes]``; None if it does not classify.
    """

    logits: Tensor
    classes: Tensor | None = None

    @classmethod
    def of(cls, judged: "Tensor | Judgement") -> "Judgement":
        """What a discriminator returned, which may be logits alone; those of one channel come flat, ``[B·H·W]``."""
        judgement = judged if isinstance(judged, Judgement) else cls(judged)
        if judgement.logits.shape[1:2] != (1,):
            return judgement
        return cls(judgement.logits.flatten(), judgement.classes)

    def to(self, dtype: torch.dtype) -> "Judgement":
        """The same in another precision."""
        return Judgement(self.logits.to(dtype), None if self.classes is None else self.classes.to(dtype))

    def halves(self) -> "tuple[Judgement, Judgement]":
        """That of the first half of the samples, and of the second."""
        first, second = self.logits.chunk(2)
        if self.classes is None:
            return Judgement(first), Judgement(second)
        return Judgement(first, self.classes.chunk(2)[0]), Judgement(second, self.classes.chunk(2)[1])


def conditions_taken(network: nn.Module) -> tuple[str, ...]:
    """Of ``labels`` and ``source``, what the network is given beside its input.

    Its forward method has an argument of that name, and uses it. A network that can be built with and without says
    which by its attributes ``uses_labels`` and ``uses_source``.
    """
    named = inspect.signature(network.forward).parameters
    return tuple(name for name in _CONDITIONS if name in named and getattr(network, f"uses_{name}", True))


def tell_of_no_labels(network: nn.Module) -> None:
    """Mark a network whose labels are optional as one that takes none, for data without labels.

    A network that says itself whether it uses labels, or that needs them, stays as it is.
    """
    labels = inspect.signature(network.forward).parameters.get("labels")
    if labels is not None and labels.default is not labels.empty and not hasattr(network, "uses_labels"):
        network.uses_labels = False  # type: ignore[assignment]  # mypy knows attributes that are tensors or modules


def takes_labels(network: nn.Module) -> bool:
    """Whether the network is given labels."""
    return "labels" in conditions_taken(network)


def takes_source(network: nn.Module) -> bool:
    """Whether the network is given the images to translate."""
    return "source" in conditions_taken(network)


def conditions_for(network: nn.Module, asked: Conditions) -> dict[str, Any]:
    """What the network is given beside its input, by name: labels and sources of a batch or a request."""
    return {name: getattr(asked, name) for name in conditions_taken(network)}


def some_conditions(network: nn.Module, count: int, source_shape: Sequence[int] | None = None) -> dict[str, Tensor]:
    """What to try a network with, beside ``count`` inputs: labels of class 0 and sources of zeros, if it takes them."""
    taken = conditions_taken(network)
    given = {}
    if "labels" in taken:
        given["labels"] = torch.zeros(count, dtype=torch.long)
    if "source" in taken and source_shape is not None:
        given["source"] = torch.zeros(count, *source_shape)
    return given


def check_generator_conditioning(name: str, conditioning: object, classes: int | None, has_batchnorm: bool) -> None:
    """Raise ValueError unless a generator can take labels as asked.

    Args:
        name: the generator's, for the message.
        conditioning: how it takes labels.
        classes: number of classes, or None for a generator without labels.
        has_batchnorm: whether it has BatchNorm that could be conditional.
    """
    check_choice(f"{name}.conditioning", conditioning, GENERATOR_CONDITIONING)
    if classes is not None:
        check_positive(f"{name}.classes", classes)
        if conditioning == "batch_norm" and not has_batchnorm:
            raise ValueError(f"{name}.conditioning=batch_norm: expected concat, or {name}.norm=batch with it")


def check_discriminator_conditioning(
    name: str, conditioning: object, classes: int | None, attention: bool = False
) -> None:
    """Raise ValueError unless a discriminator can look at labels as asked; with ``none``, classes do not matter.

    Args:
        name: the discriminator's, for the message.
        conditioning: how it looks at labels.
        classes: number of classes, or None if the samples have no labels.
        attention: whether it has a second head, with attention.
    """
    check_choice(f"{name}.conditioning", conditioning, DISCRIMINATOR_CONDITIONING)
    if conditioning == "none":
        return
    if classes is None:
        raise ValueError(f"{name}.conditioning={conditioning}: expected none, or conditional={conditioning}")
    check_positive(f"{name}.classes", classes)
    if attention and conditioning != "concat":
        raise ValueError(f"{name}.conditioning={conditioning}: expected none or concat with attention")
