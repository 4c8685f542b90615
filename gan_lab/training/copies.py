"""What shows that a run copies its training samples, where ``evaluation.metrics`` has ``memorisation``."""

from dataclasses import replace

from omegaconf import DictConfig
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks import Curves, Overfitting, Stopwatch
from gan_lab.callbacks.views import Closest
from gan_lab.datasets.batch import Batch, Request, one_per_sample
from gan_lab.datasets.dataset import Dataset, some, to_model_range
from gan_lab.errors import ConfigError
from gan_lab.metrics.memorisation import MOST_SAMPLES, MOST_TRAINING, and_mirrored, some_of

_MOST = 1000  # samples of each kind that the discriminator is asked about


def looks_for_copies(config: DictConfig) -> bool:
    """Whether copies are looked for."""
    return "memorisation" in config.evaluation.metrics


def closest(dataset: Dataset, request: Request) -> Closest:
    """The picture of the generated samples that are closest to training samples."""
    few = request.map(lambda tensor: tensor[:MOST_SAMPLES])
    return Closest(few, and_mirrored(dataset.some_trained_on(MOST_TRAINING).samples), some_of(dataset.test))


def build_overfitting(
    config: DictConfig, dataset: Dataset, module: Algorithm, request: Request, curves: Curves, stopwatch: Stopwatch
) -> list[Overfitting]:
    """The curves of what the discriminator says of samples that it has seen and has not seen; none of CycleGAN's two.

    Args:
        config: the configuration.
        dataset: the samples.
        module: the algorithm.
        request: what evaluations ask the generator for.
        curves: see `Overfitting`.
        stopwatch: see `Overfitting`.
    """
    if not looks_for_copies(config) or module.translates_back:
        return []
    source = dataset.source
    held_out = _some(dataset.test, dataset.test_labels, None if source is None else source.test)
    training, held_out = map(_shown, (dataset.some_trained_on(_MOST), held_out))
    few, packing = request.map(lambda tensor: tensor[:_MOST]), config.model.packing
    if (fewest := min(len(training), len(held_out))) < packing:
        raise ConfigError(f"model.packing={packing}: expected at most {fewest}, the samples that copies are judged by")
    return [Overfitting(training, held_out, few, packing, config.evaluation.every, curves, stopwatch)]


def _some(samples: Tensor, labels: Tensor | None, sources: Tensor | None) -> Batch:
    """At most `_MOST` of the samples, always the same ones, as the dataset holds them."""
    order, labels = some(len(samples), _MOST), one_per_sample(labels)
    images = None if sources is None else sources[order % len(sources)]
    return Batch(samples[order], None if labels is None else labels[order], images)


def _shown(batch: Batch) -> Batch:
    """The batch with its sources in model range."""
    return batch if batch.source is None else replace(batch, source=to_model_range(batch.source))
