"""How long training takes to a given quality, beside how far it comes in the end."""

import math
from dataclasses import dataclass
from statistics import median

import numpy as np

from gan_lab.report.formatting import number
from gan_lab.report.leaderboard import Board, Row, one_mode
from gan_lab.report.run import Run

UNITS = {"iterations": "iterations", "real_images": "real samples", "train_seconds": "training seconds"}
_FEWEST_POINTS = 3  # of a curve: with fewer it is not known when a run got there


@dataclass(frozen=True)
class Reached:
    """A group's time to a quality, in words; runs that never reach it count as later than any other."""

    group: Row
    runs: str
    """How many of its runs reach it."""
    times: list[str]
    """The median over all its runs in each unit, with the range of those that reach it."""


@dataclass(frozen=True)
class TimeToQuality:
    """Of all groups of a board with curves."""

    quality: float
    whose: str
    """What the quality is, in words."""
    units: list[str]
    rows: list[Reached]
    spacing: str
    """How far apart the points of the curves are, in iterations."""


def time_to_quality(board: Board, quality: float | None) -> TimeToQuality | None:
    """When runs first have a value of the primary metric as good as a quality, at a point of their curves.

    Args:
        board: the board.
        quality: the value; None for the final mean of the group that is second best.

    Returns:
        None unless two groups have curves of three or more points.
    """
    curved = [row for row in board.rows if _curved(board, row)]
    finished = [row for row in board.ranked if row.finals(board.primary)]
    if board.again or len(curved) < 2 or len(finished) < 2:
        return None
    whose = "as asked for"
    if quality is None:
        second = finished[1]
        quality = float(np.mean(second.finals(board.primary)))
        whose = f"the final mean of {second.label}"
    units = list(UNITS)
    if len(board.machines) > 1 or not one_mode(board.rows):
        units.remove("train_seconds")
    rows = [_reached(board, row, quality, units) for row in curved]
    apart = sorted({float(gap) for row in curved for run in _curved(board, row) for gap in _gaps(board, run)})
    spacing = number(apart[0]) if len(apart) == 1 else f"{number(apart[0])} to {number(apart[-1])}"
    return TimeToQuality(quality, whose, [UNITS[unit] for unit in units], rows, spacing)


def first_reached(board: Board, run: Run, quality: float) -> float:
    """The first iteration at which a run's curve is as good as the quality; infinite if none is."""
    curve = run.curves.get(f"metric/{board.primary}")
    if curve is None:  # a run that was lost before its first evaluation
        return math.inf
    iterations, values = curve
    good = values >= quality if board.higher else values <= quality
    return float(iterations[np.argmax(good)]) if good.any() else math.inf


def _curved(board: Board, row: Row) -> list[Run]:
    """The row's finished runs that have a curve of three points or more."""
    name = f"metric/{board.primary}"
    return [run for run in row.finished if name in run.curves and len(run.curves[name][0]) >= _FEWEST_POINTS]


def _gaps(board: Board, run: Run) -> list[float]:
    return list(np.diff(run.curves[f"metric/{board.primary}"][0]))


def _reached(board: Board, row: Row, quality: float, units: list[str]) -> Reached:
    runs = [*_curved(board, row), *row.lost]
    found = [first_reached(board, run, quality) for run in runs]
    good = sum(map(math.isfinite, found))
    times = [
        _summary([_spent(run, iteration, unit) for run, iteration in zip(runs, found, strict=True)]) for unit in units
    ]
    return Reached(row, f"{good} of {len(runs)}", times)


def _spent(run: Run, iteration: float, unit: str) -> float | None:
    """What a run had spent at an iteration; infinite if it never got there, None if that is not known."""
    if unit == "iterations" or math.isinf(iteration):
        return iteration
    if unit == "train_seconds" and "time/train_seconds" in run.curves:
        when, seconds = run.curves["time/train_seconds"]
        return float(np.interp(iteration, np.append(0.0, when), np.append(0.0, seconds)))
    budget = run.outcome.budget
    return iteration * budget[unit] / budget["iterations"] if budget and budget["iterations"] else None


def _summary(spent: list[float | None]) -> str:
    """The median of all runs, and the range of those that got there; a dash where that of a run is not known."""
    known = [value for value in spent if value is not None]
    reached = [value for value in known if math.isfinite(value)]
    if len(known) < len(spent):
        return "–"
    if not reached:
        return "not reached"
    middle = median(known)
    share = "half" if 2 * len(reached) == len(known) else "most"
    told = number(middle) if math.isfinite(middle) else f"not reached by {share}"
    return told if min(reached) == max(reached) else f"{told} ({number(min(reached))}–{number(max(reached))})"
