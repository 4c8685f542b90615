"""The figures, as matplotlib objects. A group has one colour in all of them, and a marker and dashes of its own."""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import wrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gan_lab.metric_names import floor_of
from gan_lab.report import statistics
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.learning_curves import GroupCurve, group_curves
from gan_lab.report.statistics import Array

# Okabe & Ito's colours without black and yellow, which vanish on a dark and on a light page
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# neutral colours by their role; in dark mode the page replaces them
INK, FAINT, GRID, PAPER = "#1c2127", "#69727d", "#e1e5ea", "#fdfdfe"
TOGETHER = 6  # groups drawn into one panel; more get a panel each
_PANELS = 24  # the most panels
_BARS = 60  # the most groups in the ranking's figure; the tables have all
WIDTH = 6.4  # inches, for every figure


def colour(index: int) -> str:
    """A group's colour. From the seventh on they repeat, with other dashes and markers."""
    return COLOURS[index % len(COLOURS)]


def _line(index: int) -> dict[str, Any]:
    """The look of a group's line."""
    dash = _DASHES[index // len(COLOURS) % len(_DASHES)]
    return {"color": colour(index), "ls": dash, "marker": _MARKERS[index % len(_MARKERS)], "ms": 4.5, "mec": PAPER}


def figures(board: Board) -> dict[str, Figure]:
    """The board's figures by name."""
    made: dict[str, Figure] = {}
    if any(row.values[board.primary] for row in board.rows):
        made["ranking"] = _ranking(board)
    if (key := board.axes.numeric()) and (figure := _numeric(board, key)):
        made["axis"] = figure
    for clock in ("iterations", "seconds")[: 1 if len(board.machines) > 1 else 2]:
        if not board.again and (curves := group_curves(board, clock, _PANELS)):
            made[f"curves_{clock}"] = _curves(board, curves, clock)
    if "ranking" in made:
        made["best_of_budget"] = _best_of_budget(board)
    return made


def encode(figure: Figure, kind: str) -> bytes:
    """The figure as ``png`` or ``svg``; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "gan_lab"}):
        figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


@contextmanager
def style() -> Iterator[None]:
    with matplotlib.rc_context(
        {
            "font.family": "DejaVu Sans",  # shipped with matplotlib: the same everywhere
            "font.size": 9.5,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": FAINT,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlesize": 9.5,
            "axes.formatter.useoffset": False,
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "xtick.color": FAINT,
            "ytick.color": FAINT,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "figure.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "legend.frameon": False,
            "text.parse_math": False,  # a name may hold a dollar sign
        }
    ):
        yield


def _canvas(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Panel]]:
    figure = Figure((WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=rows * columns > 1, sharey=rows * columns > 1)
    return figure, list(panels.flat)


def _ranking(board: Board) -> Figure:
    """Mean and interval of every group, its seeds as dots, the floor as a line; the best on top."""
    with style():
        rows = board.rows[:_BARS]
        figure, (panel,) = _canvas(1.0 + 0.34 * len(rows))
        everything = [value for row in rows for value in row.finals(board.primary)]
        means = [found for row in rows if (found := board.mean(row, board.primary))]
        _scale(panel, "x", everything, [end for found in means for end in found.interval or ()])
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
            panel.plot([estimate.value], [place], _MARKERS[row.colour % len(_MARKERS)], ms=8.5, color=shade, mec=PAPER)
        _reference(panel, board, "v")
        panel.set_yticks(range(len(rows)), [_short(row.label, 34) for row in rows])
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.grid(axis="y", visible=False)
        panel.tick_params(axis="y", length=0)
        panel.set_xlabel(_metric(board))
        return figure


def _curves(board: Board, curves: list[GroupCurve], clock: str) -> Figure:
    with style():
        alone = len(curves) > TOGETHER
        columns = 3 if alone else 1
        rows = math.ceil(len(curves) / columns) if alone else 1
        figure, panels = _canvas(0.5 + 1.35 * rows if alone else 3.5, rows, columns)
        for panel in panels[len(curves) :] if alone else []:
            panel.set_visible(False)
        for place, curve in enumerate(curves):
            panel = panels[place if alone else 0]
            if alone:
                for other in curves:
                    panel.plot(other.x, other.mean, color=GRID, lw=0.9)
                panel.set_title(_short(curve.row.label, 24), loc="left", fontsize=8.5)
            _draw(panel, curve, board.bounds(board.primary))
        everything = [float(v) for curve in curves for v in curve.mean]
        for panel in panels:
            _scale(panel, "y", everything)
        label = "iterations" if clock == "iterations" else "seconds of training"
        if alone:
            figure.supxlabel(label, fontsize=9.5)
            figure.supylabel(_metric(board), fontsize=9.5)
        else:
            _reference(panels[0], board, "h")
            panels[0].set_xlabel(label)
            panels[0].set_ylabel(_upright(board.title, f"({board.direction})"))
            legend(figure, panels[0])
        return figure


def _draw(panel: Panel, curve: GroupCurve, bounds: tuple[float, float]) -> None:
    shade = colour(curve.row.colour)
    if curve.low is not None and curve.high is not None:
        panel.fill_between(curve.x, *np.clip((curve.low, curve.high), *bounds), color=shade, alpha=0.11, lw=0)
    else:
        for x, y in curve.seeds:
            panel.plot(x, y, color=shade, lw=0.7, alpha=0.5)
    for x, y in curve.lost:
        panel.plot(x, y, ":", color=shade, lw=1)
        panel.plot(x[-1:], y[-1:], "x", color=shade, ms=6)
    every = max(1, len(curve.x) // 8)
    panel.plot(curve.x, curve.mean, **_line(curve.row.colour), lw=1.9, label=curve.row.label, markevery=every)


def _numeric(board: Board, key: str) -> Figure | None:
    """The primary metric along an axis of numbers, with a line for each combination of the other axes.

    Groups that do not have the key are not in it.
    """
    lines: dict[str, list[tuple[float, Row]]] = {}
    for row in board.rows:
        value = board.axes.number(row.place, key)
        if value is not None and row.values[board.primary]:
            lines.setdefault(board.axes.rest(row.place, key), []).append((value, row))
    if not any(len(points) > 1 for points in lines.values()):
        return None
    with style():
        figure, (panel,) = _canvas(3.4)
        for index, (label, points) in enumerate(lines.items()):
            points.sort(key=lambda point: point[0])
            x = np.array([value for value, _ in points])
            estimates = [found for _, row in points if (found := board.mean(row, board.primary))]
            marker = _MARKERS[index % len(_MARKERS)]
            panel.plot(x, [e.value for e in estimates], marker=marker, color=colour(index), lw=1.9, label=label or None)
            ends = [e.interval or (e.value, e.value) for e in estimates]
            if any(e.interval for e in estimates):
                panel.fill_between(x, *np.array(ends).T, color=colour(index), alpha=0.18, lw=0)
            for value, row in points:
                seeds = row.finals(board.primary)
                panel.plot([value] * len(seeds), seeds, "o", ms=3, color=colour(index), alpha=0.45, mew=0)
        numbers = sorted(value for points in lines.values() for value, _ in points)
        if numbers[0] > 0 and numbers[-1] >= 20 * numbers[0]:
            panel.set_xscale("log")
        _scale(panel, "y", [v for row in board.rows for v in row.finals(board.primary)])
        _reference(panel, board, "h")
        panel.set_xlabel(_short(key, 60))
        panel.set_ylabel(_upright(board.title, f"({board.direction})"))
        legend(figure, panel)
        return figure


def _best_of_budget(board: Board) -> Figure:
    """The expected best of k seeds: what trying more of them buys."""
    with style():
        figure, (panel,) = _canvas(3.5)
        shown = [row for row in board.rows if row.values[board.primary]][: 2 * TOGETHER]
        sign = -1.0 if board.higher else 1.0
        worst = max(v for row in shown for v in board.losses(row) if math.isfinite(v))
        everything: list[float] = []
        for row in shown:
            # a lost run counts as the worst value that any run finished with
            values = [v if math.isfinite(v) else worst for v in board.losses(row)]
            best: Array = sign * statistics.best_of_budget(values)
            everything += best.tolist()
            panel.plot(range(1, len(best) + 1), best, **_line(row.colour), lw=1.7, label=row.label)
        _scale(panel, "y", everything)
        panel.set_xlim(0.8, max(len(board.losses(row)) for row in shown) + 0.2)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.set_xlabel("seeds tried")
        panel.set_ylabel(_upright("expected best", board.title))
        _reference(panel, board, "h")
        legend(figure, panel)
        return figure


def _scale(panel: Panel, which: str, values: list[float], also: Sequence[float] = ()) -> None:
    """Limits from the values; logarithmic if they span more than a factor of 30.

    ``also``, such as the ends of intervals, widens the limits by at most a factor of three.
    """
    low, high = min(values), max(values)
    logarithmic = low > 0 and high > 30 * low
    if logarithmic:
        reach = high / low
        low, high = max(low / reach, min([low, *(v for v in also if v > 0)])), min(high * reach, max([high, *also]))
    else:
        reach = high - low
        low, high = max(low - reach, min([low, *also])), min(high + reach, max([high, *also]))
    if logarithmic:
        room = (high / low) ** 0.08
        ends = (low / room, high * room)
    else:
        room = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
        ends = (low - room, high + room)
    panel.set(**{f"{which}scale": "log" if logarithmic else "linear", f"{which}lim": ends})


def _reference(panel: Panel, board: Board, way: str) -> None:
    """A line at the metric's floor. The axis grows to show it if it is near; a far one is not drawn."""
    floor = board.floor.get(board.primary, math.nan)
    if not math.isfinite(floor):
        return
    low, high = panel.get_xlim() if way == "v" else panel.get_ylim()
    logarithmic = (panel.get_xscale() if way == "v" else panel.get_yscale()) == "log"
    if not logarithmic and low - (high - low) <= floor <= high + (high - low):
        low, high = min(low, floor - 0.05 * (high - low)), max(high, floor + 0.05 * (high - low))
        _ = panel.set_xlim(low, high) if way == "v" else panel.set_ylim(low, high)
    if not low <= floor <= high:
        return
    line = panel.axvline if way == "v" else panel.axhline
    line(floor, color=FAINT, lw=1.1, dashes=(4, 3), zorder=1, label=floor_of(board.primary) if way == "h" else None)


def legend(figure: Figure, panel: Panel) -> None:
    handles, labels = panel.get_legend_handles_labels()
    if handles:
        letters = sum(min(len(label), 30) + 6 for label in labels)
        columns = len(labels) if letters < 80 else 3 if max(map(len, labels)) < 22 else 2
        figure.legend(handles, [_short(label, 30) for label in labels], loc="outside lower center", fontsize=8.5,
                      ncols=columns)  # fmt: skip


def _metric(board: Board) -> str:
    return f"{_short(board.title, 40)} ({board.direction})"


def _upright(*lines: str) -> str:
    """A vertical axis' label, in lines that a panel of 3.4 inches holds."""
    return "\n".join(part for line in lines for part in wrap(_short(line, 60), 34))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
