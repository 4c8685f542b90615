"""The runs of a study as two CSV files, with everything that the report's tables are made of.

``results.csv`` has a line a run, and ``common.csv`` beside it a line for each column in which all runs agree, most
settings among them. Column ``common_hash`` of the first ties it to the second; without it a file has every column
itself. Columns ``group``, ``machine`` and ``command`` are for people; all others are read. An empty cell means that the
run has no such key. Numbers, lists, null, true and false are JSON. So are texts that would be read as one of these or
that a spreadsheet would take for a formula; other texts stand as they are. Absolute paths lose their folders: they tell
of a machine, not of a study.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gan_lab.errors import ConfigError, shown
from gan_lab.report.columns import (
    BLOCKS,
    FIRST,
    HASH,
    LAST,
    MEASURED,
    OF_NUMBERS,
    PEOPLES,
    REQUIRED,
    check_complete,
    check_names,
    checked,
    refuse,
)
from gan_lab.report.run import GROUPS, Asked, Measurement, Outcome, Published, Run
from gan_lab.report.usefulness import scores_in
from gan_lab.report.values import cell, exact, value_of
from gan_lab.report.versions import settings_of
from gan_lab.runs.reader import BUDGET, as_number

RESULTS, COMMON = "results.csv", "common.csv"
Line = dict[str, str]
"""The cells of a run by column; empty ones are left out."""
Key = tuple[str, str]
"""What a run is known by: the hash of its settings without the seed, and the seed."""

_COLUMN, _VALUE = "column", "value"
_OF_EACH = (*FIRST, "machine", "run")
_BLOCKS_OF_EACH = ("metric", "budget")
"""Columns that stand in the line of each run, whether or not the runs agree."""


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
    """The lines of a file, each with what the file ``common.csv`` beside it says of all runs, and each checked.

    Raises:
        ConfigError: if a file cannot be read, or holds something that `gan-lab-report publish=` does not write.
    """
    return lines_in(_read(file), file)


def lines_in(text: str, file: Path) -> list[Line]:
    """`read_lines` of the text of a file."""
    columns, *rows = _rows(text, file, "it holds no run; expected a line of column names and a line a run")
    if columns == [_COLUMN, _VALUE]:
        raise ConfigError(f"{shown(file)}: it holds what all runs of a study have in common; name {RESULTS} beside it")
    check_names(columns, file)
    common = _common(file.with_name(COMMON)) if HASH in columns else {}
    shared = {column: text for column, text in common.items() if column not in columns}
    expected = _hash(common)
    check_complete([*columns, *shared], file)
    lines: list[Line] = []
    seen: dict[Key, int] = {}
    for number, row in enumerate(rows, 2):
        line = shared | {column: text for column, text in zip(columns, row, strict=True) if text}
        if HASH in columns and (named := line.pop(HASH, "")) != expected:
            refuse(file, number, f"{HASH} is {shown(named)!r}; expected {expected}, that of {COMMON} beside it")
        line["settings_hash"] = cell(_settings_hash(_run_of(line, file, number).asked))  # not that of earlier versions
        if (first := seen.setdefault(key_of(line), number)) != number:
            refuse(file, number, f"the settings and the seed of line {first}; expected each run once")
        lines.append(line)
    return lines


def _common(file: Path) -> Line:
    """The value of each column that is the same for all runs."""
    head, *rows = _rows(_read(file), file, "it holds no column; expected a line 'column,value' and a line a column")
    if head != [_COLUMN, _VALUE]:
        refuse(file, 1, f"{shown(','.join(head)[:60])!r}; expected '{_COLUMN},{_VALUE}'")
    check_names([column for column, _ in rows], file)
    for number, (column, text) in enumerate(rows, 2):
        if text and column not in PEOPLES:
            checked(column, text, file, number)
    return {column: text for column, text in rows if text}


def _hash(common: Line) -> str:
    """A hash of what all runs have in common, the same however a spreadsheet writes it."""
    values = sorted((column, exact(value_of(text))) for column, text in common.items())
    return f"c{hashlib.sha256(json.dumps(values).encode()).hexdigest()[:8]}"  # no cell that reads as a number


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # spreadsheets write a mark before the first letter
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{shown(file)}: it cannot be read as text: {shown(reason)}") from error


def _rows(text: str, file: Path, empty: str) -> list[list[str]]:
    """The cells of a file: a line of names, and at least one of as many values. Empty lines at the end are none."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ConfigError(f"{shown(file)}: it cannot be read as CSV: {shown(error)}") from error
    while rows and not any(rows[-1]):
        rows.pop()
    if len(rows) < 2:
        raise ConfigError(f"{shown(file)}: {empty}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            refuse(file, number, f"{len(row)} cells; expected {len(rows[0])}, one for each column")
    return rows


def without_folders(run: Run) -> Run:
    """The run with the settings that `line_of` writes, so that it equals the same run out of a file."""
    return replace(run, asked=_asked({key: value_of(text) for key, text in line_of(run).items()})) if run.known else run


def runs_of(lines: Iterable[Line], file: Path) -> list[Run]:
    """The runs that lines of a file tell of, as `gan_lab.report.reading` makes them of folders, but without curves."""
    return [_run_of(line, file, number) for number, line in enumerate(lines, 2)]


def common_of(lines: list[Line]) -> Line:
    """What all runs agree in and that need not stand in the line of each."""
    first, *others = lines
    return {
        column: text
        for column, text in first.items()
        if column not in _OF_EACH and column.partition(".")[0] not in _BLOCKS_OF_EACH
        if all(line.get(column) == text for line in others)
    }


def common_text(common: Line) -> str:
    """The text of ``common.csv``."""
    return _csv([_COLUMN, _VALUE], [[column, common[column]] for column in _ordered(common, set())])


def text_of(lines: list[Line], common: Line | None = None) -> str:
    """The text of ``results.csv``, without the columns of ``common``.

    What people look for comes first, then settings that differ. Lines are sorted by group.
    """
    if common:
        lines = [line | {HASH: _hash(common)} for line in lines]
    there = dict.fromkeys([*FIRST, "machine", *(column for line in lines for column in line)])
    columns = [column for column in there if column not in (common or {})]
    differ = {one for one in columns if one.startswith("config.") and len({line.get(one, "") for line in lines}) > 1}
    ordered = _ordered(columns, differ)
    by_group = sorted(lines, key=lambda line: (line.get("group", ""), line["settings_hash"], int(line["seed"])))
    return _csv(ordered, [[line.get(column, "") for column in ordered] for line in by_group])


def _ordered(columns: Iterable[str], differ: set[str]) -> list[str]:
    def place(column: str) -> tuple[int, int]:
        block, _, key = column.partition(".")
        if column in FIRST:
            return 0, FIRST.index(column)
        if column == "machine" or column == "environment.gan_lab":
            return 2, 0
        if column == HASH:
            return 7, 0
        if column in LAST:
            return 5, LAST.index(column)
        order = {"metric": 1, "budget": 1, "option": 4}.get(block, 3 if column in differ else 6)
        return order, BLOCKS.index(block) + ((*BUDGET, key).index(key) if block == "budget" else 0)

    return sorted(columns, key=place)


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([head, *rows])
    return buffer.getvalue()


def _run_of(line: Line, file: Path, number: int) -> Run:
    """The run of a line; a ConfigError names the first cell that is wrong."""
    values = {column: checked(column, text, file, number) for column, text in line.items() if column not in PEOPLES}
    for column in REQUIRED:
        if column not in values:
            refuse(file, number, f"{column} is missing")
    done = values["state"] == "done"
    if done and (missing := [f"budget.{key}" for key in BUDGET if f"budget.{key}" not in values]):
        refuse(file, number, f"{missing[0]} is missing; expected a number for a run that is done")
    if done and not any(column.startswith("metric.") for column in values):
        refuse(file, number, "it holds no metric; expected one at least for a run that is done")
    asked = _asked(values)
    found = _settings_hash(asked)
    earlier = _hash_of(asked, sorted(item for item in asked.exact.items() if item[0] != "seed"))
    if values["settings_hash"] not in (found, earlier):
        told = f"settings_hash is {values['settings_hash']}, and that of its settings {found}"
        refuse(file, number, f"{told}; expected settings as they were published")
    return Run(
        path=file, name=values["run"], state=values["state"], reason=values.get("reason", ""),
        iteration=values.get("iteration", 0), started=values.get("started", ""), asked=asked,
        outcome=_outcome(values) if done else Outcome(),
    )  # fmt: skip


def _asked(values: dict[str, Any]) -> Asked:
    blocks = _blocks(values)
    config = {"seed": values["seed"]} | blocks["config"]
    return Asked(
        config=config,
        exact={key: exact(value) for key, value in config.items()},
        choices=dict.fromkeys(GROUPS, "unknown") | {key: str(one) for key, one in blocks["option"].items()},
        named=frozenset(values.get("named", ())),
        seed=values["seed"],
        recorded_hash=values.get("recorded_hash", ""),
        published=tuple(Published(**one | {"value": float(one["value"])}) for one in values.get("published", ())),
    )


def _outcome(values: dict[str, Any]) -> Outcome:
    blocks = _blocks(values)
    numbers = {block: {key: as_number(one) for key, one in blocks[block].items()} for block in OF_NUMBERS}
    own = Measurement(blocks["fingerprint"], *(numbers[key] for key in ("metric", *MEASURED[1:])))
    return Outcome(
        measurements=[own, *(_from_entry(entry) for entry in values.get("evaluations", ()))],
        best=numbers["best"],
        budget=blocks["budget"],
        signals=numbers["signal"],
        environment=blocks["environment"],
        verdict=values.get("verdict", "not judged"),
        rule=values.get("rule", ""),
        stopped_early=values.get("stopped_early", False),
        usefulness=scores_in(values.get("usefulness")),
    )


def _blocks(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    blocks: dict[str, dict[str, Any]] = {block: {} for block in BLOCKS}
    for column, one in values.items():
        block, dot, key = column.partition(".")
        if dot:
            blocks[block][key] = one
    return blocks


def _settings_hash(asked: Asked) -> str:
    """A hash of all settings but the seed: equal for the runs of a group alone, whichever versions made them."""
    return _hash_of(asked, settings_of(asked))


def _hash_of(asked: Asked, settings: list[tuple[str, str]]) -> str:
    text = json.dumps([[asked.choices[group] for group in GROUPS], asked.recorded_hash, *settings])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _as_entry(one: Measurement) -> dict[str, Any]:
    return {"fingerprint": one.fingerprint} | {key: getattr(one, key) for key in MEASURED}


def _from_entry(entry: dict[str, Any]) -> Measurement:
    numbers = [{key: as_number(one) for key, one in entry[block].items()} for block in MEASURED]
    return Measurement(entry["fingerprint"], *numbers)
