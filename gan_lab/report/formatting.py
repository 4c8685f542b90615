"""Numbers and lists as the report writes them."""

import math
from collections.abc import Sequence
from typing import Any

from gan_lab.report.statistics import Estimate


def number(value: float | None) -> str:
    """Three significant digits, thousands whole; whole numbers stay whole; a dash for None, NaN and infinity."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 0:
        return f"−{number(-value)}"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1000 <= value < 1e9:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-4 else f"{value:.1e}"


def interval(ends: tuple[float, float] | None) -> str:
    """``[low, high]``; empty for None."""
    return f"[{number(ends[0])}, {number(ends[1])}]" if ends else ""


def estimate(value: Estimate | None) -> str:
    """A value with its interval; a dash for None."""
    return f"{number(value.value)} {interval(value.interval)}".strip() if value else "–"


def plain(value: Any) -> str:
    """An entry of a record: numbers as `number` writes them, a dash for None."""
    return number(value) if value is None or isinstance(value, float) else str(value)


def percent(value: float) -> str:
    """A probability in per cent; 0 and 100 only for exact values."""
    if 0 < value < 0.005:
        return "<1 %"
    if 0.995 < value < 1:
        return ">99 %"
    return f"{100 * value:.0f} %"


def listed(words: Sequence[str], most: int = 8) -> str:
    """``a, b and c``; of more than ``most`` words the first, and how many more there are."""
    words = list(words)
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def ago(seconds: float) -> str:
    """How long ago, in the largest unit of which there are two."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
