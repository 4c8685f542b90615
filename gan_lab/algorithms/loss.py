"""A player's loss in one update: its value, and what the curves show of it."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from gan_lab.algorithms.player import Curves
from gan_lab.errors import ConfigError
from gan_lab.losses.penalties import Penalty
from gan_lab.losses.weighted import Weighted

Weights = Mapping[str, float | Tensor]
"""The factors of the penalties or terms that are due in an update, by name."""


class Loss(NamedTuple):
    """A loss and its curves.

    Args:
        value: a scalar, or a loss of each stacked replica, ``[R]``; with its graph unless it was compiled.
        parts: the curves of penalties or terms, unweighted.
        shown: the other curves, which come after the gradient's norm.
        made: the generated samples ``[B, …]``, detached.
    """

    value: Tensor
    parts: Curves
    shown: Curves
    made: Tensor


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
    curves: Curves,
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
            _check_value(f"loss.{'penalties' if isinstance(part, Penalty) else 'terms'}.{name}", part, value, loss)
            loss = loss + weights[name] * value
            whose = f"_{player}" if name in others else ""
            curves[f"loss/{name}{whose}{suffix}"] = value.detach()
    return loss


def _check_value(key: str, part: Weighted, value: Any, loss: Tensor) -> None:
    """Raise ConfigError unless the value of a part has the shape of the loss that it is added to."""
    if not isinstance(value, Tensor) or value.shape != loss.shape:
        found = f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ConfigError(f"{key}: {type(part).__name__} returned {found}: expected one number, a scalar tensor")
