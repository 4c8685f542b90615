"""Any error that a user can cause, as one sentence."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import NoReturn

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from gan_lab.errors import ConfigError, Diverged, closest

USER_ERRORS = (ConfigError, Diverged, HydraException, OmegaConfBaseException, YAMLError)
"""Errors that a user can cause and reads as one sentence; anything else is a bug and keeps its traceback."""


@contextmanager
def blame(key: str) -> Iterator[None]:
    """Turn an error about the arguments of an object at ``key`` into a `ConfigError` that names the key."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{key}: {_first_line(error)}") from error
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
        if unknown := re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(cause)):
            raise ConfigError(f"{where}.{unknown[2]}: expected no such key, as {unknown[1]} takes none") from error
        raise ConfigError(f"{where}: {_first_line(cause)}") from error


def one_sentence(command: Callable[[], None]) -> None:
    """Run a command; bad input ends it with one sentence on stderr and exit status 1.

    ``HYDRA_FULL_ERROR=1`` in the environment shows the traceback instead.
    """
    before = {name: os.environ.get(name) for name in ("PYTHONSAFEPATH", "HYDRA_FULL_ERROR")}
    os.environ["PYTHONSAFEPATH"] = "1"  # also processes started from here import no modules from the working directory
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its exceptions instead of printing them
    try:
        command()
    except Exception as error:
        if before["HYDRA_FULL_ERROR"] == "1":
            raise
        _say(error)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def _say(error: Exception) -> NoReturn:
    """End the program with the error's sentence; raise it again if it is a bug."""
    if isinstance(error, USER_ERRORS):
        exit_with(error)
    if isinstance(error, ValueError):  # for these bad inputs Hydra has no exception of its own
        if str(error).startswith("Config group override"):
            exit_with(ConfigError("a group: expected the name of an option, such as loss=lsgan"))
        if str(error).startswith(("Only one of --run", "The --resolve flag")):
            exit_with(ConfigError(str(error)))
    raise error


def exit_with(error: Exception) -> NoReturn:
    """End the program with the error's sentence on stderr and exit status 1."""
    sys.exit(f"gan-lab: {sentence(error)}")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def sentence(error: Exception) -> str:
    """The message of one of `USER_ERRORS`, as one sentence."""
    if isinstance(error, ConfigError | Diverged):
        return str(error)
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ConfigError):
        return str(error.__cause__)
    if isinstance(error, OverrideParseException):
        return (
            f"'{error.override}': not an override that Hydra can read; expected key=value, with quotes (Hydra's inside "
            "the shell's) round a value that holds any of , = ; : ( ) [ ] { } or spaces"
        )
    if isinstance(error, MissingConfigException) and (told := _missing_option(error)):
        return told
    if isinstance(error, YAMLError):
        return " ".join(str(error).split())
    for pattern, words in _HYDRAS:
        if match := re.search(pattern, _first_line(error)):
            return match.expand(words)
    if isinstance(error, ConfigCompositionException | OmegaConfBaseException) and (told := _wrong_key(error)):
        return told
    return _first_line(error).partition(". ")[0].rstrip(".")


_HYDRAS = (
    (r"Ambiguous value for argument '(.*?)'", r"\1: expected one value; -m sweeps several, and key=[a,b] is a list"),
    (r"Sweep parameters '(.*?)' requires --multirun", r"\1: expected one value; -m sweeps several"),
    (
        r"does not support sweep type",
        "an interval: expected a list of values; protocol=tuned or hydra/sweeper=optuna search",
    ),
    (r"Could not delete '(.*?)'", r"~\1: there is nothing of that name to delete"),
    (
        r"key 'hydra\.runtime\.choices\.(\w+)' not found",
        r"\1: expected one option of the group; -m \1=a,b sweeps several",
    ),
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
    options = error.options or [name for name in ours if "." not in name]
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
        within = closest(name, allowed) if allowed else "it is empty"
        return f"{key}: there is no key '{name}' in {parent or 'the configuration'}; {within}"
    if cause is None and given:
        return f"{given}: there is no such group"
    if cause is None or not key:
        return ""
    said = _first_line(cause)
    for pattern, expected in _OMEGACONFS:
        said = re.sub(pattern, expected, said)
    return f"{key}: {said}"


_OMEGACONFS = (
    (
        r"^Invalid type assigned: .*Config.*|^Cannot merge DictConfig.*",
        "expected a block of keys, of which one can be given as KEY.NAME=VALUE",
    ),
    (r".*is not Optional$", "expected a value"),
    (r".*could not be converted to Integer$", "expected a whole number"),
    (r".*could not be converted to Float$", "expected a number"),
    (r".*is not a valid bool.*", "expected true or false"),
    (r".*is not a ListConfig, list or tuple.*", "expected a list, such as [a,b]"),
)
