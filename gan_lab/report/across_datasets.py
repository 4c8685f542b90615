"""The same groups over several datasets: which is better overall."""

import math
from dataclasses import dataclass

import numpy as np

from gan_lab.metric_names import title
from gan_lab.report import factors, groups, statistics
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.run import Run
from gan_lab.report.statistics import Estimate, Profile

_POINTS = 80  # of a profile


@dataclass(frozen=True)
class Overall:
    """A group over all datasets."""

    row: Row
    """On the first dataset."""
    label: str
    """What the group is called in the comparison of all datasets."""
    ranks: list[float]
    """On each dataset, among the groups that all datasets have."""
    spans: list[tuple[int, int]]
    """On each dataset the best and the worst rank that the report's claims leave open."""
    mean_rank: float
    mean_span: tuple[float, float]
    """What these leave open of the mean rank."""
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
    profiles: list[Profile]
    """Of the groups in the same order; none where values have no ratio."""


def across(boards: list[Board], runs: list[Run]) -> Across | None:
    """The comparison over datasets, or None unless two datasets have two groups in common.

    A group is the same on two datasets if it has the same value on each axis of all of them together. What follows from
    the dataset, such as its model, is no axis.

    Args:
        boards: of all datasets.
        runs: all runs of the report, as what sets groups apart depends on them all.
    """
    of_dataset: dict[str, Board] = {}
    for board in boards:
        if not board.again:
            of_dataset.setdefault(board.dataset, board)  # the largest is first
    chosen = list(of_dataset.values())
    compared = [run for board in chosen for row in board.rows for run in row.runs]
    names = factors.find(compared, *groups.places(runs), leading=("dataset",)).labels
    rows = [{names[row.place]: row for row in board.ranked} for board in chosen]
    labels = [label for label in rows[0] if all(label in of_board for of_board in rows)] if rows else []
    if len(chosen) < 2 or len(labels) < 2:
        return None
    ranks = statistics.ranks(np.array([[of_board[label].key for of_board in rows] for label in labels]), "average")
    order = np.argsort(ranks.mean(1), kind="stable")
    first = labels[order[0]]
    metric = chosen[0].primary if len({board.primary for board in chosen}) == 1 else None

    def overall(place: int) -> Overall:
        label = labels[place]
        mine = [of_board[label] for of_board in rows]
        spans = [_span(board, of_board, label, labels) for board, of_board in zip(chosen, rows, strict=True)]
        low, high = np.mean(spans, axis=0).tolist()
        pairs = [
            ([-v for v in board.losses(of_board[first])], [-v for v in board.losses(row)])
            for board, of_board, row in zip(chosen, rows, mine, strict=True)
        ]
        against = None if label == first else statistics.mean_probability_of_improvement(*zip(*pairs, strict=True))
        strata = [row.finals(metric) for row in mine] if metric else []
        value = None
        if metric and all(strata):
            value = _mean(chosen, metric, strata)
        mean_rank = float(ranks[place].mean())
        return Overall(mine[0], label, ranks[place].tolist(), spans, mean_rank, (low, high), against, value)

    return Across(
        [board.dataset for board in chosen],
        title(metric) if metric else "",
        [overall(int(place)) for place in order],
        _profiles(chosen, [[of_board[labels[place]] for place in order] for of_board in rows]),
    )


def _mean(chosen: list[Board], metric: str, strata: list[list[float]]) -> Estimate:
    """The mean of a metric over datasets; its interval ends where such a mean must."""
    value, ends = float(np.mean([np.mean(values) for values in strata])), statistics.mean_interval(*strata)
    if ends is None:
        return Estimate(value, None)
    low, high = np.mean([board.bounds(metric) for board in chosen], axis=0).tolist()
    return Estimate(value, (max(low, ends[0]), min(high, ends[1])))


def _span(board: Board, of_board: dict[str, Row], label: str, labels: list[str]) -> tuple[int, int]:
    """The best and the worst rank that claims leave to a group: behind all better ones, before all worse ones.

    As a report on groups that are equal in truth makes no claim in 95 % of cases, the spans of all groups hold together
    with that probability (as in Mogstad et al. 2024, Review of Economic Studies 91:476).
    """
    mine, others = of_board[label], [of_board[other] for other in labels if other != label]
    better = sum(board.is_better(other, mine) for other in others)
    worse = sum(board.is_better(mine, other) for other in others)
    return 1 + better, len(labels) - worse


def _profiles(chosen: list[Board], rows: list[list[Row]]) -> list[Profile]:
    """A profile for each group of how many times worse its runs are than the best group's mean, over datasets.

    Args:
        chosen: a board for each dataset. rows: for each board its rows, ``[boards, groups]``.
    """
    ratios: list[list[list[float]]] = []
    for board, of_board in zip(chosen, rows, strict=True):
        means = [float(np.mean(values)) for row in of_board if (values := row.finals(board.primary))]
        finite = [value for row in of_board for value in row.finals(board.primary)]
        if not finite or min(finite) <= 0:
            return []
        best = max(means) if board.higher else min(means)
        ratios.append([
            [_ratio(loss, best) if math.isfinite(loss) else math.inf for loss in board.losses(row)] for row in of_board
        ])  # fmt: skip
    everything = [one for of_board in ratios for values in of_board for one in values if math.isfinite(one)]
    grid = np.geomspace(min(everything), max(everything) * 1.05, _POINTS)
    return [statistics.performance_profile(list(strata), grid) for strata in zip(*ratios, strict=True)]


def _ratio(loss: float, best: float) -> float:
    """How many times worse a value is than the best mean; losses of metrics of which more is better are negative."""
    return loss / best if loss > 0 else best / -loss
