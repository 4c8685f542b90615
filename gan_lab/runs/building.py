"""Objects from a configuration: each block that names a class becomes an object of it.

What a block hands to its class is compared with what the class takes before anything is made.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.leaves import named_targets
from gan_lab.config.messages import blame
from gan_lab.config.targets import check_kind, check_targets
from gan_lab.datasets.of_torch import READING
from gan_lab.errors import ConfigError, closest
from gan_lab.validation import is_whole

_ASKS_NOTHING = {"norm": "none", "attention": False}
"""Arguments with which options ask a discriminator for nothing, so that it may lack them."""
_ASKS_OWN = {"attention": True, "conditioning": "auxiliary"}
"""Arguments that a user's discriminator may lack: it may have two heads or classify without being told to."""
_HYDRAS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")


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
    OmegaConf.update(whole, key, _whole_fitted(node, key, found), force_add=True)  # in its place, which errors tell
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
    _whole_fitted(node, key, found)
    return found[f"{key}._target_"]


def try_parts(config: DictConfig) -> None:
    """Raise ConfigError for a recipe or an optimizer that cannot be made; neither data nor networks are needed.

    The classes that other keys name are looked up, and their arguments compared with what they take.
    """
    whole: Any = OmegaConf.to_container(config)
    found = check_targets(named_targets(whole), config.allowed_targets)
    for key, node in whole.items():
        _whole_fitted(node, key, found)
    build(config, "loss")
    build(config, "augmentation", sample_shape=(1, 8, 8), batch_size=1, updates=1)
    for player, block in config.optimizer.items():
        if block is None:
            continue
        key = f"optimizer.{player}"
        make = build(config, key)
        with blame(key):
            make([torch.nn.Parameter(torch.zeros(1))])


def _whole_fitted(node: Any, key: str, found: dict[str, Any]) -> Any:
    """The node with every block in it fitted to what its class takes.

    Args:
        node: plain containers.
        key: where it is.
        found: the classes, by the keys of their names.
    """
    if isinstance(node, list):
        return [_whole_fitted(entry, f"{key}.{number}", found) for number, entry in enumerate(node)]
    if not isinstance(node, dict):
        return node
    block = {name: _whole_fitted(entry, f"{key}.{name}", found) for name, entry in node.items()}
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
        return {"validation", *reading(made, block)}  # `gan_lab.runs.components` sees to both
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


def reading(made: Any, block: dict[str, Any]) -> dict[str, Any]:
    """What of a dataset's block is not for its class: it says how gan_lab reads a `torch.utils.data.Dataset`."""
    if (made.__module__ or "").startswith("gan_lab.datasets"):
        return {}
    return {name: block[name] for name in READING if name in block and name not in named_by(made)}


def fitted(where: str, made: Callable[..., Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """The block with whole numbers turned into floats where the class wants floats.

    ``[0, 0.9]`` is a pair of floats for a person, and an error for `torch.optim.Adam`.

    Args:
        where: the key of the block.
        made: the class or function that its ``_target_`` leads to.
        block: the block.

    Raises:
        ConfigError: for an argument that the class does not have.
    """
    taken = _parameters(made)
    known = {name for name, one in taken.items() if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
    anything = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    for key in block:
        if key not in known and key not in _HYDRAS and not anything:
            within = closest(key, known) if known else "it takes none"
            foreign = not made.__module__.startswith("gan_lab.") and where.startswith(("model.", "optimizer."))
            if foreign and "did you mean" not in within:
                within += f"; {where}={{_target_:...}} takes the place of the whole block"
            raise ConfigError(f"{where}.{key}: there is no key '{key}' in {where}; {within}")
    floats = {key for key in known.intersection(block) if _wants_floats(taken[key])}
    return {key: _as_floats(value) if key in floats else value for key, value in block.items()}


def asked_for(made: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the arguments that a class or function names; all, if it takes any."""
    taken = _parameters(made)
    anything = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    return {name: value for name, value in arguments.items() if anything or name in taken}


def named_by(made: Callable[..., Any]) -> set[str]:
    """The names of the arguments that a class or function has, or that a class hands on to its base class."""
    return {name for name, one in _parameters(made).items() if one.kind is not one.VAR_KEYWORD}


def required_by(made: Callable[..., Any]) -> set[str]:
    """The names of the arguments that a class or function has and that have no default."""
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name for name, one in _parameters(made).items() if one.default is one.empty and one.kind in plain}


@cache
def _parameters(made: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The arguments that a class or function takes; ``**kwargs`` of a class are those of its base class."""
    makers = [vars(kind)["__init__"] for kind in getattr(made, "__mro__", ())[:-1] if "__init__" in vars(kind)]
    try:
        taken = dict(inspect.signature(made).parameters)
        for inherited in makers[1:]:
            rest = [name for name, one in taken.items() if one.kind is one.VAR_KEYWORD]
            if not rest:
                break
            del taken[rest[0]]
            _, *parameters = inspect.signature(inherited).parameters.items()
            taken = dict(parameters) | taken
    except ValueError:  # a class written in C may not tell what it takes
        return {"kwargs": inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)}
    return taken


def _wants_floats(parameter: inspect.Parameter) -> bool:
    """Whether an argument is a float, or floats alone, by its annotation or else by its default."""
    if parameter.annotation is not parameter.empty:
        named = set(re.findall(r"\w+", str(parameter.annotation)))
        return "float" in named and named.isdisjoint(("int", "bool"))
    default = parameter.default if isinstance(parameter.default, tuple) else (parameter.default,)
    return all(isinstance(one, float) for one in default)


def _as_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_floats(one) for one in value]
    return float(value) if is_whole(value) else value
