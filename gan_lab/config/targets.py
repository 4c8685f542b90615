"""What a configuration may instantiate: whoever writes a YAML file shall not thereby run what code they like.

A name is judged before anything is imported for it, and what it leads to before it is called: a name such as
``gan_lab.losses.recipe.os.system`` begins well and ends elsewhere. What else may be named, the command line alone says.
"""

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import _locate
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from gan_lab.errors import ConfigError

_OURS = ("gan_lab.datasets", "gan_lab.losses", "gan_lab.metrics", "gan_lab.models")
_TORCH = ("torch.nn", "torch.optim", "pytorch_lightning.Trainer", "pytorch_lightning.trainer.trainer.Trainer")
_HYDRA = ("gan_lab.sweeps.hydra_callback.Launch", "hydra_plugins", "hydra._internal.core_plugins", "optuna.samplers")
_LOG = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")  # all that Hydra's own logging names of Python's


def check_names(node: Any, key: str, allowed: Sequence[str]) -> None:
    """Raise ConfigError for the first ``_target_``, at any depth, whose name is not allowed; nothing is imported.

    Args:
        node: containers and plain values; names that are interpolations are left to `check_targets`.
        key: where it is in the configuration.
        allowed: packages that may be named besides gan_lab's parts, torch.nn and torch.optim.
    """
    for where, name in _targets(node, key):
        if "${" not in str(name):
            _check_name(where, name, (*_OURS, *_TORCH, *allowed), allowed)


def check_targets(node: Any, key: str, allowed: Sequence[str]) -> None:
    """Raise ConfigError for the first ``_target_`` that is not allowed, or leads to nothing that is.

    That is a class of an allowed package, or, if we publish it or the user's command line allows it, a function.

    Args:
        node: containers and plain values, interpolations resolved.
        key: where it is in the configuration.
        allowed: see `check_names`.
    """
    for where, name in _targets(node, key):
        _check_name(where, name, (*_OURS, *_TORCH, *allowed), allowed)
        _check_object(where, name, _located(where, name), (*_OURS, *_TORCH, *allowed), allowed)


def check_allowed(allowed: Sequence[str]) -> None:
    """Raise ConfigError unless each is the name of a package or module."""
    for name in allowed:
        if not re.fullmatch(r"\w+(\.\w+)*", name):
            raise ConfigError(f"allowed_targets={list(allowed)}: '{name}' is no package; expected such as [my_package]")


def let_in(allowed: Sequence[str]) -> None:
    """Let modules of the working directory be imported if a person allows any: users keep their own classes there.

    If nobody does, the directory may be anybody's, a run's folder say, and libraries look for many a module. Hydra
    imports whatever it takes for a plugin, and has done so when this returns.

    Raises:
        ConfigError: unless each is the name of a package or module.
    """
    check_allowed(allowed)
    Plugins.instance()
    if allowed and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def plain(config: DictConfig) -> DictConfig:
    """The configuration with every interpolation resolved, so that what is checked is what is instantiated.

    Raises:
        ConfigError: for a value that would be an interpolation again.
    """
    resolved = OmegaConf.to_container(config, resolve=True)
    for where, value in _leaves(resolved, ""):
        if isinstance(value, str) and "${" in value:
            raise ConfigError(f"{where}={value}: expected a value without ${{")
    return OmegaConf.create(resolved)  # type: ignore[return-value]  # a mapping it was


@contextmanager
def guarded_composition(words: Sequence[str]) -> Iterator[None]:
    """Inside, of every configuration that Hydra composes, what Hydra itself instantiates is checked before it does.

    That is callbacks, sweeper, launcher and logging. Hydra has no hook so early.

    Args:
        words: the command line as it was typed, which alone can allow anything.
    """
    typed = allowed_by(words)
    let_in(typed)
    load: Callable[..., DictConfig] = ConfigLoaderImpl.load_configuration

    def checked(self: ConfigLoaderImpl, *arguments: Any, **keywords: Any) -> DictConfig:
        config = load(self, *arguments, **keywords)
        if (allowed := list(config.get("allowed_targets") or [])) != typed:
            raise ConfigError(
                f"allowed_targets={allowed}: expected on the command line alone, where a person "
                "has typed it; a configuration cannot allow itself anything"
            )
        check_hydra(config.hydra, typed)
        return config

    ConfigLoaderImpl.load_configuration = checked  # type: ignore[method-assign]
    try:
        yield
    finally:
        ConfigLoaderImpl.load_configuration = load  # type: ignore[method-assign]


def allowed_by(words: Sequence[str]) -> list[str]:
    """What the words of a command line allow.

    Raises:
        ConfigError: if it is no list of packages.
    """
    given = [word.partition("=")[2] for word in words if word.lstrip("+").partition("=")[0] == "allowed_targets"]
    if not given:
        return []
    try:
        names = OmegaConf.from_dotlist([f"names={given[-1]}"]).names
    except YAMLError:
        names = None
    if not OmegaConf.is_list(names):
        raise ConfigError(f"allowed_targets={given[-1]}: expected a list, such as [my_package]")
    allowed = [str(name) for name in names]
    check_allowed(allowed)
    return allowed


def check_hydra(hydra: DictConfig, allowed: Sequence[str]) -> None:
    """Raise ConfigError for a target among Hydra's own nodes, or of its logging, that is not allowed."""
    for part in ("callbacks", "launcher", "sweeper"):
        node = OmegaConf.to_container(hydra[part], resolve=True)
        for where, value in _leaves(node, f"hydra.{part}"):
            key = where.rpartition(".")[2]
            if isinstance(value, str) and "${" in value:
                raise ConfigError(f"{where}={value}: expected a value without ${{")
            if key == "_target_" or (key == "custom_search_space" and value is not None):  # the latter is Optuna's
                _check_name(where, value, (*_HYDRA, *allowed), allowed)
                _check_object(where, value, _located(where, value), (*_HYDRA, *allowed), allowed)
    for part in ("hydra_logging", "job_logging"):  # the files' names are not known before a run has its folder
        for where, value in _leaves(OmegaConf.to_container(hydra[part], resolve=False), f"hydra.{part}"):
            key, text = where.rpartition(".")[2], str(value)
            if (
                key == "()"
                or (key == "class" and not re.fullmatch(r"logging\.(handlers\.)?\w+", text))
                or (key == "filename" and text != _LOG)
                or (key != "filename" and "${" in text)
                or (text.startswith("ext://") and text not in _STREAMS)
            ):
                raise ConfigError(
                    f"{where}={value}: expected classes of Python's logging, to stdout, stderr or the run's {_LOG}"
                )
    if not re.fullmatch(r"[\w-]+", str(hydra.job.name)):  # it names that file
        raise ConfigError(f"hydra.job.name={hydra.job.name}: expected letters, digits, - and _")


def _targets(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    return ((where, value) for where, value in _leaves(node, key) if where.rpartition(".")[2] == "_target_")


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Every plain value in nested containers, with its key; whatever is a ``_target_`` counts as one."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if entries is None:
        yield key, node
        return
    for name, value in entries:
        where = f"{key}.{name}" if key else str(name)
        if name == "_target_":
            yield where, value
        else:
            yield from _leaves(value, where)


def _check_name(where: str, name: Any, prefixes: Sequence[str], allowed: Sequence[str]) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"\w+(\.\w+)+", name):
        said = " ".join(str(name).split())
        raise ConfigError(f"{where}={said}: expected the full name of a class, such as torch.nn.Tanh")
    if not _within(name, prefixes):
        raise ConfigError(_refusal(where, name, name.partition(".")[0], allowed))


def _check_object(where: str, name: str, found: Any, prefixes: Sequence[str], allowed: Sequence[str]) -> None:
    home = getattr(found, "__module__", None) or ""
    package, _, last = name.rpartition(".")
    published = package in _OURS and last in import_module(package).__all__
    if not inspect.isclass(found) and not (inspect.isroutine(found) and (published or _within(name, allowed))):
        what = "function" if inspect.isroutine(found) else type(found).__name__
        raise ConfigError(f"{where}={name}: it is a {what}: expected a class")
    if not _within(f"{home}.{getattr(found, '__qualname__', '')}", prefixes):
        raise ConfigError(_refusal(where, name, home, allowed, f" is {home}'s, and"))


def _located(where: str, name: str) -> Any:
    try:
        return _locate(name)  # as Hydra will
    except Exception as error:  # of whatever kind: it is a user's module that is imported
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        lines = str(cause).strip().splitlines()
        raise ConfigError(f"{where}={name}: {lines[0] if lines else type(cause).__name__}") from error


def _within(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _refusal(where: str, name: str, package: str, allowed: Sequence[str], found: str = ":") -> str:
    ours = "expected one of gan_lab's losses, models, datasets or metrics, of torch.nn or torch.optim"
    wider = f"; if you trust it, allowed_targets=[{','.join([*allowed, package])}] lets it in"
    return f"{where}={name}{found} {ours}" + ("" if package.startswith("gan_lab") else wider)
