"""Values out of records: made harmless to read, compared exactly, written as on a command line or in a file's cell."""

import json
import math
import re
from typing import Any

from gan_lab.errors import shown

ABSENT = "(absent)"
"""How a key that a configuration does not have is written."""

_DEEPEST = 50  # levels of nesting that gan-lab's own records stay far below
_LARGEST = 10**400  # whole numbers of thousands of digits cannot be printed
# texts that would be read as something else: numbers, words, containers, and the empty text
_READ_AS_OTHER = re.compile(
    r"([-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf|nan)|null|true|false|[\[{'\"(].*|)$", re.I
)
# texts that are JSON in a cell of a results.csv; the signs begin what a spreadsheet takes for a formula
_JSON = re.compile(
    r"(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?|inf|infinity|nan|null|true|false|[\[{'\"=+\-@\s].*|", re.I | re.S
)
_EXACT = json.JSONEncoder(sort_keys=True, default=repr)
_FOLDERS = re.compile(r"(?<![\w.…/])/(?:[^\s/'\",:;()]+/)+")


def harmless(value: Any) -> Any:
    """The value with every text in it, keys too, as `gan_lab.errors.shown` makes it."""
    if isinstance(value, dict):
        return {shown(key): harmless(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [harmless(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float) else shown(value)


def fault(value: Any) -> str:
    """Why a value is none that gan-lab records, or an empty string: such can crash what walks through it."""
    level = [value]
    for _ in range(_DEEPEST):
        if any(isinstance(entry, int) and abs(entry) >= _LARGEST for entry in level):
            return "it holds a number of hundreds of digits"
        level = [inner for entry in level for inner in _within(entry)]
        if not level:
            return ""
    return "it is nested too deeply"


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def exact(value: Any) -> str:
    """A text that is equal for equal values alone: nothing is rounded. 10 and 10.0 are equal, 1 and true are not."""
    return _EXACT.encode(_whole(value))


def _whole(value: Any) -> Any:
    """The value with numbers such as 10.0 as whole numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(entry) for entry in value]
    return {str(key): _whole(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def written(value: Any) -> str:
    """The value as a user would write it on the command line, on one line: ``[0.5,0.999]``, ``1e-5``, ``null``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{shown(key)}:{written(entry)}' for key, entry in value.items())}}}"
    text = shown(value)
    return f"'{text}'" if _READ_AS_OTHER.match(text) else text


def _number(value: float) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        value = int(value)
    mantissa, exponent, power = str(value).partition("e")
    return f"{mantissa}e{int(power)}" if exponent else mantissa


def cell(value: Any) -> str:
    """The value in a cell of a results.csv. Paths lose their folders; a number that is not finite becomes null."""
    value = _without_folders(value)
    return value if isinstance(value, str) and not _JSON.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def value_of(text: str) -> Any:
    """The value in such a cell; a ValueError if it begins like JSON and is none."""
    if text.lower() in ("true", "false", "null"):  # spreadsheets write TRUE
        text = text.lower()
    return json.loads(text) if _JSON.fullmatch(text) else text


def _without_folders(value: Any) -> Any:
    if isinstance(value, str):
        return _FOLDERS.sub("…/", value)
    if isinstance(value, dict):
        return {key: _without_folders(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_folders(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def together(older: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Two evaluations with one fingerprint, which may have measured different metrics."""
    parts = ("metrics", "floor", "ceiling", "sampling")
    both = [key for key in parts if isinstance(older.get(key), dict) and isinstance(newer.get(key), dict)]
    return {**older, **newer, **{key: {**older[key], **newer[key]} for key in both}}
