"""Any error that a user can cause, as one sentence."""

import re
import shlex
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from gan_lab.errors import ConfigError, Diverged, closest, shown
from gan_lab.validation import typed

USER_ERRORS = (ConfigError, Diverged, HydraException, OmegaConfBaseException, YAMLError)
"""Errors that a user can cause and reads as one sentence; anything else is a bug and keeps its traceback."""


_INSTALLED = (*{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}, str(files("gan_lab")))
"""The folders of Python, of installed packages and of gan_lab."""

BLOCKS = {"penalty": "loss.penalties", "term": "loss.terms", "constraint": "loss.constraint", "top_k": "loss.top_k"}
"""Groups whose options are blocks of another name."""


@cache
def groups() -> frozenset[str]:
    """The groups of conf/ but Hydra's, most of which are keys of the configuration, too."""
    found = (file.name for file in files("gan_lab.conf").iterdir() if file.is_dir())
    return frozenset(name for name in found if name != "hydra" and not name.startswith("_"))


def unknown_key(key: str, name: str, allowed: Iterable[str]) -> str:
    """The sentence for a key that the configuration lacks.

    Args:
        key: all of it, with the value if it is known.
        name: its first part.
        allowed: the configuration's keys.
    """
    if name not in groups():
        return f"{key}: there is no key '{name}' in the configuration; {closest(name, {*allowed, *groups()})}"
    expected = f"{name}=OPTION"
    if name in BLOCKS:
        expected = f"{expected}, or a key in {BLOCKS[name]}" if key == name else BLOCKS[name] + key.removeprefix(name)
    return f"{key}: {name} is a group of options, and no key; expected {expected}"


def listed(values: Iterable[Any]) -> str:
    """Values as the command line has them, the last after an "or"."""
    *others, last = map(typed, values)
    return f"{', '.join(others)} or {last}" if others else last


@contextmanager
def blame(key: str) -> Iterator[None]:
    """Turn an error about the arguments of an object at ``key`` into a `ConfigError` that names the key."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(_about(key, error)) from error
    except InstantiationException as error:
        nested = re.search(r"full_key: (\S+)", str(error))
        where = nested[1] if nested else key
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, ConfigError):
            cause = cause.__cause__
        if isinstance(cause, ConfigError):
            raise cause from error
        if target := re.match(r"Error locating target '([^']+)'", str(error)):
            where = f"{where}._target_={target[1]}"
        if memory := re.search(r"you tried to allocate (\d+) bytes", str(cause)):
            raise ConfigError(f"{where}: it takes {int(memory[1]):,} bytes of memory, expected fewer") from error
        raise ConfigError(_about(where, cause)) from error


def _about(key: str, error: BaseException) -> str:
    """An error's first line, which may begin with an argument of the object at a key, as in ``held_out=2``."""
    said = first_line(error)
    if said.startswith(f"{key}."):
        return said
    return f"{key}.{said}" if re.match(r"[a-z_]+=", said) else f"{key}: {said}"


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def fault(error: BaseException) -> str:
    """What an error in somebody's code says, its type before it, and where in that code it arose."""
    return f"{type(error).__name__}: {first_line(error)}{place(error)}"


def place(error: BaseException) -> str:
    """The file and line of the innermost call outside of installed packages, in brackets; nothing if there is none."""
    calls = [
        call
        for call in traceback.extract_tb(error.__traceback__)
        if not call.filename.startswith((*_INSTALLED, "<")) and call.lineno
    ]
    return f" ({Path(calls[-1].filename).name}, line {calls[-1].lineno})" if calls else ""


def sentence(error: Exception) -> str:
    """The message of one of `USER_ERRORS`, as one sentence on one line."""
    return shown(_sentence(error))


def _sentence(error: Exception) -> str:
    if isinstance(error, ConfigError | Diverged):
        return str(error)
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ConfigError):
        return str(error.__cause__)
    if isinstance(error, OverrideParseException):
        return f"'{error.override}': not an override that Hydra can read; expected {_readable(error.override)}"
    if isinstance(error, MissingConfigException) and (told := _missing_option(error)):
        return told
    if isinstance(error, YAMLError):
        return " ".join(str(error).split())
    for pattern, words in _HYDRAS:
        if match := re.search(pattern, first_line(error)):
            return match.expand(words)
    if isinstance(error, ConfigCompositionException | OmegaConfBaseException) and (told := _wrong_key(error)):
        return told
    if composing := re.match(r"In '(.*?)': \w+ raised while composing config:\n(.*)", str(error)):
        key = re.search(r"^ *full_key: (\S+)$", str(error), re.MULTILINE)
        what = re.sub(r"^Merge error: \w+ is not a subclass of \w+\. value: (.*)$", rf"\1: {A_BLOCK}", composing[2])
        return f"{composing[1]}: {f'{key[1]}: ' if key else ''}{_expected(what)}"
    return first_line(error).partition(". ")[0].rstrip(".")


def _readable(word: str) -> str:
    """How a word has to be written so that Hydra can read it."""
    if not word.isprintable():
        return "key=value in UTF-8, without control characters"
    key, equals, value = word.partition("=")
    refused = [one for one in dict.fromkeys(value) if not one.isascii() or not (one.isalnum() or _stands_alone(one))]
    if not equals or not key or not refused:
        return "key=value"
    quoted = QuotedString(value, Quote.double).with_quotes()
    listed = " ".join(refused)
    return f"key=value, and {listed} only inside quotes (Hydra's inside the shell's): {shlex.quote(f'{key}={quoted}')}"


def _stands_alone(character: str) -> bool:
    """Whether Hydra takes a character in the middle of a value without quotes."""
    try:
        value = OverridesParser.create().parse_override(f"key=a{character}b").value()
    except HydraException:
        return False
    return bool(value == f"a{character}b")


_HYDRAS = (
    (r"Ambiguous value for argument '(.*?)'", r"\1: expected one value; -m sweeps several, and key=[a,b] is a list"),
    (r"Sweep parameters '(.*?)' requires --multirun", r"\1: expected one value; -m sweeps several"),
    (
        r"does not support sweep type",
        "an interval: expected a list of values; protocol=tuned or hydra/sweeper=optuna search",
    ),
    (
        r"Multiple values for (\S+?)\.",
        r"+\1: the group has an option already; expected \1=OPTION without the +, or override \1 in a file's defaults",
    ),
    (r"Could not append to config\. An item is already at '(.*?)'", r"+\1: there is such a key already; expected \1"),
    (r"Could not delete '(.*?)'", r"~\1: there is nothing of that name to delete"),
    (
        r"key 'hydra\.runtime\.choices\.(\w+)' not found",
        r"\1: expected one option of the group; -m \1=a,b sweeps several",
    ),
    (r"Error resolving interpolation '(.*?)'", r"\1: expected the name of an option of a group"),
    (r"primary config '(.*?)' must be a DictConfig", r"--config-name \1: expected a mapping of keys in it"),
    (r"In '(.*?)': Could not load '(.*?)'", r"\1: its defaults: there is no file '\2'"),
    (r"Cannot find primary config '(.*?)'", r"--config-name \1: there is no such file"),
)
"""Messages of Hydra that are several sentences or unclear, as patterns, and the sentence to say instead."""


def _missing_option(error: MissingConfigException) -> str:
    """The sentence for an option that a group lacks."""
    missing = re.search(r"Could not load '(.+)/([^/]+?)'", str(error))
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    if not missing and not group:
        return ""
    group, option = missing.groups() if missing else (group, option)
    folder = files("gan_lab.conf") / group
    ours = [file.name.removesuffix(".yaml") for file in folder.iterdir()] if folder.is_dir() else []
    ours = [name for name in ours if "." not in name]
    elsewhere = set(ours).isdisjoint(error.options or ours)  # of experiment=paper/x, Hydra names those of experiment
    options = ours if elsewhere and ours else error.options or ours
    known = closest(option, options) if options else "the plugin of Hydra that brings it is not installed"
    return f"{group}={option}: there is no such file in the group; {known}"


def _wrong_key(error: ConfigCompositionException | OmegaConfBaseException) -> str:
    """The sentence for an unknown key, or a value of the wrong type."""
    override = re.search(r"Could not override '([^']+)'|Error merging override (\S+)", str(error))
    given = (override[1] or override[2]) if override else ""
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    key = given or getattr(cause, "full_key", None) or ""
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and hasattr(cause.parent_node, "keys"):
        parent = cause.parent_node._get_full_key(None) or ""
        below = key.partition("=")[0].removeprefix(parent).lstrip(".").partition(".")[0]
        name = below or str(cause.key)
        allowed = [word for word in map(str, cause.parent_node) if word != "hydra"]
        if name in allowed:
            return f"{key}: missing, expected a value"
        if not parent:
            return unknown_key(key, name, allowed)
        within = closest(name, allowed) if allowed else "it is empty"
        ours = str(cause.parent_node.get("_target_", "gan_lab.")).startswith("gan_lab.")
        if parent.startswith("model.") and not ours and "did you mean" not in within:
            within += f"; +{key} adds an argument"
        return f"{key}: there is no key '{name}' in {parent}; {within}"
    if cause is None and given:
        return f"{given}: there is no such group"
    if cause is None or not key:
        return ""
    if "Cannot merge DictConfig" in str(cause) and "object_type=list" in str(cause):
        return f"{key}: {A_LIST}"
    return f"{key}: {_expected(first_line(cause))}"


def _expected(said: str) -> str:
    """What OmegaConf said, in words that tell what is expected."""
    for pattern, expected in _OMEGACONFS:
        said = re.sub(pattern, expected, said)
    return said


A_BLOCK = "expected a block of keys, of which one can be given as KEY.NAME=VALUE"
A_LIST = "expected a list, such as [a,b]"
_OMEGACONFS = (
    (r"^Invalid type assigned: .*Config.*|^Cannot merge DictConfig.*|^Cannot assign \w+ to Dict.*", A_BLOCK),
    (r"^Merge error: \w+ is not a subclass of \w+.*", A_BLOCK),
    (r"^Key '.*' not in '\w+'$", "there is no such key"),
    (r"^Missing mandatory value: .*", "missing, expected a value"),
    (r".*is not Optional$", "expected a value"),
    (r".*could not be converted to Integer$", "expected a whole number"),
    (r".*could not be converted to Float$", "expected a number"),
    (r".*is not a valid bool.*", "expected true or false"),
    (r".*is not a ListConfig, list or tuple.*", A_LIST),
    (r"^list index out of range$", "the list has no such entry; expected the whole list, such as [a,b]"),
)
