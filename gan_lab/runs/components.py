"""The parts of a run from its configuration: networks, data, evaluator."""

from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.checks import named_targets
from gan_lab.config.messages import blame
from gan_lab.config.targets import check_kind, check_targets
from gan_lab.datasets import Dataset, Request
from gan_lab.datasets.batch import one_per_sample
from gan_lab.errors import ConfigError
from gan_lab.metrics import Comparison, Evaluator, Measures, as_extractor
from gan_lab.models.latents import Prior
from gan_lab.seeds import derive


def build(config: DictConfig, key: str, **arguments: Any) -> Any:
    """The object that the node at ``key`` describes. Errors name the key.

    Lists and mappings are handed over as Python's own, which checkpoints can hold. Nothing else in gan_lab makes
    objects from a configuration, and nothing unchecked is made here: the node's values are checked just before they are
    used, and an interpolation, which could change in between, is refused.

    Args:
        config: a resolved configuration (`gan_lab.config.checks.resolved`).
        key: where the node is.
        arguments: passed on beside the node's own.
    """
    node = OmegaConf.select(config, key)
    check_targets(named_targets(OmegaConf.to_container(node, resolve=False), key), config.allowed_targets)
    with blame(key):
        made = instantiate(node, **arguments, _convert_="all")
    if not node.get("_partial_", False):
        check_kind(key, made)
    return made


def build_dataset(config: DictConfig) -> Dataset:
    """The configured dataset, large enough for the batch size."""
    dataset = build(config, "dataset")
    if not isinstance(dataset, Dataset):
        raise ConfigError(f"dataset: {config.dataset._target_} makes a {type(dataset).__name__}: expected a Dataset")
    if config.batch_size > len(dataset.train):
        raise ConfigError(
            f"batch_size={config.batch_size}: the dataset has {len(dataset.train)} training samples, "
            "and a batch may not be larger"
        )
    return dataset


def build_generator(config: DictConfig, sample_shape: tuple[int, ...]) -> torch.nn.Module:
    """The configured generator."""
    return _network(build(config, "model.generator", latent_dim=config.latent_dim, sample_shape=sample_shape))


def build_discriminator(config: DictConfig, sample_shape: tuple[int, ...]) -> torch.nn.Module:
    """The configured discriminator."""
    return _network(build(config, "model.discriminator", sample_shape=sample_shape))


def _network(network: torch.nn.Module) -> torch.nn.Module:
    # convolutions are faster with the channels last in memory, on processors and GPUs alike
    return network.to(memory_format=torch.channels_last)


def latent_prior(config: DictConfig) -> Prior:
    """The configured prior of the latents."""
    return Prior(config.latent_prior, config.latent_dim)


def fixed_request(config: DictConfig, purpose: str, count: int, labels: torch.Tensor | None = None) -> Request:
    """What the generator is always asked for a purpose: latents that are a function of seed and prior, on every device.

    Args:
        config: the configuration.
        purpose: as in `gan_lab.seeds.derive`.
        count: number of samples.
        labels: classes to ask for, ``[N]``, one after the other and again from the beginning; or None.
    """
    generator = torch.Generator().manual_seed(derive(config.seed, purpose))
    classes = None if labels is None else labels[torch.arange(count) % len(labels)]
    return Request(latent_prior(config).draw(count, generator), classes)


def build_evaluator(config: DictConfig, dataset: Dataset) -> Evaluator:
    """The evaluator, whose request depends on the seed alone: its labels are those of the first held-out samples."""
    count = min(config.evaluation.samples, len(dataset.test))
    sizes = (count, min(count, len(dataset.train)))
    accelerator = config.trainer.accelerator
    comparison = build_comparison(config.evaluation, dataset, sizes, config.allowed_targets, accelerator)
    request = fixed_request(config, "evaluation", count, one_per_sample(dataset.test_labels))
    return Evaluator(dataset, comparison, request)


def build_comparison(
    evaluation: DictConfig,
    dataset: Dataset,
    sizes: Sequence[int],
    allowed: Sequence[str],
    accelerator: str = "auto",
) -> Comparison:
    """What is measured, and by which extractor.

    Args:
        evaluation: the configuration's block.
        dataset: has the modes and classes; an extractor may learn from it.
        sizes: of the sets that will be compared.
        allowed: as in `gan_lab.config.targets`.
        accelerator: the trainer's; unless it is cpu, a CUDA GPU is used if there is one. Other GPUs lack float64.

    Raises:
        ConfigError: if there are too few samples for a metric, or nothing to measure it by.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)  # a user's extractor may draw its weights: always the same ones, and none of training's
        module = build(OmegaConf.create({"evaluation": evaluation, "allowed_targets": allowed}), "evaluation.extractor")
    settings = OmegaConf.to_container(evaluation.extractor, resolve=True)
    assert isinstance(settings, dict)
    measures = Measures(tuple(evaluation.metrics), evaluation.k, evaluation.kid_subsets, evaluation.kid_subset_size)
    device = torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")
    return Comparison(dataset, as_extractor(module, settings), measures, device, sizes)
