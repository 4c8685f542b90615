"""The metric along a swept number, such as a penalty's weight: a line for each remaining setting."""

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gan_lab.report.canvas import canvas, colour, legend, line_style, reference, scale, short, styled, upright
from gan_lab.report.formatting import number
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.statistics import Estimate

_DECADES = 20.0  # the ratio of numbers from which on their axis is logarithmic
_CLOSEST = 1 / 12  # of a linear axis: the least distance of two ticks

Line = list[tuple[float, Row]]
"""Numbers in order, each with the group that has it."""


def lines(board: Board, keys: list[str]) -> dict[str, Line]:
    """Groups that differ in one number alone, by what else they are called.

    Args:
        board: the board.
        keys: axes of numbers that mean the same, such as the weights of several penalties. Groups without any are left
            out; groups with several are in a line for each.

    Returns:
        The lines in order of their first groups' ranks; none unless one has two points.
    """
    found: dict[tuple[str, str], Line] = {}
    for row in board.rows:
        for key in keys:
            value = board.axes.number(row.place, key)
            if value is not None and row.values[board.primary]:
                found.setdefault((board.axes.rest(row.place, key), key), []).append((value, row))
    if not any(len(points) > 1 for points in found.values()):
        return {}
    names = [name for name, _ in found]
    told = {(name, key): name if names.count(name) == 1 else f"{name} · {key}".strip(" ·") for name, key in found}
    return {told[place]: sorted(points, key=lambda point: point[0]) for place, points in found.items()}


def axis_figure(board: Board, keys: list[str]) -> Figure | None:
    """The primary metric along axes of numbers: means, 95 % intervals as bands, seeds as dots."""
    drawn = lines(board, keys)
    if not drawn:
        return None
    with styled():
        figure, (panel,) = canvas(3.4)
        for index, (label, points) in enumerate(drawn.items()):
            _draw(panel, board, index, label, points)
        _mark(panel, sorted({value for points in drawn.values() for value, _ in points}))
        finals = [v for points in drawn.values() for _, row in points for v in row.finals(board.primary)]
        intervals = [e.interval for points in drawn.values() for e in _estimates(board, points) if e.interval]
        scale(panel, "y", finals + [low for low, _ in intervals if low <= 0])  # 0 is on no logarithmic axis
        reference(panel, board, "h")
        panel.set_xlabel(short(keys[0] if len(keys) == 1 else keys[0].rpartition(".")[2], 60))
        panel.set_ylabel(upright(board.title, f"({board.direction})"))
        legend(figure, panel)
        return figure


def _mark(panel: Panel, numbers: list[float]) -> None:
    """The scale of swept numbers, in order, with ticks at them, unless their labels would touch."""
    positive = [value for value in numbers if value > 0]
    logarithmic = numbers[0] >= 0 and bool(positive) and positive[-1] >= _DECADES * positive[0]
    if logarithmic:
        spread = {"linthresh": positive[0]} if numbers[0] == 0 else {}
        panel.set_xscale("symlog" if spread else "log", **spread)
    elif min(np.diff(numbers), default=0.0) < _CLOSEST * (numbers[-1] - numbers[0]):
        panel.xaxis.set_major_locator(MaxNLocator(8, integer=all(value.is_integer() for value in numbers)))
        return
    marked = numbers[:: max(1, len(numbers) // 8)]
    panel.set_xticks(marked, [number(value) for value in marked])
    panel.set_xticks([], minor=True)


def _draw(panel: Panel, board: Board, index: int, label: str, points: Line) -> None:
    x = np.array([value for value, _ in points])
    estimates = _estimates(board, points)
    panel.plot(x, [e.value for e in estimates], **line_style(index), lw=1.9, label=label or None)
    if any(e.interval for e in estimates):
        ends = [e.interval or (e.value, e.value) for e in estimates]
        panel.fill_between(x, *np.array(ends).T, color=colour(index), alpha=0.18, lw=0)
        if len(points) == 1:  # a band has no width
            panel.vlines(x, *np.array(ends).T, color=colour(index), alpha=0.4, lw=4)
    for value, row in points:
        seeds = row.finals(board.primary)
        panel.plot([value] * len(seeds), seeds, "o", ms=3, color=colour(index), alpha=0.45, mew=0)


def _estimates(board: Board, points: Line) -> list[Estimate]:
    return [found for _, row in points if (found := board.mean(row, board.primary))]
