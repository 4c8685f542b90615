"""One run folder, as the report sees it: what was asked for, how it went, what came of it.

A damaged folder makes a run of state ``unreadable``. Nothing is instantiated: JSON, CSV and safe YAML are all it reads.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gan_lab.config.checks import hash_of, leaves
from gan_lab.report.statistics import Array
from gan_lab.runs import reader
from gan_lab.storage.files import BrokenRecord, foreign_in

SILENCE = 600.0
"""Seconds without a written byte after which a run that says it is running counts as killed."""

GROUPS = ("loss", "model", "dataset", "protocol")
"""The groups of configuration whose options a run is described by."""

Curve = tuple[Array, Array]
"""Iterations (or seconds), and the values there."""

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a run was asked for. ``choices`` has the option of each of `GROUPS`, or ``unknown``."""

    overrides: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    """By dotted key."""
    choices: dict[str, str] = field(default_factory=lambda: dict.fromkeys(GROUPS, "unknown"))
    seed: int = 0


@dataclass(frozen=True)
class Measurement:
    """Metric values, and the fingerprint of what else they depend on: only equal fingerprints can be compared."""

    fingerprint: dict[str, Any]
    metrics: dict[str, float]
    floor: dict[str, float]
    ceiling: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """What came of a run that is done; empty for all others. ``best`` has each metric's best value during training."""

    measurements: list[Measurement] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    budget: dict[str, float] = field(default_factory=dict)
    signals: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""
    rule: str = ""
    """Why the verdict was given."""


@dataclass(frozen=True)
class Run:
    """One run folder; ``name`` is its path below the folders that the report is on.

    ``state`` is ``done``, ``diverged``, ``failed``, ``interrupted``, ``killed`` (says running, but nothing has been
    written for `SILENCE`), ``running`` or ``unreadable``.
    """

    path: Path
    name: str
    state: str
    reason: str
    iteration: int = 0
    started: str = ""
    asked: Asked = field(default_factory=Asked)
    outcome: Outcome = field(default_factory=Outcome)
    curves: dict[str, Curve] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        return self.asked.seed

    @property
    def dataset(self) -> str:
        return self.asked.choices["dataset"]

    @property
    def done(self) -> bool:
        return self.state == "done"

    @property
    def lost(self) -> bool:
        """Whether the run ended without a result. An interrupted run can be resumed, so it is not lost."""
        return self.state in ("diverged", "failed", "killed")

    @property
    def verdict(self) -> str:
        return self.outcome.verdict if self.done else self.state

    @property
    def picture(self) -> Path:
        return self.path / "samples" / "final.png"


def read_run(path: Path, name: str) -> Run:
    """Read the run in a folder, whatever state it is in."""
    if foreign := foreign_in(path):
        return Run(path, name, "unreadable", foreign.removeprefix(f"{path}/"))
    hydra = path / ".hydra"
    words = _attempt(reader.read_overrides, hydra / "overrides.yaml")[0] or []
    overrides = {key.lstrip("+~"): value for key, _, value in (word.partition("=") for word in words)}
    nested = _attempt(reader.read_settings, hydra / "config.yaml")[0] or {}
    status, reason = _attempt(reader.read_status, path / "status.json")
    state, result = "unreadable", None
    if status:
        state, reason = _state(path, status)
    if state == "done":
        result, problem = _attempt(reader.read_result, path / "result.json")
        if problem := problem or _foreign(result or {}, nested, hydra / "config.yaml"):
            state, reason, result = "unreadable", problem, None
    config = _flat(nested)
    seed = str(result["seed"] if result else config.get("seed", overrides.get("seed", 0)))
    choices = {key: str(result[key]) for key in GROUPS} if result else _choices(hydra / "hydra.yaml", overrides)
    return Run(
        path,
        name,
        state,
        reason,
        iteration=status["iteration"] if status else 0,
        started=status["started"] or "" if status else "",
        asked=Asked(overrides, config, choices, int(seed) if seed.isdecimal() else 0),
        outcome=_outcome(result) if result else Outcome(),
        curves=_curves(path / "metrics.csv", "metric/") | _curves(path / "times.csv", "time/train_seconds"),
    )


def _attempt(read: Callable[[Path], T], file: Path) -> tuple[T | None, str]:
    """What a reader makes of a file, or the reason why it is broken."""
    try:
        return read(file), ""
    except BrokenRecord as error:
        return None, str(error).replace(str(file), file.name, 1)


def _state(path: Path, status: dict[str, Any]) -> tuple[str, str]:
    """The state of a run whose status could be read, and the reason for it."""
    state, reason = status["state"], _last_line(status["error"])
    if state == "running":
        written = [path / name for name in ("status.json", "metrics.csv")]
        quiet = time.time() - max(file.stat().st_mtime for file in written if file.exists())
        if quiet <= SILENCE:
            return state, f"still running: last wrote {_ago(quiet)} ago"
        return "killed", f"says running, but nothing has been written for {_ago(quiet)}: it was killed without a word"
    if state in ("diverged", "failed", "interrupted"):
        return state, reason or "no error was recorded"
    return (state, reason) if state == "done" else ("unreadable", reason or f"status.json: there is no state '{state}'")


def _foreign(result: dict[str, Any], config: dict[str, Any], file: Path) -> str:
    """Why the configuration beside a result is not that of its run, or nothing.

    A configuration with interpolations is not checked: what they resolved to is not known here.
    """
    if not config:
        return ".hydra/config.yaml cannot be read as a configuration" if file.exists() else ""
    if any("${" in str(value) for _, value in leaves(config)):
        return ""
    try:
        found = hash_of(config)
    except TypeError:  # YAML has keys and values, such as dates, that no configuration has
        found = "unknown"
    known = result.get("config_hash")
    if found == known:
        return ""
    return f".hydra/config.yaml is not this run's: its hash is {found}, and in result.json {known}"


def _outcome(result: dict[str, Any]) -> Outcome:
    best = _numbers({name: entry.get("value") for name, entry in result["best"].items() if isinstance(entry, dict)})
    # of several evaluations with one fingerprint the newest counts; the first is the run's own
    measured = (result, *result["evaluations"])
    newest = {json.dumps(entry["fingerprint"], sort_keys=True): entry for entry in measured}
    return Outcome(
        measurements=[_measurement(entry) for entry in newest.values()],
        best={name: value for name, value in best.items() if math.isfinite(value)},
        budget=result["budget"],
        signals=_numbers(result["signals"]),
        environment=result["environment"],
        verdict=str(result["verdict"].get("verdict") or "not judged"),
        rule=str(result["verdict"].get("rule", "")),
    )


def _measurement(entry: dict[str, Any]) -> Measurement:
    metrics, floor, ceiling = (_numbers(entry.get(key)) for key in ("metrics", "floor", "ceiling"))
    return Measurement(_flat(entry["fingerprint"]), metrics, floor, ceiling)


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    return dict(leaves(value)) if value else {}


def _numbers(value: Any) -> dict[str, float]:
    """The numbers in a mapping; null and infinite ones are NaN: measured, but without a value."""
    return {str(name): reader.as_number(entry) for name, entry in (value.items() if isinstance(value, dict) else ())}


def _choices(file: Path, overrides: dict[str, str]) -> dict[str, str]:
    """The options of groups as Hydra recorded them: a run without a result says them nowhere else."""
    node: Any = _attempt(reader.read_settings, file)[0]
    for key in ("hydra", "runtime", "choices"):
        node = node.get(key) if isinstance(node, dict) else None
    chosen = node if isinstance(node, dict) else {}
    return {key: str(chosen.get(key, overrides.get(key, "unknown"))) for key in GROUPS}


def _curves(file: Path, prefix: str) -> dict[str, Curve]:
    """The curves whose names begin so, by iteration, without values that are not finite."""
    curves = {}
    read, _ = _attempt(lambda file: reader.read_curves(file, prefix), file)
    for name, points in (read or {}).items():
        x, y = np.array(sorted(points.items()), dtype=np.float64).T
        good = (np.abs(x) <= reader.LARGEST) & (np.abs(y) <= reader.LARGEST)  # False for NaN
        if good.any():
            curves[name] = (x[good], y[good])
    return curves


def _last_line(text: str | None) -> str:
    """The last line of a text, such as a traceback; empty for no text."""
    return ((text or "").strip().splitlines() or [""])[-1].strip()


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
