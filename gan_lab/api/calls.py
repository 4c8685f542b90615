"""What every call from Python shares: errors in one sentence, and the caller's global state restored afterwards."""

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.version import VersionBase

from gan_lab.config.targets import let_in
from gan_lab.errors import ConfigError, Diverged, shown
from gan_lab.runs.stop_signals import exit_behind, signal_of
from gan_lab.runs.terminal import prepared_environment, told
from gan_lab.validation import is_whole


@contextmanager
def called(allowed_targets: Sequence[str] = ()) -> Iterator[None]:
    """Inside, gan_lab works for a program or a notebook.

    A signal that stopped a run is passed on, once the run is saved, to what handled it before: Ctrl-C becomes
    KeyboardInterrupt.

    Args:
        allowed_targets: packages of the caller's that configurations may name (`gan_lab.config.targets`).

    Raises:
        ConfigError: for bad input, with the sentence that the commands print.
        Diverged: if a training diverged.
    """
    outer = sys.exception()  # that the caller handles just now
    try:
        with prepared_environment(), _separate_hydra():
            if (
                not isinstance(allowed_targets, Sequence)
                or isinstance(allowed_targets, str | bytes)
                or not all(isinstance(one, str) for one in allowed_targets)
            ):
                raise ConfigError(f"allowed_targets={allowed_targets}: expected a list, such as ['my_package']")
            let_in(allowed_targets)
            yield
            return
    except (Exception, SystemExit) as error:
        stop = exit_behind(error, outer)
        if stop is None:
            _raise_in_one_sentence(error)
    assert stop is not None
    number = signal_of(stop.code)
    if number is None:
        raise ConfigError(f"a class of the run ended the program (status {stop.code}): expected it to return") from stop
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    signal.raise_signal(number)
    raise KeyboardInterrupt  # nothing handled the signal


def as_path(name: str, value: object) -> Path:
    """An argument as a path.

    Raises:
        ConfigError: if it is no path, or empty.
    """
    text = fspath(value) if isinstance(value, str | PathLike) else None
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{name}={value!r}: expected a path in quotes")
    return Path(text)


def as_whole(name: str, value: object, low: int, high: int) -> int:
    """An argument as a whole number, which may be one of NumPy or PyTorch.

    Raises:
        ConfigError: if it is no whole number, or out of bounds.
    """
    plain = as_plain(value)
    if not is_whole(plain) or not low <= plain <= high:
        raise ConfigError(f"{name}={shown(plain)}: expected a whole number from {low:,} to {high:,}")
    return plain


def as_plain(value: Any) -> Any:
    """Python's own number or list in the place of one of NumPy or PyTorch; anything else as it is."""
    return getattr(value, "tolist", lambda: value)()


def check_direction(value: object) -> None:
    """Raise ConfigError unless an argument ``back`` is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"back={shown(value)}: expected True or False")


def check_metric(value: object) -> None:
    """Raise ConfigError unless an argument is the name of a metric, or None."""
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"metric={value!r}: expected the name of a metric in quotes, or None")


def _raise_in_one_sentence(error: BaseException) -> None:
    said = told(error) if isinstance(error, Exception) else None
    if said is None or (isinstance(error, ConfigError | Diverged) and said == str(error)):
        raise error
    raise ConfigError(said) from None  # Hydra's own traceback tells nobody more


@contextmanager
def _separate_hydra() -> Iterator[None]:
    """Inside, Hydra knows of no application; the caller's own, if there is one, is restored."""
    kinds: tuple[Any, ...] = (GlobalHydra, HydraConfig, VersionBase)
    before, name = [dict(vars(kind.instance())) for kind in kinds], JobRuntime.instance().get("name")
    GlobalHydra.instance().hydra, HydraConfig.instance().cfg = None, None
    try:
        yield
    finally:
        for kind, state in zip(kinds, before, strict=True):
            vars(kind.instance()).update(state)
        JobRuntime.instance().set("name", name)


@contextmanager
def separate_logging() -> Iterator[None]:
    """Inside, Hydra may set up logging for a run; the caller's logging is restored.

    Python's dictConfig closes every handler it knows of, so it does not get to know the caller's.
    """
    root, known, names = logging.getLogger(), logging._handlerList, logging._handlers  # type: ignore[attr-defined]
    handlers, level, all_known, all_names = root.handlers[:], root.level, known[:], dict(names)
    known.clear()
    names.clear()
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        known[:] = all_known
        names.update(all_names)
