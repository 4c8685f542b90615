"""The files of run folders, read without trust: JSON, safe YAML and curves, whole, torn, or another's."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_lab.storage import files

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

LARGEST = 1e100
"""Beyond it no value of a metric is compared: up to here squares can be summed."""


def read_json(file: Path) -> tuple[dict[str, Any], str]:
    """The file's mapping, or what is wrong with it."""
    try:
        text = file.read_text()
        value = json.loads(text)
        if "\\ud" in text.lower():  # perhaps half a character, which no page could hold
            value = json.loads(plain(json.dumps(value, ensure_ascii=False)))
    except FileNotFoundError:
        return {}, f"{file.name} is missing"
    except (OSError, ValueError) as error:
        return {}, f"{file.name} cannot be read: {last_line(str(error))}"
    except RecursionError:
        return {}, f"{file.name} cannot be read: it is nested too deeply"
    return (value, "") if isinstance(value, dict) else ({}, f"{file.name} holds no mapping")


def read_yaml(file: Path) -> dict[str, Any]:
    """The file's mapping; a run may lack it: its result says the most, and what varied is then told from the rest."""
    value = _loaded(file)
    return value if isinstance(value, dict) else {}


def _loaded(file: Path) -> Any:
    """What a YAML file holds, or None if it is none of ours."""
    try:
        return files.read_yaml(file)
    except files.BrokenRecord:
        return None


def read_overrides(file: Path) -> dict[str, str]:
    """``key: value`` of a job's overrides."""
    lines = _loaded(file)
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


def numbers(value: Any) -> dict[str, float]:
    """The numbers of a mapping; one that is null or not finite is NaN: measured, with nothing to show for it."""
    return {str(name): number(entry) for name, entry in (value.items() if isinstance(value, dict) else ())}


def number(value: Any) -> float:
    """A number of at most `LARGEST`, or NaN."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return float(value) if known else math.nan


def plain(text: str) -> str:
    """Text without halves of characters, as names of files and JSON may hold, and no other file can."""
    return text.encode(errors="replace").decode()


def read_curves(file: Path, prefix: str) -> dict[str, Curve]:
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
        good = (np.abs(x) <= LARGEST) & (np.abs(y) <= LARGEST)  # nor is a NaN
        curves[name] = (x[good], y[good])
    return {name: curve for name, curve in curves.items() if len(curve[0])}


def last_line(text: Any) -> str:
    """The last line of a text, such as a traceback's; of nothing, nothing."""
    lines = str(text).strip().splitlines() if text else []
    return lines[-1].strip() if lines else ""
