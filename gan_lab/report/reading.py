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

import numpy as np
import yaml
from numpy.typing import NDArray

from gan_lab.files import link_out

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

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
    curves: dict[str, Curve] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.state == "done"

    @property
    def lost(self) -> bool:
        """Whether training itself came to nothing; what was stopped or killed from outside says nothing of its loss."""
        return self.state in ("diverged", "failed")

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


def read(folders: list[Path]) -> Sweep:
    """Read every run at or below the folders; a run that lies in several of them counts once."""
    sweep = Sweep(folders, [], [])
    seen: set[Path] = set()
    base = Path(os.path.commonpath([folder.resolve() for folder in folders]))
    for folder in folders:
        runs, foreign, closed = _walk(folder.resolve())
        for path in runs:
            if path not in seen:
                seen.add(path)
                name = str(path.relative_to(base)) if path != base else path.name
                sweep.runs.append(_read_run(path, name))
        for path in foreign:
            sweep.skipped.append(
                Skipped(str(path.relative_to(base)), "not a run folder: no status.json in or below it")
            )
        sweep.skipped += [Skipped(str(error.filename), f"cannot be opened: {error.strerror}") for error in closed]
    sweep.runs.sort(key=lambda run: run.name)
    _drop_repetitions(sweep)
    return sweep


def _walk(folder: Path) -> tuple[list[Path], list[Path], list[OSError]]:
    """Run folders at or below a folder, the topmost folders that hold none, and what could not be opened."""
    runs: list[Path] = []
    closed: list[OSError] = []
    for path, below, files in os.walk(folder, onerror=closed.append):
        # a job that was killed before it began has left but what Hydra wrote
        if "status.json" in files or "result.json" in files or os.path.exists(f"{path}/.hydra/overrides.yaml"):
            runs.append(Path(path))
            below.clear()
        below[:] = sorted(name for name in below if not name.startswith("."))
    inside = {parent for run in runs for parent in (run, *run.parents)}
    foreign: list[Path] = []
    for parent in sorted(path for path in inside if path not in set(runs) and path.is_relative_to(folder)):
        for child in sorted(parent.iterdir()):
            is_report = (child / "report.md").exists() and (child / "table.csv").exists()
            if child.is_dir() and child not in inside and not child.name.startswith(".") and not is_report:
                foreign.append(child)
    return runs, foreign, closed


def _read_run(path: Path, name: str) -> Run:
    if link := link_out(path):
        reason = f"{link.relative_to(path)}: a link out of the folder of the run"
        return Run(path, name, "unreadable", reason, {}, {}, dict.fromkeys(_CHOICES, "unknown"), 0, 0, "")
    status, problem = _json(path / "status.json")
    overrides = _overrides(path / ".hydra" / "overrides.yaml")
    config = flatten(_yaml(path / ".hydra" / "config.yaml"))
    state = str(status.get("state", "unreadable"))
    reason = _last_line(status.get("error")) or problem
    run = Run(path, name, state, reason, overrides, config, {}, 0, 0, str(status.get("started") or ""))
    run.iteration = status["iteration"] if isinstance(status.get("iteration"), int) else 0
    if state == "done":
        _add_result(run)
    elif state == "running":
        _look_alive(run)
    elif state not in ("diverged", "failed", "interrupted"):
        run.state, run.reason = "unreadable", reason or f"status.json: there is no state '{state}'"
    elif not run.reason:
        run.reason = "it left no word"
    if not run.choices:
        run.choices = _choices(run)
    seed = run.result.get("seed", config.get("seed", overrides.get("seed", 0)))
    run.seed = int(seed) if str(seed).isdigit() else 0
    run.curves = _curves(path / "metrics.csv", "metric/") | _curves(path / "times.csv", "time/train_seconds")
    return run


def _add_result(run: Run) -> None:
    result, problem = _json(run.path / "result.json")
    problem = problem or _wrong(result)
    if problem:
        run.state, run.reason = "unreadable", problem
        return
    for key in _LISTED:
        result[key] = result[key] if isinstance(result.get(key), dict) else {}
    result.setdefault("protocol", "unknown")
    run.result = result
    run.choices = {key: str(result[key]) for key in _CHOICES}
    # evaluated again later: the newest of equal fingerprints counts, the first is that of the run itself
    later = result.get("evaluations")
    measured = [entry for entry in (result, *(later if isinstance(later, list) else [])) if isinstance(entry, dict)]
    newest = {json.dumps(entry.get("fingerprint"), sort_keys=True): entry for entry in measured}
    run.measurements = [
        Measurement(
            flatten(entry.get("fingerprint") or {}),
            _numbers(entry.get("metrics")),
            _numbers(entry.get("floor")),
            _numbers(entry.get("ceiling")),
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
    if missing := [key for key in _BUDGET if not isinstance(result["budget"].get(key), int | float)]:
        return f"result.json: the budget lacks {', '.join(missing)}"
    if not _numbers(result["metrics"]):
        return "result.json: it holds no metric"
    return ""


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
    hydra = _yaml(run.path / ".hydra" / "hydra.yaml").get("hydra")
    runtime = hydra.get("runtime") if isinstance(hydra, dict) else None
    chosen = runtime.get("choices") if isinstance(runtime, dict) else None
    chosen = chosen if isinstance(chosen, dict) else {}
    return {key: str(chosen.get(key, run.overrides.get(key, "unknown"))) for key in _CHOICES}


def _json(file: Path) -> tuple[dict[str, Any], str]:
    """The file's mapping, or what is wrong with it."""
    try:
        value = json.loads(file.read_text())
    except FileNotFoundError:
        return {}, f"{file.name} is missing"
    except (OSError, ValueError) as error:
        return {}, f"{file.name} cannot be read: {_last_line(str(error))}"
    return (value, "") if isinstance(value, dict) else ({}, f"{file.name} holds no mapping")


def _yaml(file: Path) -> dict[str, Any]:
    try:
        value = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # a run may lack it: its result says the most, and what varied is then told from the rest
    return value if isinstance(value, dict) else {}


def _overrides(file: Path) -> dict[str, str]:
    """``key: value`` of a job's overrides."""
    try:
        lines = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    words = [str(line) for line in lines] if isinstance(lines, list) else []
    return {key.lstrip("+~"): value for key, _, value in (word.partition("=") for word in words)}


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys; lists are values."""
    flat: dict[str, Any] = {}
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            flat |= flatten(entry, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = entry
    return flat


def _numbers(value: Any) -> dict[str, float]:
    """The numbers of a mapping; one that is null or not finite is NaN: measured, with nothing to show for it."""
    entries = value.items() if isinstance(value, dict) else ()
    return {
        str(name): float(number) if isinstance(number, int | float) and math.isfinite(number) else math.nan
        for name, number in entries
    }


def _curves(file: Path, prefix: str) -> dict[str, Curve]:
    """The curves whose names begin so; of all others, losses and norms, TensorBoard is the place."""
    points: dict[str, list[tuple[float, float]]] = {}
    try:
        text = file.read_text()
    except (OSError, ValueError):
        return {}
    for line in text[: text.rfind("\n") + 1].splitlines():  # a killed run may have left half a line
        if f",{prefix}" in line:
            try:
                iteration, name, value = line.split(",")
                points.setdefault(name, []).append((float(iteration), float(value)))
            except ValueError:
                continue  # a torn line; its neighbours tell the curve
    curves: dict[str, Curve] = {}
    for name, pairs in points.items():
        x, y = np.array(list(dict(sorted(pairs)).items()), dtype=np.float64).T
        good = np.isfinite(y)
        curves[name] = (x[good], y[good])
    return {name: curve for name, curve in curves.items() if len(curve[0])}


def _last_line(text: Any) -> str:
    lines = str(text).strip().splitlines() if text else []
    return lines[-1].strip() if lines else ""
