"""The same groups over several datasets: which is better overall."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from gan_lab.metric_names import title
from gan_lab.report import factors, groups, statistics
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.statistics import Estimate


@dataclass(frozen=True)
class Overall:
    """A group over all datasets."""

    row: Row
    """On the first dataset."""
    label: str
    """What the group is called in the comparison of all datasets."""
    ranks: list[float]
    """On each dataset, among the groups that all datasets have."""
    mean_rank: float
    against_first: Estimate | None
    """The probability that a run of the first group beats one of this, averaged over datasets; None for the first."""
    value: Estimate | None
    """The mean of the metric over datasets, if all are ranked by the same metric and all have a value."""


@dataclass(frozen=True)
class Across:
    """``groups`` by their mean rank, the best first."""

    datasets: list[str]
    metric: str
    """The title of the metric that all datasets are ranked by, or empty."""
    groups: list[Overall]


def across(boards: list[Board]) -> Across | None:
    """The comparison over datasets, or None unless two datasets have two groups in common.

    A group is the same on two datasets if it has the same value on each axis of all of them together. What follows from
    the dataset, such as its model, is no axis.
    """
    of_dataset: dict[str, Board] = {}
    for board in boards:
        if not board.again:
            of_dataset.setdefault(board.dataset, board)  # the largest is first
    chosen = list(of_dataset.values())
    runs = [run for board in chosen for row in board.rows for run in row.runs]
    names = factors.find(runs, *groups.places(runs), leading=("dataset",)).labels
    rows = [{names[row.place]: row for row in board.ranked} for board in chosen]
    labels = [label for label in rows[0] if all(label in of_board for of_board in rows)] if rows else []
    if len(chosen) < 2 or len(labels) < 2:
        return None
    scores = np.array([[of_board[label].score for of_board in rows] for label in labels])
    ranks = stats.rankdata(scores, axis=0)
    order = np.argsort(ranks.mean(1), kind="stable")
    first = labels[order[0]]
    metric = chosen[0].primary if len({board.primary for board in chosen}) == 1 else None

    def overall(place: int) -> Overall:
        label = labels[place]
        mine = [of_board[label] for of_board in rows]
        pairs = [
            ([-v for v in board.losses(of_board[first])], [-v for v in board.losses(row)])
            for board, of_board, row in zip(chosen, rows, mine, strict=True)
        ]
        against = None if label == first else statistics.mean_probability_of_improvement(*zip(*pairs, strict=True))
        strata = [row.finals(metric) for row in mine] if metric else []
        value = None
        if strata and all(strata):
            middle = float(np.mean([np.mean(values) for values in strata]))
            value = Estimate(middle, statistics.mean_interval(*strata))
        return Overall(mine[0], label, ranks[place].tolist(), float(ranks[place].mean()), against, value)

    return Across(
        [board.dataset for board in chosen], title(metric) if metric else "", [overall(int(place)) for place in order]
    )
