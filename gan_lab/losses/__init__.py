"""Adversarial losses from three orthogonal parts: objective + penalties + constraint = recipe."""

from gan_lab.losses.constraints import Constraint, SpectralNorm, WeightClip
from gan_lab.losses.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Relativistic,
    RelativisticAttention,
    Wasserstein,
    first_head,
)
from gan_lab.losses.penalties import (
    DRAGAN,
    R1,
    R2,
    GradientPenalty,
    LipschitzPenalty,
    Penalty,
    ZeroCentered,
)
from gan_lab.losses.recipe import Recipe

__all__ = [
    "DRAGAN",
    "R1",
    "R2",
    "Constraint",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "LipschitzPenalty",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Penalty",
    "Recipe",
    "Relativistic",
    "RelativisticAttention",
    "SpectralNorm",
    "Wasserstein",
    "WeightClip",
    "ZeroCentered",
    "first_head",
]
