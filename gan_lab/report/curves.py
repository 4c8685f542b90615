"""Curves of a group: the mean over its seeds along training, with a band."""

from dataclasses import dataclass

import numpy as np

from gan_lab.report import statistics
from gan_lab.report.comparison import Board, Row
from gan_lab.report.reading import Curve, Run
from gan_lab.report.statistics import Array

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


def group_curves(board: Board, clock: str) -> list[GroupCurve]:
    """The primary metric's curves of every group that has any.

    Args:
        clock: ``iterations`` or ``seconds`` (of training).
    """
    made = []
    for row in board.rows:
        seeds = [curve for run in row.finished if (curve := _curve(run, board.primary, clock))]
        lost = [curve for run in row.lost if (curve := _curve(run, board.primary, clock))]
        if seeds:
            made.append(_average(row, seeds, lost))
    return made


def _average(row: Row, seeds: list[Curve], lost: list[Curve]) -> GroupCurve:
    grid = _grid(seeds)
    values = np.stack([np.interp(grid, x, y) for x, y in seeds])
    mean = values.mean(0)
    ends = [statistics.mean_interval(column) for column in values.T]
    if any(end is None for end in ends):
        return GroupCurve(row, grid, mean, None, None, seeds, lost)
    low, high = np.array([end for end in ends if end is not None]).T
    return GroupCurve(row, grid, mean, low, high, seeds, lost)


def _grid(seeds: list[Curve]) -> Array:
    """The seeds' own points where they share them, or else even steps over the range that all of them cover."""
    first = seeds[0][0]
    if len(first) <= _POINTS and all(np.array_equal(first, x) for x, _ in seeds):
        return first
    start, end = max(x[0] for x, _ in seeds), min(x[-1] for x, _ in seeds)
    return np.linspace(start, max(start, end), min(_POINTS, max(len(x) for x, _ in seeds)))


def _curve(run: Run, metric: str, clock: str) -> Curve | None:
    curve = run.curves.get(f"metric/{metric}")
    if curve is None or clock == "iterations":
        return curve
    iterations, values = curve
    if "time/train_seconds" in run.curves:
        when, seconds = run.curves["time/train_seconds"]
        # training starts at zero: the points before the first that was written lie on the line from there
        return np.interp(iterations, np.append(0.0, when), np.append(0.0, seconds)), values
    budget = run.result.get("budget")
    if budget is None:  # lost, and without a clock
        return None
    return iterations * (budget["train_seconds"] / budget["iterations"]), values
