"""Figures that others published for a run's setting, beside the run's own. Nothing says that they are one quantity."""

from dataclasses import dataclass
from typing import Any

from gan_lab.metric_names import title
from gan_lab.report.formatting import estimate, plain
from gan_lab.report.leaderboard import Board, Row


@dataclass
class Beside:
    """A published figure and ours, in words."""

    group: Row
    metric: str
    value: str
    protocol: str
    source: str
    ours: str
    """The mean over the group's seeds with its interval, or that it was not measured."""
    measured: str
    """How ours was measured."""


def beside(board: Board) -> list[Beside]:
    """Every figure that a group's runs name, each once, with the group's value of that metric.

    What the runs ended with is told of every figure. A later evaluation tells only of those that it measured.
    """
    made = []
    for row in board.rows:
        for figure in dict.fromkeys(one for run in row.runs for one in run.asked.published):
            mean = board.mean(row, figure.metric) if figure.metric in board.metrics else None
            if mean is None and board.again:
                continue
            ours = estimate(mean) if mean else "not measured"
            published = f"{figure.value:,.6g}"  # as it was: three digits of 16.95 are 16.9
            words = (title(figure.metric), published, figure.protocol, figure.source)
            made.append(Beside(row, *words, ours, _measured(board.fingerprint) if mean else "–"))
    return made


def _measured(fingerprint: dict[str, Any]) -> str:
    """The gist of a fingerprint, in words."""
    counts = [plain(fingerprint.get(key)) for key in ("samples", "reference_samples")]
    of = " of the moving average" if fingerprint.get("ema") is True else ""
    return f"{counts[0]} samples{of} against {counts[1]} held-out ones, features by {fingerprint.get('extractor')}"
