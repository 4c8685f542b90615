"""Reads the records of a run folder: status, result, curves, settings, overrides.

Every function raises BrokenRecord for a file that gan-lab did not write. The report lists such a run as unreadable;
the other commands stop with the sentence. The report reads with these functions, so they must not import torch.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gan_lab.config.encoder import complete_encoder
from gan_lab.storage.files import BrokenRecord, read_json, read_yaml
from gan_lab.validation import is_number

LARGEST = 1e100
"""The largest number that a record may hold: squares of larger ones cannot be summed."""

HEADER = b"iteration,name,value\n"
"""The first line of a file of curves."""

_SCHEMA = 1  # of result.json
BUDGET = ("iterations", "discriminator_updates", "generator_updates", "real_images", "train_seconds")

_STATUS: dict[str, Any] = {"state": str, "iteration": int}
_STATUS |= dict.fromkeys(("config_hash", "error", "started", "ended"), str | None)
_RESULT = {"budget": dict, "metrics": dict, "loss": str, "model": str, "dataset": str, "seed": int}
_LATER = {"protocol": str, "evaluations": list}  # early results lack these keys, and these dictionaries
_LATER |= dict.fromkeys(("environment", "fingerprint", "floor", "ceiling", "best", "verdict", "signals"), dict)
_EVALUATION = {"fingerprint": dict, "metrics": dict}
_NUMBER = rb"-?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf)|nan"  # as repr writes a float


class Point(NamedTuple):
    """One row of a file of curves."""

    iteration: int
    name: str
    value: float
    row: bytes


def read_status(file: Path) -> dict[str, Any]:
    """The content of status.json."""
    return _checked(file, dict.fromkeys(_STATUS) | read_json(file), _STATUS)


def read_result(file: Path) -> dict[str, Any]:
    """The content of result.json. Its metrics are numbers or null; keys that early results lack are added, empty."""
    result = read_json(file)
    if result.get("schema", _SCHEMA) != _SCHEMA:
        raise BrokenRecord(f"{file}: schema {result['schema']} is not one this version reads ({_SCHEMA})")
    result |= {key: kind() for key, kind in _LATER.items() if key not in result and key != "protocol"}
    result.setdefault("protocol", "unknown")
    _checked(file, result, _RESULT | _LATER)
    budget = _checked(file, result["budget"], dict.fromkeys(BUDGET, int) | {"train_seconds": int | float})
    if short := [key for key in BUDGET if not budget[key] >= (key == "iterations")]:
        raise _wrong(file, short[0])
    if result["seed"] < 0:
        raise _wrong(file, "seed")
    if not result["metrics"]:
        raise BrokenRecord(f"{file}: it holds no metric")
    for entry in (result, *result["evaluations"]):
        metrics = _checked(file, entry, _EVALUATION)["metrics"]
        _checked(file, metrics, dict.fromkeys(metrics, int | float | None))
    return result


def read_points(file: Path, *prefixes: str) -> list[Point]:
    """The rows of metrics.csv or times.csv whose names begin with one of the prefixes, or all; none of no file.

    Only whole rows count: a killed run may have left half of one.
    """
    found = _rows(_content(file), *prefixes)
    return [Point(int(one[1]), one[2].decode(errors="replace"), float(one[3]), one[0]) for one in found]


def malformed_rows(file: Path) -> int:
    """How many lines of metrics.csv or times.csv `read_points` passes over although they are whole; 0 if no file.

    Neither the header counts nor a last line without its end, which a killed run leaves.
    """
    content = _content(file)
    headers = content.startswith(HEADER)
    return content.count(b"\n") - headers - sum(1 for _ in _rows(content))


def read_curves(file: Path, *prefixes: str) -> dict[str, dict[int, float]]:
    """The curves of `read_points`: by name, each value by its iteration."""
    curves: dict[str, dict[int, float]] = {}
    for point in read_points(file, *prefixes):
        curves.setdefault(point.name, {})[point.iteration] = point.value
    return curves


def read_settings(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    settings = read_yaml(file)
    if not isinstance(settings, dict):
        raise BrokenRecord(f"{file}: it is a {type(settings).__name__}: expected a mapping of keys")
    return settings


def read_config(file: Path) -> dict[str, Any]:
    """The configuration in a run's ``.hydra/config.yaml``, with what checking it adds."""
    config = read_settings(file)
    complete_encoder(config)
    return config


def read_overrides(file: Path) -> list[str]:
    """The overrides of a run's command line."""
    words = read_yaml(file)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BrokenRecord(f"{file}: expected a list of overrides, key=value")
    return words


def as_number(value: Any) -> float:
    """A number of at most `LARGEST` as a float; NaN for anything else."""
    return float(value) if is_number(value) and abs(value) <= LARGEST else math.nan


def _content(file: Path) -> bytes:
    """The bytes of a file of curves; none if there is no file."""
    try:
        return file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise BrokenRecord(f"{file} cannot be read: {error.strerror}") from error


def _rows(content: bytes, *prefixes: str) -> Iterator[re.Match[bytes]]:
    """The whole rows whose names begin with one of the prefixes, or all: iteration, name, value."""
    begin = b"|".join(re.escape(prefix.encode()) for prefix in prefixes)
    row = rb"^(\d{1,18}),((?:%b)[^,\0\n]*),(%b)\n" % (begin, _NUMBER)
    return re.finditer(row, content, re.MULTILINE)


def _checked(file: Path, record: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    """The record, if each key holds its kind of value; no kind includes booleans or numbers beyond `LARGEST`."""
    for key, kind in kinds.items():
        value = record.get(key) if isinstance(record, dict) else ...
        too_large = isinstance(value, int | float) and LARGEST < abs(value) < math.inf
        if not isinstance(value, kind) or isinstance(value, bool) or too_large:
            raise _wrong(file, key)
    return record


def _wrong(file: Path, key: str) -> BrokenRecord:
    return BrokenRecord(f"{file}: '{key}' is missing or of the wrong kind")
