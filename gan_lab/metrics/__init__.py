"""How good generated samples are: pure functions on features, and the evaluator that feeds them."""

from gan_lab.metrics.evaluator import Evaluator
from gan_lab.metrics.frechet import Gaussian, frechet_distance
from gan_lab.metrics.modes import mode_coverage

__all__ = ["Evaluator", "Gaussian", "frechet_distance", "mode_coverage"]
