"""How networks are given labels, and what a discriminator says of them."""

import inspect
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lab.validation import check_choice, check_positive

GENERATOR_CONDITIONING = ("concat", "batch_norm")
DISCRIMINATOR_CONDITIONING = ("none", "concat", "projection", "auxiliary", "per_class")


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


def takes_labels(network: nn.Module) -> bool:
    """Whether the network is given labels: its forward method has an argument ``labels``, and it uses it.

    A network that can be built with and without labels says which by its attribute ``uses_labels``.
    """
    return "labels" in inspect.signature(network.forward).parameters and getattr(network, "uses_labels", True)


def some_labels(network: nn.Module, count: int) -> list[Tensor]:
    """The labels ``[count]`` to try a network with, all of class 0, or nothing if it takes none."""
    return [torch.zeros(count, dtype=torch.long)] if takes_labels(network) else []


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
