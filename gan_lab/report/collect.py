"""Run folders, read: whatever state they are in, each run ends in the report or in its list of what was skipped.

Nothing is instantiated: JSON, CSV and safe YAML alone.
"""

import json
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lab.report.tuning import RECORD, Searched, read_search
from gan_lab.runs.configuration import hash_of
from gan_lab.runs.reader import (
    Curve,
    flatten,
    last_line,
    number,
    numbers,
    plain,
    read_curves,
    read_json,
    read_overrides,
    read_yaml,
)
from gan_lab.runs.sweep_folder import REPLICATES, TUNING
from gan_lab.storage.files import foreign_in

SILENCE = 600.0
"""Seconds without a written byte after which a run that says it is running is taken for killed."""

_CHOICES = ("loss", "model", "dataset", "protocol")
_REQUIRED: dict[str, type] = {"loss": str, "model": str, "dataset": str, "budget": dict, "metrics": dict}
_LISTED = ("environment", "fingerprint", "floor", "ceiling", "best", "verdict", "signals")
_BUDGET = ("iterations", "discriminator_updates", "generator_updates", "real_images", "train_seconds")


@dataclass(frozen=True)
class Measurement:
    """Metric values and what they depend on besides the model: values of one fingerprint can be compared."""

    fingerprint: dict[str, Any]
    metrics: dict[str, float]
    floor: dict[str, float]
    ceiling: dict[str, float]


@dataclass
class Run:
    """One run folder.

    ``state`` is ``done``, ``diverged``, ``failed``, ``interrupted``, ``killed`` (says running, but nothing has been
    written for `SILENCE`), ``running`` or ``unreadable``; ``result`` is there when it is ``done``.
    """

    path: Path
    name: str
    state: str
    reason: str
    overrides: dict[str, str]
    config: dict[str, Any]
    choices: dict[str, str]
    seed: int
    iteration: int
    started: str
    result: dict[str, Any] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    """By metric, the best value on the way."""
    curves: dict[str, Curve] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.state == "done"

    @property
    def lost(self) -> bool:
        """Whether the run ended and came to nothing, killed ones included; one that was interrupted can go on."""
        return self.state in ("diverged", "failed", "killed")

    @property
    def verdict(self) -> str:
        return str(self.result["verdict"].get("verdict") or "not judged") if self.done else self.state

    @property
    def picture(self) -> Path:
        return self.path / "samples" / "final.png"


@dataclass(frozen=True)
class Skipped:
    """A folder that is in no table, and why."""

    path: str
    reason: str


@dataclass
class Sweep:
    """Everything found under the folders that were named."""

    folders: list[Path]
    runs: list[Run]
    skipped: list[Skipped]
    searches: list[Searched] = field(default_factory=list)
    """Those that chose the settings of what is compared; their own runs are not among the others."""


def read(folders: list[Path]) -> Sweep:
    """Read every run at or below the folders; a run that lies in several of them counts once."""
    sweep = Sweep(folders, [], [])
    seen: set[Path] = set()
    base = Path(os.path.commonpath([folder.resolve() for folder in folders]))
    for folder in folders:
        runs, foreign, closed, tuned = _walk(folder.resolve())
        for path in runs:
            if path not in seen:
                seen.add(path)
                name = str(path.relative_to(base)) if path != base else path.name
                sweep.runs.append(_read_run(path, plain(name)))
        for path in foreign:
            sweep.skipped.append(
                Skipped(plain(str(path.relative_to(base))), "not a run folder: no status.json in or below it")
            )
        sweep.skipped += [
            Skipped(plain(str(error.filename)), f"cannot be opened: {error.strerror}") for error in closed
        ]
        for path in tuned:
            try:
                sweep.searches.append(read_search(path))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                sweep.skipped.append(Skipped(str(path / RECORD), f"is no record of a search: {last_line(str(error))}"))
    sweep.runs.sort(key=lambda run: run.name)
    _drop_repetitions(sweep)
    return sweep


def _walk(folder: Path) -> tuple[list[Path], list[Path], list[OSError], list[Path]]:
    """Run folders at or below a folder, the topmost that hold none, what could not be opened, and tuned sweeps."""
    runs: list[Path] = []
    closed: list[OSError] = []
    tuned = [folder.parent] if folder.name == REPLICATES and (folder.parent / RECORD).exists() else []
    for path, below, files in os.walk(folder, onerror=closed.append):
        # a job that was killed before it began has left but what Hydra wrote
        if "status.json" in files or "result.json" in files or os.path.exists(f"{path}/.hydra/overrides.yaml"):
            runs.append(Path(path))
            below.clear()
        if RECORD in files and TUNING in below:  # what was tuned is compared on fresh seeds alone
            below.remove(TUNING)
            tuned.append(Path(path))
        below[:] = sorted(name for name in below if not name.startswith("."))
    inside = {parent for run in runs for parent in (run, *run.parents)}
    foreign: list[Path] = []
    for parent in sorted(path for path in inside if path not in set(runs) and path.is_relative_to(folder)):
        for child in sorted(parent.iterdir()):
            is_report = (child / "report.md").exists() and (child / "table.csv").exists()
            told = is_report or (parent in tuned and child.name == TUNING)
            if child.is_dir() and child not in inside and not child.name.startswith(".") and not told:
                foreign.append(child)
    return runs, foreign, closed, tuned


def _read_run(path: Path, name: str) -> Run:
    if foreign := foreign_in(path):
        reason = foreign.removeprefix(f"{path}/")
        return Run(path, name, "unreadable", reason, {}, {}, dict.fromkeys(_CHOICES, "unknown"), 0, 0, "")
    status, problem = read_json(path / "status.json")
    overrides = read_overrides(path / ".hydra" / "overrides.yaml")
    asked = read_yaml(path / ".hydra" / "config.yaml")
    state = str(status.get("state", "unreadable"))
    reason = last_line(status.get("error")) or problem
    run = Run(path, name, state, reason, overrides, flatten(asked), {}, 0, 0, str(status.get("started") or ""))
    run.iteration = status["iteration"] if isinstance(status.get("iteration"), int) else 0
    if state == "done":
        _add_result(run, asked)
    elif state == "running":
        _look_alive(run)
    elif state not in ("diverged", "failed", "interrupted"):
        run.state, run.reason = "unreadable", reason or f"status.json: there is no state '{state}'"
    elif not run.reason:
        run.reason = "it left no word"
    if not run.choices:
        run.choices = _choices(run)
    seed = str(run.result.get("seed", run.config.get("seed", overrides.get("seed", 0))))
    run.seed = int(seed) if seed.isdecimal() else 0
    run.curves = read_curves(path / "metrics.csv", "metric/") | read_curves(path / "times.csv", "time/train_seconds")
    return run


def _add_result(run: Run, asked: dict[str, Any]) -> None:
    result, problem = read_json(run.path / "result.json")
    if not asked and (run.path / ".hydra" / "config.yaml").exists():
        problem = problem or ".hydra/config.yaml cannot be read as a configuration"
    problem = problem or _wrong(result) or _foreign(result, asked)
    if problem:
        run.state, run.reason = "unreadable", problem
        return
    for key in _LISTED:
        result[key] = result[key] if isinstance(result.get(key), dict) else {}
    result.setdefault("protocol", "unknown")
    result["signals"] = numbers(result["signals"])
    run.result = result
    run.choices = {key: str(result[key]) for key in _CHOICES}
    along = {name: number(entry.get("value")) for name, entry in result["best"].items() if isinstance(entry, dict)}
    run.best = {name: value for name, value in along.items() if math.isfinite(value)}
    # evaluated again later: the newest of equal fingerprints counts, the first is that of the run itself
    later = result.get("evaluations")
    again = [entry for entry in (later if isinstance(later, list) else []) if isinstance(entry, dict)]
    measured = [result, *(entry for entry in again if isinstance(entry.get("fingerprint"), dict))]
    newest = {json.dumps(entry.get("fingerprint"), sort_keys=True): entry for entry in measured}
    run.measurements = [
        Measurement(
            flatten(entry["fingerprint"]),
            numbers(entry.get("metrics")),
            numbers(entry.get("floor")),
            numbers(entry.get("ceiling")),
        )
        for entry in newest.values()
    ]


def _wrong(result: dict[str, Any]) -> str:
    """What keeps a result from being read, or nothing."""
    if result.get("schema") != 1:
        return f"result.json: schema {result.get('schema')} is not one this version reads (1)"
    for key, kind in _REQUIRED.items():
        if not isinstance(result.get(key), kind):
            return f"result.json: '{key}' is missing or of the wrong kind"
    if missing := [key for key in _BUDGET if not number(result["budget"].get(key)) >= 0]:
        return f"result.json: the budget lacks {', '.join(missing)}"
    if not result["budget"]["iterations"]:
        return "result.json: the budget has no iteration"
    seed = result.get("seed")
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        return f"result.json: the seed is {str(seed)[:40]!r}, and no whole number"
    if not result["metrics"]:
        return "result.json: it holds no metric"
    for name, value in result["metrics"].items():
        blank = value is None or (isinstance(value, float) and not math.isfinite(value))  # it counts as lost
        if not blank and math.isnan(number(value)):
            return f"result.json: the metric {name} is {str(value)[:40]!r}, and no number that can be compared"
    return ""


def _foreign(result: dict[str, Any], asked: dict[str, Any]) -> str:
    """Whether the configuration beside a result is another run's; what it interpolates is told elsewhere."""
    if not asked or any("${" in str(value) for value in flatten(asked).values()):
        return ""
    try:
        found = hash_of(asked)
    except TypeError:  # keys or values that no configuration of ours has
        found = "unknown"
    if found == result.get("config_hash"):
        return ""
    return f".hydra/config.yaml is not this run's: its hash is {found}, and in result.json {result.get('config_hash')}"


def _look_alive(run: Run) -> None:
    written = [run.path / name for name in ("status.json", "metrics.csv")]
    quiet = time.time() - max(file.stat().st_mtime for file in written if file.exists())
    if quiet > SILENCE:
        run.state = "killed"
        run.reason = f"says running, but nothing has been written for {_ago(quiet)}: it was killed without a word"
    else:
        run.reason = f"still running: last wrote {_ago(quiet)} ago"


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _drop_repetitions(sweep: Sweep) -> None:
    """Keep one of several runs of the same configuration: a done one, the newest. Copies are no further seeds."""
    kept: dict[str, Run] = {}
    for run in sorted(sweep.runs, key=lambda run: (run.done, run.started)):
        kept[_identity(run)] = run
    for run in sweep.runs:
        winner = kept[_identity(run)]
        if winner is not run:
            reason = f"the same configuration and seed as {winner.name}, which is {'newer' if run.done else 'done'}"
            sweep.skipped.append(Skipped(run.name, f"{reason if winner.done else 'as ' + winner.name}; {run.state}"))
    sweep.runs = [run for run in sweep.runs if kept[_identity(run)] is run]


def _identity(run: Run) -> str:
    asked = run.config or run.overrides
    return json.dumps([asked, run.choices, run.seed], sort_keys=True, default=str) if asked else run.name


def _choices(run: Run) -> dict[str, str]:
    """The options of groups as Hydra recorded them: all there is of a run that did not finish."""
    hydra = read_yaml(run.path / ".hydra" / "hydra.yaml").get("hydra")
    runtime = hydra.get("runtime") if isinstance(hydra, dict) else None
    chosen = runtime.get("choices") if isinstance(runtime, dict) else None
    chosen = chosen if isinstance(chosen, dict) else {}
    return {key: str(chosen.get(key, run.overrides.get(key, "unknown"))) for key in _CHOICES}
