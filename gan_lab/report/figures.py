"""A board's figures, as matplotlib objects."""

import math

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gan_lab.report import statistics
from gan_lab.report.axis_figure import axis_figure
from gan_lab.report.canvas import (
    FAINT,
    GRID,
    MARKERS,
    PAPER,
    TOGETHER,
    canvas,
    colour,
    legend,
    line_style,
    metric_label,
    reference,
    scale,
    short,
    styled,
    upright,
)
from gan_lab.report.leaderboard import Board
from gan_lab.report.learning_curves import GroupCurve, group_curves
from gan_lab.report.overfitting import CAPTION, overfitting
from gan_lab.report.statistics import Array

CAPTIONS = {
    "ranking": "Final {metric} by group: mean (marker), 95 % interval (bar), every seed (circles).",
    "curves_iterations": "{metric} against iterations: mean over seeds, with its pointwise 95 % interval or, below "
    "three seeds, each seed. Dotted lines that end in × are lost runs.",
    "curves_seconds": "{metric} against seconds of training, evaluation not counted.",
    "axis": "{metric} along the swept number: mean, 95 % interval (band), every seed. A line holds groups that differ "
    "in this number alone.",
    "overfitting": CAPTION,
    "best_of_budget": "The expected best {metric} of so many seeds: what trying again buys. A lost run counts as the "
    "worst finished one.",
}

_PANELS = 24  # the most panels
_BARS = 60  # the most groups in the ranking's figure; the tables have all


def figures(board: Board) -> dict[str, Figure]:
    """The board's figures by name."""
    made: dict[str, Figure] = {}
    if any(row.values[board.primary] for row in board.rows):
        made["ranking"] = _ranking(board)
    drawn = [figure for keys in board.axes.numeric() if (figure := axis_figure(board, keys))]
    made |= {f"axis_{number}" if number > 1 else "axis": figure for number, figure in enumerate(drawn, 1)}
    for clock in ("iterations", "seconds")[: 1 if len(board.machines) > 1 else 2]:
        if not board.again and (curves := group_curves(board, clock, _PANELS)):
            made[f"curves_{clock}"] = _curves(board, curves, clock)
    if known_by_heart := overfitting(board):
        made["overfitting"] = known_by_heart
    if "ranking" in made:
        made["best_of_budget"] = _best_of_budget(board)
    return made


def caption(name: str, board: Board) -> str:
    """What a figure of `figures` shows."""
    return CAPTIONS["axis" if name.startswith("axis") else name].format(metric=board.title)


def _ranking(board: Board) -> Figure:
    """Mean and interval of every group, its seeds as dots, the floor as a line; the best on top."""
    with styled():
        rows = board.rows[:_BARS]
        figure, (panel,) = canvas(1.0 + 0.34 * len(rows))
        everything = [value for row in rows for value in row.finals(board.primary)]
        means = [found for row in rows if (found := board.mean(row, board.primary))]
        scale(panel, "x", everything, [end for found in means for end in found.interval or ()])
        for place, row in enumerate(rows):
            values = row.finals(board.primary)
            if not values:
                panel.text(
                    0.01, place, "no finished run", color=FAINT, va="center", transform=panel.get_yaxis_transform()
                )
                continue
            estimate = board.mean(row, board.primary)
            assert estimate is not None  # as there are values
            shade = colour(row.colour)
            if estimate.interval:
                panel.plot(estimate.interval, [place, place], color=shade, lw=1.8, solid_capstyle="butt")
            panel.plot(values, [place] * len(values), "o", ms=5, mfc=PAPER, mec=shade, mew=1)
            panel.plot([estimate.value], [place], MARKERS[row.colour % len(MARKERS)], ms=8.5, color=shade, mec=PAPER)
        reference(panel, board, "v")
        panel.set_yticks(range(len(rows)), [upright(row.label) for row in rows])
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
        panel.set_xlabel(metric_label(board))
        return figure


def _curves(board: Board, curves: list[GroupCurve], clock: str) -> Figure:
    with styled():
        alone = len(curves) > TOGETHER
        columns = 3 if alone else 1
        rows = math.ceil(len(curves) / columns) if alone else 1
        figure, panels = canvas(0.5 + 1.35 * rows if alone else 3.5, rows, columns)
        for panel in panels[len(curves) :] if alone else []:
            panel.set_visible(False)
        for place, curve in enumerate(curves):
            panel = panels[place if alone else 0]
            if alone:
                for other in curves:
                    panel.plot(other.x, other.mean, _form(other.x), ms=3, color=GRID, lw=0.9)
                panel.set_title(short(curve.row.label, 24), loc="left", fontsize=8.5)
            _draw(panel, curve, board.bounds(board.primary))
        everything = [float(v) for curve in curves for v in curve.mean]
        for panel in panels:
            scale(panel, "y", everything)
        label = "iterations" if clock == "iterations" else "seconds of training"
        if alone:
            figure.supxlabel(label, fontsize=9.5)
            figure.supylabel(metric_label(board), fontsize=9.5)
        else:
            reference(panels[0], board, "h")
            panels[0].set_xlabel(label)
            panels[0].set_ylabel(upright(board.title, f"({board.direction})"))
            legend(figure, panels[0])
        return figure


def _draw(panel: Panel, curve: GroupCurve, bounds: tuple[float, float]) -> None:
    shade = colour(curve.row.colour)
    if curve.low is not None and curve.high is not None:
        panel.fill_between(curve.x, *np.clip((curve.low, curve.high), *bounds), color=shade, alpha=0.11, lw=0)
    else:
        for x, y in curve.seeds:
            panel.plot(x, y, _form(x), ms=3, color=shade, lw=0.7, alpha=0.5)
    for x, y in curve.lost:
        panel.plot(x, y, ":", color=shade, lw=1)
        panel.plot(x[-1:], y[-1:], "x", color=shade, ms=6)
    every = max(1, len(curve.x) // 8)
    panel.plot(curve.x, curve.mean, **line_style(curve.row.colour), lw=1.9, label=curve.row.label, markevery=every)


def _form(x: Array) -> str:
    """How matplotlib draws a curve: a line, or a dot for a single point, of which a line would show nothing."""
    return "o" if len(x) == 1 else "-"


def _best_of_budget(board: Board) -> Figure:
    """The expected best of k seeds: what trying more of them buys."""
    with styled():
        figure, (panel,) = canvas(3.5)
        shown = [row for row in board.rows if row.values[board.primary]][: 2 * TOGETHER]
        sign = -1.0 if board.higher else 1.0
        worst = max(v for row in shown for v in board.losses(row) if math.isfinite(v))
        everything: list[float] = []
        for row in shown:
            # a lost run counts as the worst value that any run finished with
            values = [v if math.isfinite(v) else worst for v in board.losses(row)]
            best: Array = sign * statistics.best_of_budget(values)
            everything += best.tolist()
            panel.plot(range(1, len(best) + 1), best, **line_style(row.colour), lw=1.7, label=row.label)
        scale(panel, "y", everything)
        panel.set_xlim(0.8, max(len(board.losses(row)) for row in shown) + 0.2)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.set_xlabel("seeds tried")
        panel.set_ylabel(upright("expected best", board.title))
        reference(panel, board, "h")
        legend(figure, panel)
        return figure
