"""How the report's figures look: colours, scales, legends. A group has one colour, marker and dashes in all of them."""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from textwrap import wrap
from typing import Any

import matplotlib
from matplotlib.axes import Axes as Panel
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from gan_lab.metric_names import floor_of
from gan_lab.report.formatting import number
from gan_lab.report.leaderboard import Board

# Okabe & Ito's colours without black and yellow, which vanish on a dark and on a light page
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# neutral colours by their role; in dark mode the page replaces them
INK, FAINT, GRID, PAPER = "#1c2127", "#69727d", "#e1e5ea", "#fdfdfe"
WIDTH = 6.4  # inches, for every figure
TOGETHER = 6  # groups drawn into one panel; more get a panel each


class Numbers(LogFormatter):
    """Labels the ticks of a logarithmic axis that matplotlib labels, with numbers as the tables have them."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return number(x) if super().__call__(x, pos) else ""


def colour(index: int) -> str:
    """A group's colour. From the seventh on they repeat, with other dashes and markers."""
    return COLOURS[index % len(COLOURS)]


def line_style(index: int) -> dict[str, Any]:
    """The look of a group's line."""
    dash = _DASHES[index // len(COLOURS) % len(_DASHES)]
    return {"color": colour(index), "ls": dash, "marker": MARKERS[index % len(MARKERS)], "ms": 4.5, "mec": PAPER}


def encode(figure: Figure, kind: str) -> bytes:
    """The figure as ``png`` or ``svg``; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "gan_lab"}):
        figure.savefig(buffer, format=kind, dpi=160, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


@contextmanager
def styled() -> Iterator[None]:
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


def canvas(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Panel]]:
    figure = Figure((WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=rows * columns > 1, sharey=rows * columns > 1)
    return figure, list(panels.flat)


def scale(panel: Panel, which: str, values: list[float], also: Sequence[float] = ()) -> None:
    """Limits from the values; logarithmic if they span more than a factor of 30, or if outliers would squeeze the rest.

    That is if half of the values lie in the lowest tenth of a span of more than a factor of 5. ``also``, such as the
    ends of intervals, widens the limits by at most a factor of three.
    """
    low, high = min(values), max(values)
    squeezed = high > 5 * low and median(values) < low + (high - low) / 10
    logarithmic = low > 0 and (high > 30 * low or squeezed)
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
    if logarithmic and ends[1] < 100 * ends[0]:  # powers of ten alone would be one tick or two
        axis = panel.xaxis if which == "x" else panel.yaxis
        axis.set_major_formatter(Numbers(minor_thresholds=(2, 0.5)))
        axis.set_minor_formatter(Numbers(minor_thresholds=(2, 0.5)))


def reference(panel: Panel, board: Board, way: str) -> None:
    """A line at the metric's floor. The axis grows to show it if it is near; a far one is not drawn."""
    floor = board.floor.get(board.primary, math.nan)
    if not math.isfinite(floor):
        return
    low, high = panel.get_xlim() if way == "v" else panel.get_ylim()
    logarithmic = (panel.get_xscale() if way == "v" else panel.get_yscale()) == "log"
    if logarithmic and low / (reach := (high / low) ** 0.5) <= floor <= high * reach:
        room = reach**0.1
        low, high = min(low, floor / room), max(high, floor * room)
        _ = panel.set_xlim(low, high) if way == "v" else panel.set_ylim(low, high)
    elif not logarithmic and low - (high - low) <= floor <= high + (high - low):
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
        figure.legend(handles, [short(label, 30) for label in labels], loc="outside lower center", fontsize=8.5,
                      ncols=columns)  # fmt: skip


def metric_label(board: Board) -> str:
    return f"{short(board.title, 40)} ({board.direction})"


def upright(*lines: str) -> str:
    """A label, in lines that the vertical axis of a panel of 3.4 inches holds, or the margin beside one."""
    return "\n".join(part for line in lines for part in wrap(short(line, 60), 34))


def short(text: str, most: int) -> str:
    """The text, cut in its middle: names of groups often differ in their ends alone, such as a penalty's weight."""
    end = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - end].rstrip()}…{text[-end:].lstrip()}"
