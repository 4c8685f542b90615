"""The arguments that a block of a configuration hands to the class or function it names."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from gan_lab.errors import ConfigError, closest
from gan_lab.validation import is_whole

_HYDRAS = ("_target_", "_partial_", "_convert_", "_recursive_", "_args_")


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
