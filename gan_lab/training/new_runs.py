"""What a new run is refused for, and a run of an earlier version may go on with and be measured by."""

from omegaconf import DictConfig
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.datasets import Dataset
from gan_lab.datasets.dataset import all_the_same
from gan_lab.errors import ConfigError
from gan_lab.losses import Classification, ClassificationTerm
from gan_lab.models import StyleGAN2Generator
from gan_lab.models.conditions import takes_labels
from gan_lab.runs.components import check_batch


def check_new_run(config: DictConfig, dataset: Dataset, module: Algorithm) -> None:
    """Raise ConfigError for data that could not be learned from or measured by, and for parts that do not fit.

    Args:
        config: the run's.
        dataset: the data, as trained on.
        module: the algorithm with its players.
    """
    if dataset.source is not None:
        check_batch(config, dataset.sources_trained_on, "sources to train on")
    check_differ(dataset)
    check_unlabelled(config, dataset, module)
    _check_mixing(config, module)


def check_differ(dataset: Dataset) -> None:
    """Raise ConfigError if all samples or sources of a part are the same, such as those that ``max_samples`` leaves."""
    parts: dict[str, tuple[Tensor, Tensor | None]] = {
        "training samples": (dataset.train, dataset.chosen),
        "held-out samples": (dataset.test, None),
    }
    if dataset.validation is not None:
        parts["validation samples"] = dataset.validation.samples, None
    if (source := dataset.source) is not None:
        parts["sources to train on"] = source.train, dataset.chosen_source
        parts["held-out sources"] = source.test, None
        if source.validation is not None:
            parts["validation sources"] = source.validation.samples, None
    for kind, (samples, chosen) in parts.items():
        indices = range(len(samples)) if chosen is None else chosen
        # one by one: the second differs from the first of nearly every set, which may exceed memory
        if all((samples[index] == samples[indices[0]]).all() for index in indices):
            raise all_the_same("dataset", len(indices), kind)


def check_unlabelled(config: DictConfig, dataset: Dataset, module: Algorithm) -> None:
    """Raise ConfigError if labels are not used, and a network takes them or a part of the loss looks at them."""
    if config.conditional != "none":
        return
    loss = module.loss
    takers = [f"model.{role}" for role, player in module.players.items() if takes_labels(player.network)]
    takers += [f"loss.penalties.{name}" for name, one in loss.penalties.items() if isinstance(one, Classification)]
    takers += [f"loss.terms.{name}" for name, one in loss.terms.items() if isinstance(one, ClassificationTerm)]
    counts = dataset.class_counts
    if takers and (counts is None or sum(count > 0 for count in counts) < 2):
        why = "the dataset has no label for each sample" if counts is None else "all samples are of one class"
        raise ConfigError(f"{takers[0]}: expected one that takes no labels, as {why}")
    if takers:
        raise ConfigError(f"conditional=none: expected own, or another way, as {takers[0]} takes labels")


def _check_mixing(config: DictConfig, module: Algorithm) -> None:
    """Raise ConfigError for style mixing with another prior than that of its second latent."""
    generator = module.players["generator"].network
    if config.latent_prior != "normal" and isinstance(generator, StyleGAN2Generator) and generator.mixing:
        raise ConfigError(
            f"latent_prior={config.latent_prior}: expected normal, or model.generator.mixing=0, as style mixing draws "
            "its second latent from N(0, 1)"
        )
