"""What went wrong, in one sentence: the key or file, the bad value, what is allowed."""

import difflib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from hydra.errors import HydraException, InstantiationException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError
from yaml import YAMLError


class ConfigError(Exception):
    """Bad input. Its text is the one sentence the user reads."""


class NotFinite(ConfigError):
    """A generated sample, or a feature of one, is not finite.

    Args:
        what: is not finite.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not finite")
        self.what = what


class Diverged(Exception):
    """Training produced a value that is not finite.

    Args:
        iteration: the first iteration at which it did.
        term: the name of the curve, such as ``loss/discriminator``.
        value: the value.
    """

    def __init__(self, iteration: int, term: str, value: float) -> None:
        super().__init__(f"diverged at iteration {iteration}: {term} is {value}")
        self.iteration = iteration
        self.term = term


USER_ERRORS = (ConfigError, Diverged, HydraException, OmegaConfBaseException, YAMLError)
"""What a user can bring about, and reads as one sentence; anything else is a bug and keeps its traceback."""


@contextmanager
def blame(key: str) -> Iterator[None]:
    """Turn what an object of the configuration says of its arguments into a `ConfigError` that names ``key``."""
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
        raise ConfigError(f"{where}: {_first_line(cause)}") from error


def closest(word: str, allowed: Iterable[str]) -> str:
    """``did you mean 'x'? Allowed: …`` as the end of a sentence."""
    names = sorted(allowed)
    near = difflib.get_close_matches(word, names, n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"Allowed: {', '.join(names)}"


def one_sentence(command: Callable[[], None]) -> None:
    """Run a command; bad input ends it with one sentence on stderr and exit status 1.

    ``HYDRA_FULL_ERROR=1`` in the environment shows the traceback instead. The working directory, where users keep the
    classes that their own YAML names, can be imported from.
    """
    sys.path.append(os.getcwd())
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        command()
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its exceptions to us, who need one line to say them
    try:
        command()
    except USER_ERRORS as error:
        exit_with(error)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except ValueError as error:
        if not str(error).startswith("Config group override"):  # the one bad input that Hydra has no exception for
            raise
        exit_with(ConfigError(f"{error}: name an option, such as loss=lsgan"))
    finally:
        del os.environ["HYDRA_FULL_ERROR"]


def exit_with(error: Exception) -> NoReturn:
    """End the program with the error's sentence on stderr and exit status 1."""
    sys.exit(f"gan-lab: {sentence(error)}")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def sentence(error: Exception) -> str:
    """What one of `USER_ERRORS` says, as one sentence."""
    text = str(error)
    if isinstance(error, ConfigError | Diverged):
        return text
    if isinstance(error, InstantiationException) and isinstance(error.__cause__, ConfigError):
        return str(error.__cause__)
    if isinstance(error, MissingConfigException) and error.options is not None and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option}: there is no such file in the group; {closest(option, error.options)}"
    override = re.search(r"Could not override '([^']+)'|Error merging override (\S+)", text)
    key = (override[1] or override[2]) if override else ""
    cause = error.__cause__
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        parent, _, name = key.rpartition(".")
        allowed = [str(k) for k in cause.parent_node] if hasattr(cause.parent_node, "keys") else []
        allowed = [k for k in allowed if k != "hydra"]
        return f"{key}: there is no key '{name}' in {parent or 'the configuration'}; {closest(name, allowed)}"
    if isinstance(cause, ValidationError):
        return f"{key}: {_first_line(cause)}"
    if isinstance(error, ConfigAttributeError | ConfigKeyError | ValidationError) and error.full_key:
        return f"{error.full_key}: {_first_line(error)}"
    return ". ".join(line.strip() for line in text.splitlines() if line.strip())
