"""The columns of a study's files, and what may stand in a cell of each."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from gan_lab.config.published import fault_of
from gan_lab.errors import ConfigError, shown
from gan_lab.report.run import GROUPS
from gan_lab.report.usefulness import scores_in
from gan_lab.report.values import fault, harmless, value_of
from gan_lab.runs.reader import LARGEST
from gan_lab.validation import is_number, is_whole

PUBLISHED = ("done", "diverged", "failed", "killed")
"""States of runs that a study holds: finished or lost. Others may still go on."""
FIRST = ("settings_hash", "seed", "group", "state", "verdict")
LAST = ("run", "command", "reason", "rule", "stopped_early", "iteration", "started", "named", "recorded_hash",
        "published", "evaluations", "usefulness")  # fmt: skip
BLOCKS = ("metric", "budget", "option", "config", "best", "floor", "ceiling", "signal", "sampling", "environment",
          "fingerprint")  # fmt: skip
"""Beginnings of the names of further columns, such as ``metric.fd_pixels``."""
OF_NUMBERS = ("metric", "best", "floor", "ceiling", "signal", "sampling")
"""Blocks of numbers, each of which may be null."""
MEASURED = ("metrics", "floor", "ceiling", "sampling")
HASH = "common_hash"
"""The column that ties a ``results.csv`` to its ``common.csv``; a file without it has every column itself."""
PEOPLES = ("group", "machine", "command")
"""Columns that are for people, and not read."""

_KINDS: dict[str, Callable[[Any], bool]] = {
    "settings_hash": lambda value: isinstance(value, str),
    "seed": lambda value: is_whole(value) and value >= 0,
    "state": lambda value: value in PUBLISHED,
    "run": lambda value: isinstance(value, str) and value != "",
    "verdict": lambda value: isinstance(value, str),
    "reason": lambda value: isinstance(value, str),
    "rule": lambda value: isinstance(value, str),
    "started": lambda value: isinstance(value, str),
    "recorded_hash": lambda value: isinstance(value, str),
    "stopped_early": lambda value: isinstance(value, bool),
    "iteration": lambda value: is_whole(value) and value >= 0,
    "named": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    "published": lambda value: isinstance(value, list) and not any(map(fault_of, value)),
    "evaluations": lambda value: isinstance(value, list) and all(map(_is_measurement, value)),
    "usefulness": lambda value: isinstance(value, list) and len(scores_in(value)) == len(value),
}
REQUIRED = ("settings_hash", "seed", "state", "run")


def check_names(columns: Sequence[str], file: Path) -> None:
    """A ConfigError if a column is unknown or there twice."""
    for column in columns:
        block, dot, key = column.partition(".")
        if columns.count(column) > 1:
            raise ConfigError(f"{shown(file)}: column '{shown(column)}' is there twice; expected each once")
        if column not in (*_KINDS, *PEOPLES, HASH) and not (dot and key and block in BLOCKS):
            blocks = ", ".join(f"{one}.…" for one in BLOCKS)
            known = f"{', '.join((*_KINDS, *PEOPLES))}, {blocks}"
            raise ConfigError(f"{shown(file)}: there is no column '{shown(column)}'; allowed: {known}")


def check_complete(columns: Sequence[str], file: Path) -> None:
    """A ConfigError if a column is missing that every study has."""
    for column in (*REQUIRED, *(f"option.{group}" for group in GROUPS)):
        if column not in columns:
            raise ConfigError(
                f"{shown(file)}: column '{column}' is missing; expected the files of gan-lab-report publish=, "
                "common.csv among them"
            )


def checked(column: str, text: str, file: Path, number: int) -> Any:
    """The value in a cell of a line; a ConfigError if no run has it there."""
    try:
        value, odd = _read(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(_told(file, number, f"{column} is {shown(text[:60])!r}; expected JSON or a text")) from error
    if odd:
        refuse(file, number, f"{shown(column)} is no value of a run: {odd}")
    if column in _KINDS and not _KINDS[column](value):
        refuse(file, number, f"{column} is {shown(text[:60])!r}, which no run has there")
    block = column.partition(".")[0]
    good = is_number(value) and abs(value) <= LARGEST
    if block == "budget":
        good = good and value >= 0 and (is_whole(value) or column == "budget.train_seconds")
    if block in (*OF_NUMBERS, "budget") and not good and (value is not None or block == "budget"):
        refuse(file, number, f"{shown(column)} is {shown(value)!r}; expected a number")
    return value


@lru_cache(maxsize=10_000)  # most cells of a column are equal
def _read(text: str) -> tuple[Any, str]:
    """The value of a cell, and why no run has it."""
    value = harmless(value_of(text))
    return value, fault(value)


def refuse(file: Path, number: int, problem: str) -> NoReturn:
    """The ConfigError that names a line of a file."""
    raise ConfigError(_told(file, number, problem))


def _told(file: Path, number: int, problem: str) -> str:
    return f"{shown(file)}: line {number}: {problem}"


def _is_measurement(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), dict) for key in ("fingerprint", *MEASURED))
