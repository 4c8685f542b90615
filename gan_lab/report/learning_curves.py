"""Curves of a group: the mean over its seeds along training, with a band."""

from dataclasses import dataclass

import numpy as np

from gan_lab.report import statistics
from gan_lab.report.collect import Run
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.statistics import Array
from gan_lab.runs.reader import Curve

_POINTS = 50  # of a curve: enough for the eye, and an interval is bootstrapped at each


@dataclass(frozen=True)
class GroupCurve:
    """``mean`` over finished seeds at ``x``; ``low`` and ``high`` are its pointwise 95 % interval, or None."""

    row: Row
    x: Array
    mean: Array
    low: Array | None
    high: Array | None
    seeds: list[Curve]
    """Each finished seed's own curve."""
    lost: list[Curve]
    """The curves of lost runs, up to where they end."""


def group_curves(board: Board, clock: str, most: int) -> list[GroupCurve]:
    """The primary metric's curves of the groups that have any.

    Args:
        clock: ``iterations`` or ``seconds`` (of training).
        most: groups, the best ones.
    """
    made: list[GroupCurve] = []
    for row in board.rows:
        seeds = [pair for run in row.finished if (pair := _curves(run, board.primary, clock))]
        lost = [pair[1] for run in row.lost if (pair := _curves(run, board.primary, clock))]
        if seeds and len(made) < most:
            made.append(_average(row, seeds, lost))
    return made


def _average(row: Row, pairs: list[tuple[Curve, Curve]], lost: list[Curve]) -> GroupCurve:
    """The mean over seeds at every iteration that they share, put at the mean of their clocks there.

    Were it taken at every second instead, it would end with the fastest seed, and before the slower ones' final values.
    """
    seeds = [curve for _, curve in pairs]
    places = [place for (place, _), _ in pairs]
    if all(np.array_equal(places[0], place) for place in places):
        chosen = np.unique(np.linspace(0, len(places[0]) - 1, min(_POINTS, len(places[0]))).round().astype(int))
        values = np.stack([y[chosen] for _, y in seeds])
        grid = np.mean([x[chosen] for x, _ in seeds], axis=0)
    else:  # some ran for longer, as in equal seconds
        grid = _grid(seeds)
        values = np.stack([np.interp(grid, x, y) for x, y in seeds])
    mean = values.mean(0)
    ends = [statistics.mean_interval(column) for column in values.T]
    if any(end is None for end in ends):
        return GroupCurve(row, grid, mean, None, None, seeds, lost)
    low, high = np.array([end for end in ends if end is not None]).T
    return GroupCurve(row, grid, mean, low, high, seeds, lost)


def _grid(seeds: list[Curve]) -> Array:
    """Even steps over the range that all seeds cover."""
    start, end = max(x[0] for x, _ in seeds), min(x[-1] for x, _ in seeds)
    return np.linspace(start, max(start, end), min(_POINTS, max(len(x) for x, _ in seeds)))


def _curves(run: Run, metric: str, clock: str) -> tuple[Curve, Curve] | None:
    """The metric against iterations, and against the clock."""
    curve = run.curves.get(f"metric/{metric}")
    if curve is None or clock == "iterations":
        return curve and (curve, curve)
    iterations, values = curve
    if "time/train_seconds" in run.curves:
        when, seconds = run.curves["time/train_seconds"]
        # training starts at zero: the points before the first that was written lie on the line from there
        return curve, (np.interp(iterations, np.append(0.0, when), np.append(0.0, seconds)), values)
    budget = run.result.get("budget")
    if budget is None:  # lost, and without a clock
        return None
    return curve, (iterations * (budget["train_seconds"] / budget["iterations"]), values)
