"""The parts of a run from its configuration: networks, data, evaluator."""

from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch.nn.parameter import is_lazy

from gan_lab.config.arguments import asked_for, fitted, named_by, required_by
from gan_lab.config.leaves import named_targets
from gan_lab.config.messages import blame
from gan_lab.config.targets import check_kind, check_targets
from gan_lab.datasets import Dataset
from gan_lab.datasets.of_torch import READING, of_torch, repeatable
from gan_lab.errors import ConfigError
from gan_lab.models.conditions import tell_of_no_labels
from gan_lab.models.packing import packed_shape

_ASKS_NOTHING = {"norm": "none", "attention": False}
"""Arguments with which options ask a discriminator for nothing, so that it may lack them."""
_ASKS_OWN = {"attention": True, "conditioning": "auxiliary"}
"""Arguments that a user's discriminator may lack: it may have two heads or classify without being told to."""
NO_SOURCES = "the dataset has none to translate; expected such as dataset=digits_edges, or another model"
_NEEDED = {
    "source_shape": f"it translates images, and {NO_SOURCES}",
    "classes": "it asks for the number of classes; expected conditional=own, or another option, with it",
}
"""What a network's constructor may ask for, and what to say where there is none."""
_VALIDATION = 0.1  # of the training samples, if the dataset's block does not say


def build(config: DictConfig, key: str, **arguments: Any) -> Any:
    """The object that the node at ``key`` describes. Errors name the key.

    Lists and mappings are handed over as Python's own, which checkpoints can hold. Nothing else in gan_lab makes
    objects from a configuration, and nothing unchecked is made here: the node's values are checked just before they are
    used, and an interpolation, which could change in between, is refused.

    Args:
        config: a resolved configuration (`gan_lab.config.checks.resolved`).
        key: where the node is.
        arguments: passed on beside the node's own, each if the class asks for it by name.
    """
    node: Any = OmegaConf.to_container(OmegaConf.select(config, key), resolve=False)
    found = check_targets(named_targets(node, key), config.allowed_targets)
    whole = OmegaConf.create()
    OmegaConf.update(whole, key, _fitted(node, key, found), force_add=True)  # in its place, which errors tell
    with blame(key):
        taken = asked_for(found[f"{key}._target_"], arguments)
        made = instantiate(OmegaConf.select(whole, key), **taken, _convert_="all")
    if not node.get("_partial_", False):
        check_kind(key, made)
    return made


def check_arguments(config: DictConfig, key: str) -> Any:
    """The class that the node at ``key`` names; ConfigError for an argument that it does not take. Nothing is made."""
    node: Any = OmegaConf.to_container(OmegaConf.select(config, key), resolve=False)
    found = check_targets(named_targets(node, key), config.allowed_targets)
    _fitted(node, key, found)
    return found[f"{key}._target_"]


def _fitted(node: Any, key: str, found: dict[str, Any]) -> Any:
    """The node with every block in it fitted to what its class takes.

    Args:
        node: plain containers.
        key: where it is.
        found: the classes, by the keys of their names.
    """
    if isinstance(node, list):
        return [_fitted(entry, f"{key}.{number}", found) for number, entry in enumerate(node)]
    if not isinstance(node, dict):
        return node
    block = {name: _fitted(entry, f"{key}.{name}", found) for name, entry in node.items()}
    made = found.get(f"{key}._target_")
    if made is None:
        return block
    aside = _aside(key, made, block)
    return fitted(key, made, {name: value for name, value in block.items() if name not in aside})


def _aside(key: str, made: Any, block: dict[str, Any]) -> set[str]:
    """What is in a block and not for its class.

    Raises:
        ConfigError: for a way of looking at labels, of a discriminator that looks at none.
    """
    if key == "dataset":
        return {"validation", *_reading(made, block)}  # `build_dataset` sees to both
    if key != "model.discriminator":
        return set()
    known, own = named_by(made), not made.__module__.startswith("gan_lab.")
    asked = [*_ASKS_NOTHING.items(), *(_ASKS_OWN.items() if own else ())]
    aside = {name for name, value in asked if block.get(name) == value} - known
    if "conditioning" in block and "conditioning" not in {*known, *aside}:
        expected = "conditional=none, or a model that takes labels, such as dcgan, mlp, sngan_cnn or sngan_resnet"
        if own:
            expected = "conditional=own, with which it looks at labels in its own way"
        raise ConfigError(
            f"{key}.conditioning={block['conditioning']}: {made.__name__} has no such argument; expected {expected}"
        )
    return aside


def _reading(made: Any, block: dict[str, Any]) -> dict[str, Any]:
    """Of the dataset's block, what is not for its class: it says how gan_lab reads a `torch.utils.data.Dataset`."""
    if (made.__module__ or "").startswith("gan_lab.datasets"):
        return {}
    return {name: block[name] for name in READING if name in block and name not in named_by(made)}


def try_parts(config: DictConfig) -> None:
    """Raise ConfigError for a recipe or an optimizer that cannot be made; neither data nor networks are needed.

    The classes that other keys name are looked up, and their arguments compared with what they take.
    """
    whole: Any = OmegaConf.to_container(config)
    found = check_targets(named_targets(whole), config.allowed_targets)
    for key, node in whole.items():
        _fitted(node, key, found)
    build(config, "loss")
    build(config, "augmentation", sample_shape=(1, 8, 8), batch_size=1, updates=1)
    for player, block in config.optimizer.items():
        if block is None:
            continue
        key = f"optimizer.{player}"
        make = build(config, key)
        with blame(key):
            make([torch.nn.Parameter(torch.zeros(1))])


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
    known, reading = {*node, *named_by(made)}, _reading(made, node)
    with repeatable():
        dataset = build(config, "dataset", **{name: value for name, value in arguments.items() if name in known})
        if isinstance(dataset, torch.utils.data.Dataset):
            own = {name: value for name, value in node.items() if name not in (*reading, "download")}
            with blame("dataset"):
                dataset = of_torch(dataset, node["_target_"], own, **reading)
        elif isinstance(dataset, Dataset) and reading:
            raise ConfigError(f"dataset.{min(reading)}: {node['_target_']} takes no such argument; expected none")
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
