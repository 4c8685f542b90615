"""Adversarial losses from independent parts: a recipe is an objective, penalties, terms and a constraint."""

from gan_lab.losses.classification import Classification, ClassificationTerm
from gan_lab.losses.comparisons import BCE, KL, L1, MSE, Comparison, Cycle, Identity
from gan_lab.losses.consistency import Consistency, LeCam
from gan_lab.losses.constraints import Constraint, SpectralNorm, WeightClip
from gan_lab.losses.features import FeatureMatching, FeatureReconstruction
from gan_lab.losses.judge import Judge
from gan_lab.losses.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Wasserstein,
    first_head,
)
from gan_lab.losses.orthogonal import Orthogonal
from gan_lab.losses.path_length import PathLength
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
from gan_lab.losses.relativistic import Relativistic, RelativisticAttention
from gan_lab.losses.terms import GeneratorStep, Term
from gan_lab.losses.top_k import TopK

__all__ = [
    "BCE",
    "DRAGAN",
    "KL",
    "L1",
    "MSE",
    "R1",
    "R2",
    "Classification",
    "ClassificationTerm",
    "Comparison",
    "Consistency",
    "Constraint",
    "Cycle",
    "FeatureMatching",
    "FeatureReconstruction",
    "GeneratorStep",
    "GradientPenalty",
    "Hinge",
    "Identity",
    "Judge",
    "LeCam",
    "LeastSquares",
    "LipschitzPenalty",
    "Minimax",
    "NonSaturating",
    "Objective",
    "Orthogonal",
    "PathLength",
    "Penalty",
    "Recipe",
    "Relativistic",
    "RelativisticAttention",
    "SpectralNorm",
    "Term",
    "TopK",
    "Wasserstein",
    "WeightClip",
    "ZeroCentered",
    "first_head",
]
