"""A recipe's mathematics: an objective, any number of penalties and terms, at most one constraint."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from gan_lab.losses.constraints import Constraint
from gan_lab.losses.objectives import Objective
from gan_lab.losses.penalties import Penalty
from gan_lab.losses.terms import Term
from gan_lab.losses.top_k import TopK
from gan_lab.losses.weighted import Weighted


@dataclass(frozen=True)
class Recipe:
    """What the two players minimise: the ``loss:`` block of a file in ``conf/loss/``.

    Args:
        objective: the pair (L_D, L_G) of functions of logits.
        penalties: what is added to L_D, by the name it is logged under.
        constraint: a condition on D's weights, or None.
        terms: what is added to L_G, by the name it is logged under.
        top_k: which generated samples L_G's objective is of; None for all.

    Raises:
        TypeError: if a part is of another kind; the message names the part.
        ValueError: for a name by which a part could not be told from another, in curves or in a checkpoint.
    """

    objective: Objective
    penalties: Mapping[str, Penalty] = field(default_factory=dict)
    constraint: Constraint | None = None
    terms: Mapping[str, Term] = field(default_factory=dict)
    top_k: TopK | None = None

    @property
    def gradient_penalties(self) -> list[str]:
        """The names of the penalties that count and look at the gradient of each sample's own logit."""
        return [name for name, one in self.penalties.items() if one.per_sample_gradient and one.counts]

    def kept(self, fake: Tensor, updates: int) -> Tensor:
        """The logits of generated samples that L_G's objective is of, after so many updates of the generator."""
        return fake if self.top_k is None else self.top_k(fake, updates)

    def __post_init__(self) -> None:
        parts: list[tuple[str, object, type]] = [("objective", self.objective, Objective)]
        parts += [(f"penalties.{name}", penalty, Penalty) for name, penalty in self.penalties.items()]
        parts += [(f"terms.{name}", term, Term) for name, term in self.terms.items()]
        for name, part, kind in parts:
            if not isinstance(part, kind):
                raise TypeError(f"loss.{name} is a {type(part).__name__}: expected a gan_lab.losses.{kind.__name__}")
            if isinstance(part, Weighted):
                _check_call(f"loss.{name}", part, kind)
            if isinstance(part, Weighted) and "weight" not in vars(part):
                what = type(part).__name__
                raise TypeError(
                    f"loss.{name}: {what}.__init__ leaves its weight as it was: expected super().__init__(weight=...) "
                    "in it, or a frozen dataclass without it"
                )
        for block, named in (("penalties", self.penalties), ("terms", self.terms)):
            if taken := [name for name in named if name in ("generator", "discriminator", "encoder")]:
                raise ValueError(f"loss.{block}.{taken[0]}: a player's loss is logged under this name; rename it")
        for name in self.penalties.keys() & self.terms.keys():
            if self.penalties[name].state is not None and self.terms[name].state is not None:
                raise ValueError(f"loss.terms.{name}: a penalty has this name, and both keep a state; rename one")
        if not isinstance(self.constraint, Constraint | None):
            raise TypeError(
                f"loss.constraint is a {type(self.constraint).__name__}: expected a gan_lab.losses.Constraint or null"
            )
        if not isinstance(self.top_k, TopK | None):
            raise TypeError(f"loss.top_k is a {type(self.top_k).__name__}: expected a gan_lab.losses.TopK or null")


def _check_call(key: str, part: Weighted, kind: type) -> None:
    """Raise TypeError unless a part can be called as its base class says: a user's own may take something else."""
    asked = [name for name in inspect.signature(kind.__call__).parameters if name != "self"]
    try:
        inspect.signature(part.__call__).bind(*asked)  # of the part: it may be a static method
    except TypeError:
        what, taken = f"{type(part).__name__}.__call__", inspect.signature(type(part).__call__)
        expected = f"expected (self, {', '.join(asked)})"
        raise TypeError(f"{key}: {what} takes ({', '.join(taken.parameters)}): {expected}") from None
