"""A run made, or gone on with, by the command's own path."""

import threading
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from hydra.errors import HydraException

from gan_lab.api.calls import as_path, called, separate_logging
from gan_lab.cli.command_line import CommandLine, parse_overrides
from gan_lab.cli.train import App, carry_out
from gan_lab.errors import ConfigError, shown
from gan_lab.sweeps.overrides import quoted

_SWEEPS = "gan_lab.train makes one run; gan-lab -m on a command line makes a sweep, which gan_lab.Sweep(FOLDER) reads"


class _OneRun(App):
    """gan-lab without sweeps, which end the program where they fail."""

    def multirun(self, *arguments: Any, **keywords: Any) -> NoReturn:
        raise ConfigError(f"hydra.mode=MULTIRUN: expected RUN, as {_SWEEPS}")


def launch(
    overrides: Sequence[str],
    folder: str | PathLike[str] | None,
    config_dir: str | PathLike[str] | None,
    allowed_targets: Sequence[str],
) -> tuple[Path, list[str]]:
    """Make the run that ``gan-lab`` makes of these overrides, or go on with one.

    The arguments are those of `gan_lab.train`, and so are the errors.

    Returns:
        The run's folder, and the packages that it was allowed.
    """
    with called(allowed_targets), separate_logging():
        if threading.current_thread() is not threading.main_thread():
            raise ConfigError("gan_lab.train: expected in the main thread of a program, where signals can stop a run")
        line = CommandLine.parse(_words(overrides, folder, config_dir, allowed_targets))
        if swept := [one for one in line.overrides if one.is_sweep_override()]:
            raise ConfigError(f"{swept[0].input_line}: expected one value, as {_SWEEPS}")
        made = carry_out(line, _OneRun)
    assert made is not None
    return made.path.absolute(), line.allowed_targets()


def _words(
    overrides: Sequence[str],
    folder: str | PathLike[str] | None,
    config_dir: str | PathLike[str] | None,
    allowed_targets: Sequence[str],
) -> list[str]:
    """The words that a person would type after ``gan-lab``."""
    for word in overrides:
        if not isinstance(word, str):
            raise ConfigError(f"{shown(repr(word))}: expected overrides in quotes, such as 'loss=wgan_gp'")
        if word in ("-m", "--multirun"):
            raise ConfigError(f"{word}: expected overrides alone, as {_SWEEPS}")
        if word.startswith("-"):
            raise ConfigError(f"{word}: expected overrides alone, such as 'loss=wgan_gp'; options are for the command")
        if folder is not None and word.partition("=")[0].lstrip("+") == "hydra.run.dir":
            raise ConfigError(f"{word}: expected none beside folder={folder!s}")
    words = list(overrides)
    if folder is not None:
        words.append(_plain_or_quoted("hydra.run.dir", str(as_path("folder", folder))))
    if config_dir is not None:
        words.append(f"--config-dir={as_path('config_dir', config_dir)}")
    if allowed_targets:
        words.append(f"allowed_targets=[{','.join(allowed_targets)}]")
    return words


def _plain_or_quoted(key: str, value: str) -> str:
    """An override as a person would type it; in Hydra's quotes only if it cannot do without."""
    try:
        if parse_overrides([f"{key}={value}"])[0].value() == value:
            return f"{key}={value}"
    except HydraException:
        pass
    return quoted(key, value)
