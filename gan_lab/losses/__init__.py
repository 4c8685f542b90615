"""Adversarial losses from three orthogonal parts: objective + penalties + constraint = recipe."""

from gan_lab.losses.constraints import Constraint, WeightClip
from gan_lab.losses.objectives import LeastSquares, NonSaturating, Objective, Relativistic, Wasserstein
from gan_lab.losses.penalties import GradientPenalty, Penalty
from gan_lab.losses.recipe import Recipe

__all__ = [
    "Constraint",
    "GradientPenalty",
    "LeastSquares",
    "NonSaturating",
    "Objective",
    "Penalty",
    "Recipe",
    "Relativistic",
    "Wasserstein",
    "WeightClip",
]
