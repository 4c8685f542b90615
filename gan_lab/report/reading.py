"""Reads a run folder for the report. Nothing is instantiated: JSON, CSV and safe YAML are all it reads.

A damaged folder makes a run of state ``unreadable``; what the report can do without makes a `Gap`. Foreign text is made
harmless here, and only here.
"""

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from gan_lab.config.hashing import BESIDE, hash_of
from gan_lab.config.leaves import leaves
from gan_lab.config.published import fault_of
from gan_lab.errors import shown
from gan_lab.report.formatting import ago
from gan_lab.report.run import GROUPS, SILENCE, UNKNOWN, Asked, Curve, Gap, Measurement, Outcome, Published, Run
from gan_lab.report.usefulness import scores_in
from gan_lab.report.values import exact, fault, harmless, together
from gan_lab.runs import reader
from gan_lab.runs.status import at_work
from gan_lab.storage.files import BrokenRecord, foreign_in
from gan_lab.validation import is_whole

_CLOCK = "time/train_seconds"
_OF_RUN = ("metric/", "overfitting/")  # the curves that are drawn

T = TypeVar("T")


class _Settings(NamedTuple):
    """What `.hydra` of a run holds: the configuration, the options of groups, the keys that were named."""

    config: dict[str, Any]
    choices: dict[str, str]
    named: frozenset[str]


def read_run(path: Path, name: str) -> Run:
    """Read the run in a folder, whatever state it is in."""
    if foreign := foreign_to(path):
        return Run(path, name, "unreadable", foreign)
    gaps: list[Gap] = []
    status, reason = _record(reader.read_status, path / "status.json")
    state, reason = _state(path, status) if status else ("unreadable", reason)
    if not any(os.path.lexists(path / record) for record in ("status.json", "result.json")):
        state, reason = "waiting", "has not begun, or was killed before it could record anything"
    settings, problem = _settings(path / ".hydra", gaps)
    if problem:  # a group takes in only what is known to be of it
        told = f"{problem} (its state is {state})" if status else f"{problem}; {reason}"
        return Run(path, name, "unreadable", shown(told), iteration=status["iteration"] if status else 0)
    result = None
    if state == "done":
        result, problem = _record(reader.read_result, path / "result.json")
    problem = problem or _foreign(result or status or {}, settings.config, "result.json" if result else "status.json")
    seed = result["seed"] if result else settings.config.get("seed")
    if not (is_whole(seed) and seed >= 0):
        problem, seed = problem or ".hydra/config.yaml: 'seed' is missing or of the wrong kind", 0
    if problem:
        state, reason, result = "unreadable", problem, None
    recorded_hash = (result or status or {}).get("config_hash") if _interpolated(settings.config) else ""
    asked = replace(_asked(settings, result, seed, gaps), recorded_hash=shown(recorded_hash))
    outcome = _outcome(result, gaps) if result else Outcome()
    curves = {}
    if status and status["iteration"]:  # before its first iteration a run has written none
        curves = _curves(path / "metrics.csv", _OF_RUN, gaps, bool(result))
    if curves:
        curves |= _curves(path / "times.csv", (_CLOCK,), gaps, bool(result))
        if _CLOCK not in curves:
            gaps.append(Gap("times.csv tells no seconds; figures spread those of the budget evenly, or go without"))
    if os.path.lexists(picture := path / "samples" / "final.png") and not os.path.isfile(picture):
        gaps.append(Gap("samples/final.png is no file, so no picture is shown"))
    return Run(
        path,
        name,
        state,
        shown(reason),
        iteration=status["iteration"] if status else 0,
        started=shown(status["started"] or "") if status else "",
        asked=asked,
        outcome=outcome,
        curves=curves,
        gaps=tuple(gaps),
    )


def foreign_to(path: Path) -> str:
    """What in a folder leads out of it, or cannot be followed; an empty string for nothing."""
    try:
        return shown(foreign_in(path).removeprefix(f"{path}/"))
    except RecursionError:
        return "folders are nested too deeply in it"
    except (OSError, RuntimeError) as error:  # a link that leads to itself, a folder that cannot be opened
        return f"it cannot be read: {shown(str(error).replace(f'{path}/', ''))}"


def _attempt(read: Callable[[Path], T], file: Path) -> tuple[T | None, str]:
    """What a reader makes of a file, or the reason why it is broken."""
    try:
        return read(file), ""
    except BrokenRecord as error:
        return None, str(error).replace(str(file), file.name, 1)
    except OSError as error:  # a folder that cannot be entered
        return None, f"{file.name} cannot be read: {error.strerror}"


def _record(read: Callable[[Path], T], file: Path) -> tuple[T | None, str]:
    """The same for JSON and YAML, whose values may be such as no record of gan-lab holds."""
    found, problem = _attempt(read, file)
    problem = problem or (f"{file.name} cannot be read: {odd}" if (odd := fault(found)) else "")
    return (None if problem else found), problem


def _settings(hydra: Path, gaps: list[Gap]) -> tuple[_Settings, str]:
    """The settings in a run's `.hydra`, and why the configuration cannot be read, or an empty string."""
    config, problem = _record(reader.read_config, hydra / "config.yaml")
    if not config:
        missing = not os.path.lexists(hydra / "config.yaml")
        said = "is missing" if missing else f"cannot be read as a configuration: {problem or 'it is empty'}"
        return _Settings({}, {}, frozenset()), f".hydra/config.yaml {said}"
    words, problem = _attempt(reader.read_overrides, hydra / "overrides.yaml")
    if problem:
        gaps.append(Gap("overrides.yaml cannot be read; only the names of groups may suffer"))
    choices, problem = _attempt(_choices, hydra / "hydra.yaml")
    if problem:
        gaps.append(Gap("hydra.yaml cannot be read; the options of groups come from elsewhere, as far as they can"))
    if _interpolated(config):
        gaps.append(Gap("the configuration holds ${...}, whose values are not recorded; groups take the text"))
    named = frozenset(shown(word.partition("=")[0].lstrip("+~")) for word in words or [])
    return _Settings(config, choices or {}, named), ""


def _choices(file: Path) -> dict[str, str]:
    """The options of groups as Hydra recorded them."""
    node: Any = reader.read_settings(file)
    for key in ("hydra", "runtime", "choices"):
        node = node.get(key) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise BrokenRecord(f"{file}: it records no choices")
    if problem := fault(node):
        raise BrokenRecord(f"{file}: {problem}")
    return {shown(key): shown(option) for key, option in node.items() if isinstance(option, str)}


def _asked(settings: _Settings, result: dict[str, Any] | None, seed: int, gaps: list[Gap]) -> Asked:
    choices = dict.fromkeys(GROUPS, UNKNOWN) | settings.choices
    if result:
        measured = {key: shown(result[key]) for key in GROUPS}
        # early results do not tell the protocol
        measured = {key: option for key, option in measured.items() if option != UNKNOWN}
        if any(choices[key] not in (UNKNOWN, option) for key, option in measured.items()):
            gaps.append(Gap("hydra.yaml names other options than result.json, which counts"))
        choices |= measured
    config, exactly = {}, {}
    for key, value in leaves(settings.config):
        if key.partition(".")[0] in BESIDE or value == {}:  # an empty block is as good as none
            continue
        config[shown(key)] = harmless(value)
        exactly[shown(key)] = exact(value if shown(key) == key else [key, value])
    return Asked(config, exactly, choices, settings.named, seed, _published(settings.config, gaps))


def _published(config: dict[str, Any], gaps: list[Gap]) -> tuple[Published, ...]:
    """The entries of ``published`` in a run's configuration; those that are none make a gap."""
    entries = config.get("published", [])
    listed = entries if isinstance(entries, list) else [entries]
    good = [harmless(entry) for entry in listed if not fault_of(entry)]
    if len(good) < len(listed):
        gaps.append(Gap("published figures of the configuration cannot be read and are not shown"))
    return tuple(Published(one["metric"], float(one["value"]), one["source"], one["protocol"]) for one in good)


def _state(path: Path, status: dict[str, Any]) -> tuple[str, str]:
    """The state of a run whose status could be read, and the reason for it."""
    state, reason = status["state"], _last_line(status["error"])
    if state == "running":
        files = filter(os.path.exists, (path / "status.json", path / "metrics.csv"))
        quiet = time.time() - max(map(os.path.getmtime, files))
        if quiet <= SILENCE or at_work(path):
            return state, f"still running: last wrote {ago(quiet)} ago"
        return "killed", f"says running, but nothing has been written for {ago(quiet)}: it was killed without a word"
    if state in ("diverged", "failed", "interrupted"):
        return state, reason or "no error was recorded"
    return (state, reason) if state == "done" else ("unreadable", reason or f"status.json: there is no state '{state}'")


def _foreign(record: dict[str, Any], config: dict[str, Any], file: str) -> str:
    """Why a configuration is not that of the run beside it, or nothing.

    A configuration with interpolations is not checked: what they resolved to is not known here.
    """
    known = record.get("config_hash")
    if _interpolated(config) or (known is None and "budget" not in record):
        return ""
    try:
        found = hash_of(config)
    except (TypeError, ValueError):  # YAML has keys and values, such as dates, that no configuration has
        found = "unknown"
    if found != known:
        return f".hydra/config.yaml is not this run's: its hash is {found}, and in {file} {known}"
    if "budget" in record and record["seed"] != config.get("seed"):
        return f"result.json: 'seed' is {record['seed']}, and in .hydra/config.yaml {config.get('seed')}"
    return ""


def _interpolated(config: dict[str, Any]) -> bool:
    return any("${" in str(value) for _, value in leaves(config))


def _outcome(result: dict[str, Any], gaps: list[Gap]) -> Outcome:
    result = harmless(result)
    best = _numbers({name: entry.get("value") for name, entry in result["best"].items() if isinstance(entry, dict)})
    best = {name: value for name, value in best.items() if math.isfinite(value)}
    if unread := [name for name in result["best"] if name not in best]:
        gaps.append(Gap("best values of result.json cannot be read and are left out of means", ", ".join(unread)))
    # of several evaluations with one fingerprint the newest value of each metric counts; the first is the run's own
    measured = (result, *result["evaluations"])
    if isinstance(best_weights := result.get("selected"), dict) and best_weights.get("metrics"):
        chosen = {"selected": f"best {best_weights.get('metric')} on validation samples"}
        measured += ({**result, "fingerprint": result["fingerprint"] | chosen, "metrics": best_weights["metrics"]},)
    newest: dict[str, dict[str, Any]] = {}
    for entry in measured:
        known = json.dumps(entry["fingerprint"], sort_keys=True)
        newest[known] = together(newest.get(known, {}), entry)
    for key in ("floor", "ceiling"):
        values = [value for entry in newest.values() for value in _numbers(entry.get(key)).values()]
        if not all(map(math.isfinite, values)) or not all(isinstance(entry.get(key, {}), dict) for entry in measured):
            gaps.append(Gap(f"{key} values of result.json cannot be read and are not shown"))
    if any(math.isnan(value) for value in _numbers(result["signals"]).values()):
        gaps.append(Gap("signals of result.json cannot be read and are not shown"))
    return Outcome(
        measurements=[_measurement(entry, _sampling(result, key)) for key, entry in newest.items()],
        best=best,
        budget=result["budget"],
        signals=_numbers(result["signals"]),
        # how many runs shared their seconds, of those that trained together, and what was compiled
        environment=result["environment"] | {key: result[key] for key in ("stacked", "compile") if key in result},
        verdict=shown(result["verdict"].get("verdict") or "not judged"),
        rule=shown(result["verdict"].get("rule", "")),
        stopped_early=bool(result.get("stopped_early")),
        usefulness=scores_in(result.get("usefulness")),
    )


def _sampling(result: dict[str, Any], fingerprint: str) -> dict[str, float]:
    """The sampling errors that were measured with a fingerprint; none of what is not gan-lab's."""
    entries = result.get("sampling")
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and json.dumps(entry.get("fingerprint"), sort_keys=True) == fingerprint:
            return {name: value for name, value in _numbers(entry.get("std")).items() if math.isfinite(value)}
    return {}


def _measurement(entry: dict[str, Any], sampling: dict[str, float]) -> Measurement:
    metrics, floor, ceiling = (_numbers(entry.get(key)) for key in ("metrics", "floor", "ceiling"))
    fingerprint = dict(leaves(entry["fingerprint"])) if entry["fingerprint"] else {}
    return Measurement(fingerprint, metrics, floor, ceiling, sampling)


def _numbers(value: Any) -> dict[str, float]:
    """The numbers in a mapping; null and infinite ones are NaN: measured, but without a value."""
    return {str(name): reader.as_number(entry) for name, entry in (value.items() if isinstance(value, dict) else ())}


def _curves(file: Path, prefixes: Sequence[str], gaps: list[Gap], done: bool) -> dict[str, Curve]:
    """The curves whose names begin so, by iteration, without values that are not finite: lost runs end with such."""
    curves = {}
    odd = 0
    read, problem = _attempt(lambda file: reader.read_curves(file, *prefixes), file)
    malformed, _ = _attempt(reader.malformed_rows, file)
    if malformed:
        gaps.append(Gap(f"rows of {file.name} are malformed and left out of the figures", _rows(malformed)))
    for name, points in (read or {}).items():
        x, y = np.array(sorted(points.items()), dtype=np.float64).T
        good = (np.abs(x) <= reader.LARGEST) & (np.abs(y) <= reader.LARGEST)  # False for NaN
        odd += len(good) - good.sum()
        if good.any():
            curves[shown(name)] = (x[good], y[good])
    if problem or not os.path.isfile(file):
        gaps.append(Gap(f"{file.name} is missing or cannot be read; figures go without it"))
    elif done and prefixes == _OF_RUN and not any(name.startswith("metric/") for name in curves):
        gaps.append(Gap(f"{file.name} holds no curve of a metric; figures go without it"))
    if done and odd:
        gaps.append(Gap(f"values of {file.name} are not finite and left out of the figures", _rows(odd)))
    return curves


def _rows(many: int) -> str:
    return f"{many:,} row{'' if many == 1 else 's'}"


def _last_line(text: str | None) -> str:
    """The last line of a text, such as a traceback; empty for no text."""
    return ((text or "").strip().splitlines() or [""])[-1].strip()
