"""What measures a run's generator, from the configuration."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gan_lab.datasets import Dataset
from gan_lab.datasets.dataset import derived
from gan_lab.datasets.source import Source
from gan_lab.datasets.trained_classes import left_out, of_trained_classes
from gan_lab.errors import ConfigError
from gan_lab.metric_names import can_be_of, feature_metric, measured_by
from gan_lab.metrics import Classifier, Comparison, Evaluator, Extractor, Measures, RealSets, as_extractor
from gan_lab.metrics.memorisation import LEAST_SAMPLES
from gan_lab.models.conditions import takes_source
from gan_lab.runs.building import build, check_arguments
from gan_lab.runs.latents import fixed_request
from gan_lab.validation import typed

log = logging.getLogger(__name__)


def judged(config: DictConfig, dataset: Dataset, generator: nn.Module) -> Dataset:
    """The dataset as a run's generator is measured by it.

    It has no sources if the generator translates none. If the run is conditional, it has no held-out samples of classes
    without training samples, and a warning counts those that are left out.
    """
    dataset = dataset if takes_source(generator) else replace(dataset, source=None)
    if config.conditional == "none":
        return dataset
    kept = of_trained_classes(dataset)
    if lost := left_out(dataset, kept):
        log.warning(
            "gan-lab: warning: conditional=%s: evaluation leaves out %s, as no training sample is of their classes",
            config.conditional,
            lost,
        )
    return kept


def build_evaluator(config: DictConfig, dataset: Dataset, purpose: str = "evaluation") -> Evaluator:
    """The evaluator, whose latents depend on the seed alone; its labels are those of the samples compared with.

    Args:
        config: the configuration.
        dataset: its held-out samples are compared with.
        purpose: of the latents, as in `gan_lab.seeds.derive`.
    """
    extractor = build_extractor(config.evaluation, config.allowed_targets)
    real = RealSets.of(dataset, config.evaluation.samples, extractor.learns, extractor.learns_from)
    count = len(real.reference)
    evaluation = config.evaluation.copy()
    if config.conditional == "none" and (wrong := {"class_accuracy", "intra_fd"}.intersection(evaluation.metrics)):
        raise ConfigError(
            f"evaluation.metrics: {min(wrong)} takes a generator that is given labels; expected conditional=projection "
            "or another way"
        )
    if config.conditional != "none":
        if "intra_fd" in evaluation.metrics and not _has_pairs(real):
            raise ConfigError(
                "evaluation.metrics: intra_fd takes at least two held-out and two training samples of a class; "
                "expected more samples, or no intra_fd"
            )
        evaluation.metrics = [*evaluation.metrics, *_of_classes(extractor, evaluation.metrics, _has_pairs(real))]
    if isinstance(extractor, Classifier) and real.source_labels is not None:  # is the source's class kept?
        evaluation.metrics = list(dict.fromkeys([*evaluation.metrics, "class_accuracy"]))
    comparison = build_comparison(evaluation, extractor, real.learned, count, config.trainer.accelerator, dataset)
    labels = real.labels if real.sources is None else real.source_labels
    request = fixed_request(config, purpose, count, labels, real.sources)
    # a translation is of its source, so that there are no more of them than sources
    few = count < LEAST_SAMPLES and real.sources is None
    examined = fixed_request(config, purpose, LEAST_SAMPLES, labels) if few else None
    back = _back(config, dataset, purpose) if check_arguments(config, "algorithm").translates_back else None
    return Evaluator(dataset, real, comparison, request, config.model.encoder is not None, back, examined)


def _back(config: DictConfig, dataset: Dataset, purpose: str) -> Evaluator:
    """The evaluator of translations of samples into sources: Fréchet distance, and whether the class is kept."""
    assert dataset.source is not None
    source = dataset.source
    there = replace(
        dataset,
        train=source.train,
        train_labels=source.train_labels,
        test=source.test,
        test_labels=source.test_labels,
        checksum=derived(dataset.checksum, "sources"),
        source=Source(dataset.train, dataset.test, False, dataset.train_labels, dataset.test_labels),
        validation=None,
    )
    extractor = build_extractor(config.evaluation, config.allowed_targets)
    real = RealSets.of(there, config.evaluation.samples, extractor.learns, extractor.learns_from)
    evaluation, count = config.evaluation.copy(), len(real.reference)
    known = isinstance(extractor, Classifier) and real.source_labels is not None
    evaluation.metrics = ["fd", "class_accuracy"] if known else ["fd"]
    comparison = build_comparison(evaluation, extractor, real.learned, count, config.trainer.accelerator)
    return Evaluator(there, real, comparison, fixed_request(config, purpose, count, real.source_labels, real.sources))


def _has_pairs(real: RealSets) -> bool:
    """Whether some class has two samples in both sets of real samples, so that distances within it can be measured."""
    if real.labels is None or real.other_labels is None:
        return False
    several = [set((labels.bincount() > 1).nonzero().flatten().tolist()) for labels in (real.labels, real.other_labels)]
    return bool(several[0] & several[1])


def _of_classes(extractor: Extractor, metrics: Sequence[str], pairs: bool) -> list[str]:
    """The metrics that every run with labels gets, beside those that are asked for."""
    wanted = ["class_accuracy"] if isinstance(extractor, Classifier) else []
    wanted += ["intra_fd"] if pairs else []
    return [name for name in wanted if name not in metrics]


def check_metric(config: DictConfig, metric: str, key: str) -> None:
    """Raise ConfigError for a metric to choose by, at a key, that the run does not measure, or not of its features."""
    made = check_arguments(config, "evaluation.extractor")
    # a user's own has the name that it gives itself, or that of its class, once it is made
    name = getattr(made, "name", None) if str(made.__module__).startswith("gan_lab.") else None
    if name is not None and not can_be_of(metric, name):
        raise ConfigError(
            f"{key}={metric}: it is not measured with evaluation/extractor={name}; expected a metric of that, such as "
            f"{feature_metric('fd', name)}"
        )
    entry, measured = measured_by(metric), [*config.evaluation.metrics]
    if entry is not None and entry not in measured:
        raise ConfigError(
            f"{key}={metric}: it is not measured with evaluation.metrics={typed(measured)}; expected "
            f"{entry} among them, or a metric of these"
        )


def check_selecting(config: DictConfig) -> None:
    """The same for what a run selects by; before its extractor learns, and its floors are measured."""
    for key in ("checkpoint.best", "stop_early.metric"):
        if (metric := OmegaConf.select(config, key)) is not None:
            check_metric(config, metric, key)


def build_extractor(evaluation: DictConfig, allowed: Sequence[str]) -> Extractor:
    """The configured extractor, not yet prepared.

    Args:
        evaluation: the configuration's block.
        allowed: as in `gan_lab.config.targets`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)  # a user's extractor may draw its weights: always the same ones, and none of training's
        module = build(OmegaConf.create({"evaluation": evaluation, "allowed_targets": allowed}), "evaluation.extractor")
    settings = OmegaConf.to_container(evaluation.extractor, resolve=True)
    assert isinstance(settings, dict)
    return as_extractor(module, settings)


def build_comparison(
    evaluation: DictConfig,
    extractor: Extractor,
    dataset: Dataset,
    size: int,
    accelerator: str = "auto",
    training: Dataset | None = None,
) -> Comparison:
    """What is measured, and by which extractor.

    Args:
        evaluation: the configuration's block.
        extractor: learns from the dataset's training samples, if it learns.
        dataset: has the modes and classes.
        size: of the sets that will be compared.
        accelerator: the trainer's; unless it is cpu, a CUDA GPU is used if there is one. Other GPUs lack float64.
        training: as of `Comparison`.

    Raises:
        ConfigError: if there are too few samples for a metric, or nothing to measure it by.
    """
    measures = Measures(tuple(evaluation.metrics), evaluation.k, evaluation.kid_subsets, evaluation.kid_subset_size)
    device = torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")
    return Comparison(dataset, extractor, measures, device, size, training)
