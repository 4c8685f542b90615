"""A recipe's mathematics: an objective, any number of penalties, at most one constraint."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gan_lab.losses.constraints import Constraint
from gan_lab.losses.objectives import Objective
from gan_lab.losses.penalties import Penalty


@dataclass(frozen=True)
class Recipe:
    """What the two players minimise: one ``loss:`` block of ``conf/loss/``.

    Args:
        objective: the pair (L_D, L_G) of logits.
        penalties: terms added to L_D, by the name they are logged under.
        constraint: what is kept true of D's weights, or None.

    Raises:
        TypeError: if a part is not of its kind, by the part's name.
    """

    objective: Objective
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    constraint: Constraint | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.objective, Objective):
            raise TypeError(f"loss.objective is a {type(self.objective).__name__}: expected a gan_lab.losses.Objective")
        for name, penalty in self.penalties.items():
            if not isinstance(penalty, Penalty):
                raise TypeError(
                    f"loss.penalties.{name} is a {type(penalty).__name__}: expected a gan_lab.losses.Penalty"
                )
        if self.constraint is not None and not isinstance(self.constraint, Constraint):
            raise TypeError(
                f"loss.constraint is a {type(self.constraint).__name__}: expected a gan_lab.losses.Constraint or null"
            )
