"""What penalties and terms share: a weight, how often they are computed, and how they are added to a loss."""

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from torch import Tensor, nn

from gan_lab.errors import ConfigError
from gan_lab.validation import check_flag, check_number, check_positive

A_PART = {"part": True}
"""Metadata of a field that is an object of its own and no number."""
Weights = Mapping[str, float | Tensor]
"""The factors of the penalties or terms that are due in an update, by name."""


@dataclass(frozen=True)
class Weighted(ABC):
    """Something that is added to a player's loss.

    Args:
        weight: its factor in the loss. A call returns the unweighted value, which is what the curves show; the
            algorithm multiplies it, once.
        every: updates of the player between two evaluations. The weight is multiplied by it, so that its mean
            contribution to an update stays the same (lazy regularisation, Karras et al. 2020, arXiv 1912.04958, §B).
        final_weight: what the weight becomes along half a cosine, as R3GAN's do (Huang et al. 2024, arXiv 2501.05441);
            None for a weight that stays.
        until: updates of the player after which it is that; only with ``final_weight``.

    Raises:
        ValueError: for a number that is negative or not finite, or ``every`` or ``until`` that is no whole number of at
            least 1.
    """

    block: ClassVar[str]
    """The block of ``loss`` that it stands in."""
    weight: float = 10.0
    every: int = 1
    final_weight: float | None = field(default=None, kw_only=True)
    until: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_positive(f"{type(self).__name__}.every", self.every)
        ours = [kind for kind in type(self).__mro__ if kind.__module__.startswith("gan_lab.")]
        for entry in fields(self):
            if not any(entry.name in vars(kind).get("__annotations__", {}) for kind in ours):
                continue  # an option of a user's class, which checks itself
            name, value = f"{type(self).__name__}.{entry.name}", getattr(self, entry.name)
            if entry.metadata.get("part"):  # an object, which checks itself
                continue
            if entry.default is None and value is None:
                continue
            if isinstance(entry.default, bool):
                check_flag(name, value)
            else:
                check_number(name, value, at_least=0)
        if self.final_weight is not None:
            check_positive(f"{type(self).__name__}.until", self.until)
        elif self.until is not None:
            raise ValueError(f"{type(self).__name__}.until={self.until}: expected null without final_weight")

    @property
    def state(self) -> nn.Module | None:
        """What it must remember from one update to the next, as buffers, which are saved with the run; or None."""
        return None

    @property
    def counts(self) -> bool:
        """Whether it changes the loss."""
        return self.weight > 0 or (self.final_weight or 0) > 0

    def weight_at(self, updates: int) -> float:
        """The weight in the next update, after so many updates of the player."""
        if self.final_weight is None or self.until is None:
            return self.weight
        left = 0.5 * (1 + math.cos(math.pi * min(updates / self.until, 1)))
        return self.final_weight + (self.weight - self.final_weight) * left

    def due(self, updates: int) -> bool:
        """Whether it is computed in the next update, after so many updates of the player."""
        return updates % self.every == 0

    @abstractmethod
    def __call__(self, *arguments: Any) -> Tensor:
        """The unweighted value, a scalar."""


def weights_due(parts: Mapping[str, Weighted], updates: int) -> dict[str, float]:
    """The factors of those penalties or terms that are due after so many updates of the player, by name.

    One whose weight is 0 is not computed: 0 times a value that is not finite would be NaN.
    """
    due = {name: one.weight_at(updates) * one.every for name, one in parts.items() if one.due(updates)}
    return {name: weight for name, weight in due.items() if weight != 0}


def with_added(
    loss: Tensor,
    parts: Mapping[str, Weighted],
    weights: Weights,
    curves: dict[str, Tensor],
    *arguments: Any,
    suffix: str = "",
    others: Collection[str] = (),
    player: str = "generator",
) -> Tensor:
    """The loss with every penalty or term that is due added, times its weight; the curves show it unweighted.

    Args:
        loss: a scalar, or a loss of each stacked replica, ``[R]``.
        parts: penalties or terms, by name.
        weights: the factors of those that are due.
        curves: get the values.
        arguments: of the penalties or terms.
        suffix: of their curves' names.
        others: the names of the discriminator's parts; the curve of a part that shares one ends in the player's name.
        player: whose loss it is, if not the discriminator's.

    Raises:
        ConfigError: for a part of a user's own that returns something else than one number.
    """
    for name, part in parts.items():
        if name in weights:
            value = part(*arguments)
            _check_value(f"loss.{part.block}.{name}", part, value, loss)
            loss = loss + weights[name] * value
            whose = f"_{player}" if name in others else ""
            curves[f"loss/{name}{whose}{suffix}"] = value.detach()
    return loss


def _check_value(key: str, part: Weighted, value: Any, loss: Tensor) -> None:
    """Raise ConfigError unless the value of a part has the shape of the loss that it is added to."""
    if not isinstance(value, Tensor) or value.shape != loss.shape:
        found = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ConfigError(f"{key}: {type(part).__name__} returned {found}: expected one number, a scalar tensor")
