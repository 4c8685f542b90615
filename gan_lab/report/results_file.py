"""Runs as a CSV file, ``results.csv`` of a study: a line a run, with everything that the report's tables are made of.

Columns ``group``, ``machine`` and ``command`` are for people; all others are read. An empty cell means that the run has
no such key. Numbers, lists, null, true and false are JSON. So are texts that would be read as one of these or that a
spreadsheet would take for a formula; other texts stand as they are. Absolute paths lose their folders: they tell of a
machine, not of a study.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from gan_lab.config.published import fault_of
from gan_lab.errors import ConfigError, shown
from gan_lab.report.run import GROUPS, Asked, Measurement, Outcome, Published, Run
from gan_lab.report.usefulness import scores_in
from gan_lab.report.values import cell, exact, fault, harmless, value_of
from gan_lab.runs.reader import BUDGET, LARGEST, as_number
from gan_lab.validation import is_number, is_whole

Line = dict[str, str]
"""The cells of a run by column; empty ones are left out."""
Key = tuple[str, str]
"""What a run is known by: the hash of its settings without the seed, and the seed."""

PUBLISHED = ("done", "diverged", "failed", "killed")
"""States of runs that a study holds: finished or lost. Others may still go on."""

_FIRST = ("settings_hash", "seed", "group", "state", "verdict")
_LAST = ("run", "command", "reason", "rule", "stopped_early", "iteration", "started", "named", "recorded_hash",
         "published", "evaluations", "usefulness")  # fmt: skip
_BLOCKS = ("metric", "budget", "option", "config", "best", "floor", "ceiling", "signal", "sampling", "environment",
           "fingerprint")  # fmt: skip
"""Beginnings of the names of further columns, such as ``metric.fd_pixels``."""
_PEOPLES = ("group", "machine", "command")
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
_REQUIRED = ("settings_hash", "seed", "state", "run")
_MEASURED = ("metrics", "floor", "ceiling", "sampling")
_OF_NUMBERS = ("metric", "best", "floor", "ceiling", "signal", "sampling")


def line_of(run: Run) -> Line:
    """The cells of a run that is done or lost."""
    outcome, first = run.outcome, (run.outcome.measurements or [Measurement({}, {}, {}, {})])[0]
    blocks: dict[str, dict[str, Any]] = {
        "metric": first.metrics, "best": outcome.best, "floor": first.floor,
        "budget": {key: outcome.budget[key] for key in BUDGET if key in outcome.budget},
        "ceiling": first.ceiling, "signal": outcome.signals, "environment": outcome.environment,
        "fingerprint": first.fingerprint, "sampling": first.sampling,
        "option": {key: option for key, option in run.asked.choices.items() if not key.startswith("hydra/")},
        "config": {key: value for key, value in run.asked.config.items() if key != "seed"},
    }  # fmt: skip
    values: dict[str, Any] = {
        "seed": run.seed, "state": run.state, "verdict": outcome.verdict, "machine": run.machine, "run": run.name,
        "reason": run.reason, "rule": outcome.rule, "stopped_early": outcome.stopped_early or None,
        "iteration": run.iteration, "started": run.started, "named": sorted(run.asked.named) or None,
        "recorded_hash": run.asked.recorded_hash, "published": [asdict(one) for one in run.asked.published] or None,
        "evaluations": [_as_entry(one) for one in outcome.measurements[1:]] or None,
        "usefulness": [{"cas": one.values} | dict(one.settings) for one in outcome.usefulness] or None,
    }  # fmt: skip
    line = {key: cell(value) for key, value in values.items() if value not in ("", None)}
    line |= {f"{block}.{key}": cell(value) for block, entries in blocks.items() for key, value in entries.items()}
    line["settings_hash"] = cell(_settings_hash(_asked({key: value_of(text) for key, text in line.items()})))
    return line


def key_of(line: Line) -> Key:
    return line["settings_hash"], line["seed"]


def read_lines(file: Path) -> list[Line]:
    """The lines of a file, each checked.

    Raises:
        ConfigError: if the file cannot be read, or holds something that `gan-lab-report publish=` does not write.
    """
    try:
        return lines_in(file.read_text(encoding="utf-8-sig"), file)  # spreadsheets write a mark before the first letter
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{shown(file)}: it cannot be read as text: {shown(reason)}") from error


def lines_in(text: str, file: Path) -> list[Line]:
    """`read_lines` of the text of a file."""
    try:
        cells = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ConfigError(f"{shown(file)}: it cannot be read as CSV: {shown(error)}") from error
    if len(cells) < 2:
        raise ConfigError(f"{shown(file)}: it holds no run; expected a line of column names and a line a run")
    columns = cells[0]
    _check_columns(file, columns)
    lines: list[Line] = []
    seen: dict[Key, int] = {}
    for number, row in enumerate(cells[1:], 2):
        if len(row) != len(columns):
            _refuse(file, number, f"{len(row)} cells; expected {len(columns)}, one for each column")
        line = {column: text for column, text in zip(columns, row, strict=True) if text}
        _run_of(line, file, number)
        if (first := seen.setdefault(key_of(line), number)) != number:
            _refuse(file, number, f"the settings and the seed of line {first}; expected each run once")
        lines.append(line)
    return lines


def without_folders(run: Run) -> Run:
    """The run with the settings that `line_of` writes, so that it equals the same run out of a file."""
    return replace(run, asked=_asked({key: value_of(text) for key, text in line_of(run).items()})) if run.known else run


def runs_of(lines: Iterable[Line], file: Path) -> list[Run]:
    """The runs that lines of a file tell of, as `gan_lab.report.reading` makes them of folders, but without curves."""
    return [_run_of(line, file, number) for number, line in enumerate(lines, 2)]


def text_of(lines: list[Line]) -> str:
    """The file's text: what people look for comes first, then settings that differ. Lines are sorted by group."""
    columns = list(dict.fromkeys([*_FIRST, "machine", *(column for line in lines for column in line)]))
    differ = {one for one in columns if one.startswith("config.") and len({line.get(one, "") for line in lines}) > 1}

    def place(column: str) -> tuple[int, int]:
        block, _, key = column.partition(".")
        if column in _FIRST:
            return 0, _FIRST.index(column)
        if column == "machine" or column == "environment.gan_lab":
            return 2, 0
        if column in _LAST:
            return 5, _LAST.index(column)
        order = {"metric": 1, "budget": 1, "option": 4}.get(block, 3 if column in differ else 6)
        return order, _BLOCKS.index(block) + ((*BUDGET, key).index(key) if block == "budget" else 0)

    ordered = sorted(columns, key=place)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(ordered)
    for line in sorted(lines, key=lambda line: (line.get("group", ""), line["settings_hash"], int(line["seed"]))):
        writer.writerow([line.get(column, "") for column in ordered])
    return buffer.getvalue()


def _check_columns(file: Path, columns: list[str]) -> None:
    for column in columns:
        block, dot, key = column.partition(".")
        if columns.count(column) > 1:
            raise ConfigError(f"{shown(file)}: column '{shown(column)}' is there twice; expected each once")
        if column not in (*_KINDS, *_PEOPLES) and not (dot and key and block in _BLOCKS):
            blocks = ", ".join(f"{one}.…" for one in _BLOCKS)
            known = f"{', '.join((*_KINDS, *_PEOPLES))}, {blocks}"
            raise ConfigError(f"{shown(file)}: there is no column '{shown(column)}'; allowed: {known}")
    for column in (*_REQUIRED, *(f"option.{group}" for group in GROUPS)):
        if column not in columns:
            raise ConfigError(
                f"{shown(file)}: column '{column}' is missing; expected a file of gan-lab-report publish="
            )


def _run_of(line: Line, file: Path, number: int) -> Run:
    """The run of a line; a ConfigError names the first cell that is wrong."""
    values: dict[str, Any] = {}
    for column, text in line.items():
        if column in _PEOPLES:
            continue
        try:
            values[column] = harmless(value_of(text))
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                _told(file, number, f"{column} is {shown(text[:60])!r}; expected JSON or a text")
            ) from error
        if odd := fault(values[column]):
            _refuse(file, number, f"{shown(column)} is no value of a run: {odd}")
        if column in _KINDS and not _KINDS[column](values[column]):
            _refuse(file, number, f"{column} is {shown(text[:60])!r}, which no run has there")
    for column in _REQUIRED:
        if column not in values:
            _refuse(file, number, f"{column} is missing")
    done = values["state"] == "done"
    _check_numbers(values, file, number, done)
    asked = _asked(values)
    if (found := _settings_hash(asked)) != values["settings_hash"]:
        told = f"settings_hash is {values['settings_hash']}, and that of its settings {found}"
        _refuse(file, number, f"{told}; expected settings as they were published")
    return Run(
        path=file, name=values["run"], state=values["state"], reason=values.get("reason", ""),
        iteration=values.get("iteration", 0), started=values.get("started", ""), asked=asked,
        outcome=_outcome(values) if done else Outcome(),
    )  # fmt: skip


def _check_numbers(values: dict[str, Any], file: Path, number: int, done: bool) -> None:
    for column, value in values.items():
        block = column.partition(".")[0]
        good = is_number(value) and abs(value) <= LARGEST
        if block == "budget":
            good = good and value >= 0 and (is_whole(value) or column == "budget.train_seconds")
        if block in (*_OF_NUMBERS, "budget") and not good and (value is not None or block == "budget"):
            _refuse(file, number, f"{shown(column)} is {shown(value)!r}; expected a number")
    if done and (missing := [f"budget.{key}" for key in BUDGET if f"budget.{key}" not in values]):
        _refuse(file, number, f"{missing[0]} is missing; expected a number for a run that is done")
    if done and not any(column.startswith("metric.") for column in values):
        _refuse(file, number, "it holds no metric; expected one at least for a run that is done")


def _asked(values: dict[str, Any]) -> Asked:
    config = {"seed": values["seed"]} | _block(values, "config")
    return Asked(
        config=config,
        exact={key: exact(value) for key, value in config.items()},
        choices=dict.fromkeys(GROUPS, "unknown") | {key: str(one) for key, one in _block(values, "option").items()},
        named=frozenset(values.get("named", ())),
        seed=values["seed"],
        recorded_hash=values.get("recorded_hash", ""),
        published=tuple(Published(**one | {"value": float(one["value"])}) for one in values.get("published", ())),
    )


def _outcome(values: dict[str, Any]) -> Outcome:
    numbers = {block: {key: as_number(one) for key, one in _block(values, block).items()} for block in _OF_NUMBERS}
    own = Measurement(_block(values, "fingerprint"), *(numbers[key] for key in ("metric", *_MEASURED[1:])))
    return Outcome(
        measurements=[own, *(_from_entry(entry) for entry in values.get("evaluations", ()))],
        best=numbers["best"],
        budget=_block(values, "budget"),
        signals=numbers["signal"],
        environment=_block(values, "environment"),
        verdict=values.get("verdict", "not judged"),
        rule=values.get("rule", ""),
        stopped_early=values.get("stopped_early", False),
        usefulness=scores_in(values.get("usefulness")),
    )


def _block(values: dict[str, Any], block: str) -> dict[str, Any]:
    return {column.partition(".")[2]: one for column, one in values.items() if column.startswith(f"{block}.")}


def _settings_hash(asked: Asked) -> str:
    """A hash of all settings but the seed: equal for the runs of a group alone."""
    settings = sorted(item for item in asked.exact.items() if item[0] != "seed")
    text = json.dumps([[asked.choices[group] for group in GROUPS], asked.recorded_hash, *settings])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _as_entry(one: Measurement) -> dict[str, Any]:
    return {"fingerprint": one.fingerprint} | {key: getattr(one, key) for key in _MEASURED}


def _is_measurement(entry: Any) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(key), dict) for key in ("fingerprint", *_MEASURED))


def _from_entry(entry: dict[str, Any]) -> Measurement:
    numbers = [{key: as_number(one) for key, one in entry[block].items()} for block in _MEASURED]
    return Measurement(entry["fingerprint"], *numbers)


def _told(file: Path, number: int, problem: str) -> str:
    return f"{shown(file)}: line {number}: {problem}"


def _refuse(file: Path, number: int, problem: str) -> NoReturn:
    raise ConfigError(_told(file, number, problem))
