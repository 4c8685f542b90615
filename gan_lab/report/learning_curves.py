"""Learning curves of a group: the mean over its seeds during training, with an interval."""

from dataclasses import dataclass

import numpy as np

from gan_lab.report import statistics
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.run import Curve, Run
from gan_lab.report.statistics import Array

_POINTS = 50  # of a curve; an interval is bootstrapped at each


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


def group_curves(board: Board, clock: str, most: int, tag: str | None = None) -> list[GroupCurve]:
    """The curves of the groups that have any.

    Args:
        board: whose groups.
        clock: ``iterations`` or ``seconds`` (of training).
        most: the number of groups; the best are taken.
        tag: the curve's name, such as ``overfitting/share``; None for the primary metric's.
    """
    tag = tag or f"metric/{board.primary}"
    made: list[GroupCurve] = []
    for row in board.rows:
        seeds = [pair for run in row.finished if (pair := _curves(run, tag, clock))]
        lost = [pair[1] for run in row.lost if (pair := _curves(run, tag, clock))]
        if seeds and len(made) < most:
            made.append(_average(row, seeds, lost))
    return made


def _average(row: Row, pairs: list[tuple[Curve, Curve]], lost: list[Curve]) -> GroupCurve:
    """The mean over seeds at every iteration that they share, drawn at the mean of their clocks there.

    A mean at every second would end with the fastest seed, before the final values of the slower ones.
    """
    seeds = [curve for _, curve in pairs]
    places = [place for (place, _), _ in pairs]
    if all(np.array_equal(places[0], place) for place in places):
        chosen = np.unique(np.linspace(0, len(places[0]) - 1, min(_POINTS, len(places[0]))).round().astype(int))
        values = np.stack([y[chosen] for _, y in seeds])
        grid = np.mean([x[chosen] for x, _ in seeds], axis=0)
    else:  # the seeds have unequal iterations, as with a budget of seconds
        start, end = max(x[0] for x, _ in seeds), min(x[-1] for x, _ in seeds)
        grid = np.linspace(start, max(start, end), min(_POINTS, max(len(x) for x, _ in seeds)))
        values = np.stack([np.interp(grid, x, y) for x, y in seeds])
    mean = values.mean(0)
    ends = [statistics.mean_interval(column) for column in values.T]
    low, high = (None, None) if None in ends else np.array(ends, dtype=np.float64).T
    return GroupCurve(row, grid, mean, low, high, seeds, lost)


def _curves(run: Run, tag: str, clock: str) -> tuple[Curve, Curve] | None:
    """The curve against iterations, and against the clock."""
    curve = run.curves.get(tag)
    if curve is None or clock == "iterations":
        return curve and (curve, curve)
    iterations, values = curve
    if "time/train_seconds" in run.curves:
        when, seconds = run.curves["time/train_seconds"]
        # training starts at zero seconds: interpolate from there to the first point
        return curve, (np.interp(iterations, np.append(0.0, when), np.append(0.0, seconds)), values)
    budget = run.outcome.budget
    if not budget:  # a lost run without a clock
        return None
    return curve, (iterations * (budget["train_seconds"] / budget["iterations"]), values)
