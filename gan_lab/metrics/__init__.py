"""Metrics of generated samples: functions of features, extractors that compute features, and what joins the two.

The functions: `frechet_distance`, `kernel_distance`, precision, recall, density and coverage from `neighbours`,
classifier score and class histograms from `classes`, mode counts from `modes`, signals of collapse from `collapse`. A
metric of features is named after their extractor, as in ``fd_pixels`` or ``fd_classifier``; only a metric of
Inception's features is called ``fid``.
"""

from gan_lab.metrics.classes import class_histogram, classifier_score, predicted_classes
from gan_lab.metrics.classifier import Classifier
from gan_lab.metrics.collapse import signals
from gan_lab.metrics.evaluator import Evaluated, Evaluator, generate
from gan_lab.metrics.extractors import Extractor, Pixels, Points, RandomConv, as_extractor, weights_hash
from gan_lab.metrics.frechet import Moments, frechet_distance
from gan_lab.metrics.inception import Inception
from gan_lab.metrics.kernel import kernel_distance, squared_mmd
from gan_lab.metrics.measures import Measures, Side
from gan_lab.metrics.modes import class_ceiling, mixture_ceiling, mode_coverage
from gan_lab.metrics.neighbours import neighbour_radii, precision_recall_density_coverage
from gan_lab.metrics.real_sets import RealSets
from gan_lab.metrics.suite import Comparison
from gan_lab.metrics.whitened import WhitenedConv

__all__ = [
    "Classifier",
    "Comparison",
    "Evaluated",
    "Evaluator",
    "Extractor",
    "Inception",
    "Measures",
    "Moments",
    "Pixels",
    "Points",
    "RandomConv",
    "RealSets",
    "Side",
    "WhitenedConv",
    "as_extractor",
    "class_ceiling",
    "class_histogram",
    "classifier_score",
    "frechet_distance",
    "generate",
    "kernel_distance",
    "mixture_ceiling",
    "mode_coverage",
    "neighbour_radii",
    "precision_recall_density_coverage",
    "predicted_classes",
    "signals",
    "squared_mmd",
    "weights_hash",
]
