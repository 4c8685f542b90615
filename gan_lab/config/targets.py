"""Which classes a configuration may name.

A YAML file may come from anyone, and naming a class in it must not be a way to run any code. So a ``_target_`` may lead
only to classes of gan_lab's published packages, ``torch.nn``, ``torch.optim`` and Lightning's trainer, and to packages
that the user allows by typing ``allowed_targets=[my_package]``. A folder named with ``--config-dir`` does not allow the
Python beside it: a folder of YAML often comes from someone else, and naming it to read settings is not a decision to
run its code.

Checks come in two steps. `check_names` reads names alone and imports nothing; it refuses before a folder is made.
`check_targets` imports what the names lead to: ``gan_lab.losses.recipe.os.system`` starts with an allowed package and
leads to another.
"""

import difflib
import inspect
import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hydra._internal.utils import _locate
from hydra.core.plugins import Plugins

from gan_lab.config.messages import first_line, place
from gan_lab.errors import ConfigError
from gan_lab.validation import typed

_OURS = ("gan_lab.augmentations", "gan_lab.datasets", "gan_lab.losses", "gan_lab.metrics", "gan_lab.models")
_TRAINERS = ("pytorch_lightning.Trainer", "pytorch_lightning.trainer.trainer.Trainer")
_PARTS = (*_OURS, "torch.nn", "torch.optim", *_TRAINERS)
LIGHTNINGS = {"logger": "pytorch_lightning.loggers", "callbacks": "pytorch_lightning.callbacks"}
"""Packages of Lightning's by the group whose blocks, and no others, may name their classes."""
_OWN_PACKAGES = {"algorithm": ("gan_lab.algorithms",), "augmentation": ("gan_lab.augmentations",)}
"""By the group, the packages whose classes alone its block may name."""
_BASES = {
    r"logger\.\w+": "pytorch_lightning.loggers.Logger",
    r"callbacks\.\w+": "pytorch_lightning.Callback",
    r"trainer": "pytorch_lightning.Trainer",
    r"algorithm": "gan_lab.algorithms.algorithm.Algorithm",
    r"augmentation": "gan_lab.augmentations.Augmentation",
    r"model\.\w+|evaluation\.extractor": "torch.nn.Module",
    r"optimizer\.\w+": "torch.optim.Optimizer",
    r"loss": "gan_lab.losses.Recipe",
    r"loss\.objective": "gan_lab.losses.Objective",
    r"loss\.penalties\.\w+": "gan_lab.losses.Penalty",
    r"loss\.terms\.\w+": "gan_lab.losses.Term",
    r"loss\.constraint": "gan_lab.losses.Constraint",
    r"loss\.top_k": "gan_lab.losses.TopK",
}
"""By key, what a class named there must be a subclass of."""


def check_names(targets: Iterable[tuple[str, Any]], allowed: Sequence[str]) -> None:
    """Raise ConfigError for the first name that is not allowed; nothing is imported.

    Args:
        targets: keys and names, as `gan_lab.config.checks.named_targets` finds them.
        allowed: packages that may be named besides gan_lab's parts, torch.nn and torch.optim.
    """
    for where, name in targets:
        _check_part(where, name, allowed)


def check_targets(targets: Iterable[tuple[str, Any]], allowed: Sequence[str]) -> dict[str, Any]:
    """What the names lead to, by key; ConfigError for the first that does not lead to a class its key can have.

    Functions are let through if we publish them, as datasets are, or if the user allows their package. The arguments
    are those of `check_names`.
    """
    found = {}
    for where, name in targets:
        _check_part(where, name, allowed)
        found[where] = made = check_target(where, name, _parts(where), allowed)
        base = base_of(where.removesuffix("_target_").removesuffix("."))
        if base is not None and inspect.isclass(made) and not issubclass(made, _locate(base)):
            raise ConfigError(f"{where}={name}: expected a subclass of {base}")
    return found


def _check_part(where: str, name: Any, allowed: Sequence[str]) -> None:
    """`check_name` of a part of a run. Datasets read and download files, which nothing but ``dataset`` may ask for."""
    check_name(where, name, _parts(where), allowed)
    if where != "dataset._target_" and _within(name, ["gan_lab.datasets"]):
        raise ConfigError(f"{where}={name}: expected a dataset under the key dataset alone")


def _parts(where: str) -> tuple[str, ...]:
    """The packages whose classes a key may name."""
    group, _, name = where.removesuffix("._target_").partition(".")
    if group in LIGHTNINGS and "." not in name:
        return (LIGHTNINGS[group],)
    return _OWN_PACKAGES.get(group, _PARTS)


def check_kind(key: str, made: Any) -> None:
    """Raise ConfigError for an object that its key cannot have: a function may have made it."""
    base = base_of(key)
    if base is not None and not isinstance(made, _locate(base)):
        raise ConfigError(f"{key}: expected a {base}, not {type(made).__name__}")


def base_of(key: str) -> str | None:
    """The class that the object at a key must be an instance of; None for any."""
    return next((base for pattern, base in _BASES.items() if re.fullmatch(pattern, key)), None)


def check_allowed(allowed: Sequence[str]) -> None:
    """Raise ConfigError unless each is the name of a package or module."""
    for name in allowed:
        if not re.fullmatch(r"\w+(\.\w+)*", name):
            raise ConfigError(
                f"allowed_targets={typed(list(allowed))}: '{name}' is no package; expected such as [my_package]"
            )


def let_in(allowed: Sequence[str]) -> None:
    """Make modules of the working directory importable if the user allows any package: his classes may lie there.

    Otherwise the directory stays out of ``sys.path``: libraries try to import many optional modules, which a foreign
    directory could provide. Hydra's plugins are imported first, so that none is taken from the directory.

    Raises:
        ConfigError: unless each is the name of a package or module, whose outermost package is there.
    """
    check_allowed(allowed)
    Plugins.instance()
    if allowed and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    for package in (name.partition(".")[0] for name in allowed):
        if package not in sys.modules and find_spec(package) is None:
            raise ConfigError(
                f"allowed_targets={typed(list(allowed))}: there is no package or module {package} that Python can "
                "import; expected one in the working directory or installed"
            )


def check_name(where: str, name: Any, prefixes: Sequence[str], allowed: Sequence[str]) -> None:
    """Raise ConfigError unless ``name`` is a full name below one of the prefixes or of the allowed packages."""
    if not isinstance(name, str) or not re.fullmatch(r"\w+(\.\w+)+", name):
        said = " ".join(typed(name).split())
        raise ConfigError(f"{where}={said}: expected the full name of a class, such as torch.nn.Tanh")
    if not _within(name, (*prefixes, *allowed)):
        raise ConfigError(_refusal(where, name, name.partition(".")[0], allowed))


def check_target(where: str, name: Any, prefixes: Sequence[str], allowed: Sequence[str]) -> Any:
    """The class or function of that name, once its name and its home are known to be allowed.

    Raises:
        ConfigError: if it is not allowed, cannot be imported, or is neither a class nor a permitted function.
    """
    check_name(where, name, prefixes, allowed)
    found = _located(where, name)
    home = getattr(found, "__module__", None) or ""
    if home == "__mp_main__":  # the script, in further processes of a run
        home = "__main__"
    package, _, last = name.rpartition(".")
    published = package in _OURS and last in import_module(package).__all__
    if not inspect.isclass(found) and not (inspect.isroutine(found) and (published or _within(name, allowed))):
        what = "function" if inspect.isroutine(found) else type(found).__name__
        raise ConfigError(f"{where}={name}: it is a {what}: expected a class")
    if not _within(f"{home}.{getattr(found, '__qualname__', '')}", (*prefixes, *allowed)):
        raise ConfigError(_refusal(where, name, home, allowed, f" is {home}'s, and"))
    return found


def _located(where: str, name: str) -> Any:
    try:
        return _locate(name)  # as Hydra's instantiate does
    except Exception as error:  # of any kind: importing a user's module runs it
        package, _, last = name.rpartition(".")
        if package in sys.modules and not hasattr(sys.modules[package], last):
            raise ConfigError(f"{where}={name}: {package} has no '{last}'; {_nearest(last, package)}") from error
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ConfigError(f"{where}={name}: {first_line(cause)}{place(cause)}") from error


def _nearest(word: str, package: str) -> str:
    """The end of a sentence on a class that an imported module does not have."""
    named = vars(sys.modules[package]).items()
    own = sorted(key for key, one in named if inspect.isclass(one) and f"{one.__module__}.".startswith(f"{package}."))
    near = difflib.get_close_matches(word, own, n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected one of its classes: {', '.join(own) or 'it has none'}"


def _within(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _refusal(where: str, name: str, package: str, allowed: Sequence[str], found: str = ":") -> str:
    ours = "expected one of gan_lab's losses, augmentations, models, datasets or metrics, of torch.nn or torch.optim"
    if _parts(where) != _PARTS:
        ours = f"expected one of {_parts(where)[0]}"
    wider = f"; if you trust it, allowed_targets=[{','.join([*allowed, package])}] lets it in"
    return f"{where}={name}{found} {ours}" + ("" if package.startswith("gan_lab") else wider)
