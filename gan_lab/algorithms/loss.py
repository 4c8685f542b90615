"""A player's loss in one update: its value, and what the curves show of it."""

from typing import NamedTuple

from torch import Tensor

from gan_lab.algorithms.player import Curves


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
