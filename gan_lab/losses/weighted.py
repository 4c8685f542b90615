"""What penalties and terms share: a weight, and how often they are computed."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn

from gan_lab.validation import check_flag, check_number, check_positive


@dataclass(frozen=True)
class Weighted(ABC):
    """Something that is added to a player's loss.

    Args:
        weight: its factor in the loss. A call returns the unweighted value, which is what the curves show; the
            algorithm multiplies it, once.
        every: updates of the player between two evaluations. The weight is multiplied by it, so that its mean
            contribution to an update stays the same (lazy regularisation, Karras et al. 2020, arXiv 1912.04958, §B).

    Raises:
        ValueError: for a number that is negative or not finite, or ``every`` that is no whole number of at least 1.
    """

    weight: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        for entry in fields(self):
            name, value = f"{type(self).__name__}.{entry.name}", getattr(self, entry.name)
            if isinstance(entry.default, bool):
                check_flag(name, value)
            else:
                check_number(name, value, at_least=0)
        check_positive(f"{type(self).__name__}.every", self.every)

    @property
    def state(self) -> nn.Module | None:
        """What it must remember from one update to the next, as buffers, which are saved with the run; or None."""
        return None

    @property
    def counts(self) -> bool:
        """Whether it changes the loss."""
        return self.weight > 0

    def due(self, updates: int) -> bool:
        """Whether it is computed in the next update, after so many updates of the player."""
        return updates % self.every == 0

    @abstractmethod
    def __call__(self, *arguments: Any) -> Tensor:
        """The unweighted value, a scalar."""
