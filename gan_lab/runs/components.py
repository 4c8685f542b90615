"""The networks and the data of a run from its configuration."""

from collections.abc import Sequence
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch.nn.parameter import is_lazy

from gan_lab.config.messages import blame
from gan_lab.config.targets import check_targets
from gan_lab.datasets import Dataset
from gan_lab.datasets.of_torch import of_torch, repeatable
from gan_lab.errors import ConfigError
from gan_lab.models.conditions import tell_of_no_labels
from gan_lab.models.packing import packed_shape
from gan_lab.runs.building import build, check_arguments, named_by, reading, required_by

NO_SOURCES = "the dataset has none to translate; expected such as dataset=digits_edges, or another model"
_NEEDED = {
    "source_shape": f"it translates images, and {NO_SOURCES}",
    "classes": "it asks for the number of classes; expected conditional=own, or another option, with it",
}
"""What a network's constructor may ask for, and what to say where there is none."""
_VALIDATION = 0.1  # of the training samples, if the dataset's block does not say


def build_dataset(config: DictConfig, **arguments: Any) -> Dataset:
    """The configured dataset, large enough for the batch size, with validation samples if something is selected.

    A `torch.utils.data.Dataset` is read into the cache.

    Args:
        config: the configuration.
        arguments: in place of its own, such as ``download=False`` if the configuration is a run folder's, which may
            come from anyone.
    """
    node: Any = OmegaConf.to_container(config.dataset)
    made = check_targets([("dataset._target_", node["_target_"])], config.allowed_targets)["dataset._target_"]
    node.pop("validation", None)
    known, how = {*node, *named_by(made)}, reading(made, node)
    with repeatable():
        dataset = build(config, "dataset", **{name: value for name, value in arguments.items() if name in known})
        if isinstance(dataset, torch.utils.data.Dataset):
            own = {name: value for name, value in node.items() if name not in (*how, "download")}
            with blame("dataset"):
                dataset = of_torch(dataset, node["_target_"], own, **how)
        elif isinstance(dataset, Dataset) and how:
            raise ConfigError(f"dataset.{min(how)}: {node['_target_']} takes no such argument; expected none")
    if not isinstance(dataset, Dataset):
        raise ConfigError(
            f"dataset: {node['_target_']} makes a {type(dataset).__name__}: expected a Dataset, of gan_lab.datasets or "
            "of torch.utils.data"
        )
    if selects(config):
        with blame("dataset"):
            dataset = dataset.with_validation(config.dataset.get("validation", _VALIDATION))
    check_batch(config, dataset.trained_on, "training samples")
    return dataset


def check_batch(config: DictConfig, count: int, kind: str) -> None:
    """Raise ConfigError if a batch is larger than the number of samples, or of others of a kind, to draw it from."""
    packing, factor = config.model.packing, config.generator_batch_factor
    if config.batch_size * packing * factor > count:
        packs = "" if packing == 1 else f" with model.packing={packing}"
        packs += "" if factor == 1 else f" with generator_batch_factor={factor}"
        raise ConfigError(
            f"batch_size={config.batch_size}{packs}: the dataset has {count} {kind}, and a batch may not be larger"
        )


def build_network(
    config: DictConfig,
    role: str,
    sample_shape: tuple[int, ...],
    class_counts: Sequence[int] | None = None,
    source_shape: tuple[int, ...] | None = None,
) -> torch.nn.Module:
    """The configured network of a player; a discriminator is one of packs of samples.

    Args:
        config: the configuration.
        role: ``generator``, ``discriminator`` or another player of the algorithm.
        sample_shape: of one sample.
        class_counts: number of training samples of each class; None if they have none.
        source_shape: of the image that a sample translates; None for data without sources.
    """
    key = f"model.{role}"
    if config.model[role] is None:
        raise ConfigError(f"{key}: missing; expected a model for this algorithm, such as model=vae_gan for vae_gan")
    _check_given(config, key, class_counts)
    settings: dict[str, Any] = {"sample_shape": sample_shape, **_classes(config, class_counts)}
    if role == "discriminator":
        settings["sample_shape"] = packed_shape(sample_shape, config.model.packing)
    else:
        settings["latent_dim"] = config.latent_dim
    if source_shape is not None:
        settings["source_shape"] = source_shape
    kind = check_arguments(config, key)
    given = config.model[role]
    if missing := [name for name in _NEEDED if name in required_by(kind) and name not in {*settings, *given}]:
        raise ConfigError(f"{key}: {_NEEDED[missing[0]]}")
    # by name alone: the **kwargs of a user's network are for its own layers
    named = {name: one for name, one in settings.items() if name in named_by(kind) and name not in given}
    network = build(config, key, **named)
    if not isinstance(network, torch.nn.Module):
        raise ConfigError(f"{key}: it makes a {type(network).__name__}: expected a torch.nn.Module")
    if not (weights := list(network.parameters())) or any(map(is_lazy, weights)):
        raise ConfigError(f"{key}: {type(network).__name__} has no weights yet: expected layers whose sizes are given")
    if class_counts is None:
        tell_of_no_labels(network)
    if given._target_.startswith("gan_lab."):
        # convolutions are faster with the channels last in memory, on processors and GPUs alike
        return network.to(memory_format=torch.channels_last)
    network.register_forward_pre_hook(_contiguous)  # of other layouts a `view` in a user's network would fail
    return network


def _contiguous(_: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one.contiguous() if isinstance(one, torch.Tensor) else one for one in given)


def _check_given(config: DictConfig, key: str, class_counts: Sequence[int] | None) -> None:
    """Raise ConfigError for an argument of one of gan_lab's networks that follows from other keys."""
    node = OmegaConf.select(config, key)
    given = node.get("classes")
    ours = node._target_.startswith("gan_lab.")
    if ours and given is not None and class_counts is not None and given != len(class_counts):
        raise ConfigError(f"{key}.classes={given}: expected {len(class_counts)}, as it follows from the dataset")
    for name, source in (("latent_dim", "latent_dim"), ("sample_shape", "the dataset")):
        if ours and name in node:
            raise ConfigError(f"{key}.{name}={node[name]}: expected none, as it follows from {source}")


def _classes(config: DictConfig, class_counts: Sequence[int] | None) -> dict[str, int]:
    count = classes(config, class_counts)
    return {} if count is None else {"classes": count}


def classes(config: DictConfig, class_counts: Sequence[int] | None) -> int | None:
    """The number of classes that the networks are told of: the dataset's, if ``conditional`` asks for labels.

    Raises:
        ConfigError: if it does, and the dataset has none.
    """
    if config.conditional == "none":
        return None
    if class_counts is None:
        raise ConfigError(
            f"conditional={config.conditional}: expected none, as the dataset has no label for each sample"
        )
    if sum(count > 0 for count in class_counts) < 2:
        raise ConfigError(f"conditional={config.conditional}: expected none, as all samples are of one class")
    return len(class_counts)


def selects(config: DictConfig) -> bool:
    """Whether weights, the end of training or settings are selected by looking at samples.

    Such samples are set aside from those to train on, and no result is measured on them.
    """
    return bool(config.checkpoint.best or config.stop_early.metric or config.evaluation.validation)


def keeps_average(config: DictConfig) -> bool:
    """Whether the run keeps a moving average of the generator's weights."""
    return config.ema_decay is not None or config.ema.half_life is not None
