"""Boards: sets of runs whose metrics can be compared, with their groups ranked."""

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gan_lab.errors import ConfigError, closest
from gan_lab.metric_names import bounds, higher_is_better, in_order, known, title
from gan_lab.report import significance, statistics
from gan_lab.report.factors import Axes
from gan_lab.report.run import Measurement, Run
from gan_lab.report.statistics import Estimate

BUDGET = {
    "iterations": "iterations",
    "discriminator_updates": "D updates",
    "generator_updates": "G updates",
    "real_images": "real samples",
    "train_seconds": "training seconds",
}
"""What the entries of a budget are called on the page."""


@dataclass
class Row:
    """One group on a board."""

    label: str
    colour: int = 0
    runs: list[Run] = field(default_factory=list)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By metric and the run's name, the finite final values."""
    best: list[float] = field(default_factory=list)
    """The best values of the primary metric during each run."""
    score: float = math.inf
    """What it is ranked by: the interquartile mean of the primary metric, lower better; infinite if it lost a run."""
    beaten: bool = False
    """Whether the board's first group is better than this one, beyond chance (`gan_lab.report.significance`)."""

    def finals(self, metric: str) -> list[float]:
        """The finite final values of a metric."""
        return list(self.values[metric].values())

    def by_seed(self, metric: str) -> dict[int, float]:
        """The final value of each seed; the mean where several runs have the same seed."""
        found: dict[int, list[float]] = defaultdict(list)
        for run in self.runs:
            if run.name in self.values[metric]:
                found[run.seed].append(self.values[metric][run.name])
        return {seed: float(np.mean(values)) for seed, values in found.items()}

    def interquartile_mean(self, metric: str) -> float | None:
        """The interquartile mean of the final values, if there are any."""
        values = self.finals(metric)
        return statistics.interquartile_mean(values) if values else None

    @property
    def mean_best(self) -> float | None:
        return sum(self.best) / len(self.best) if self.best else None

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if run.done]

    @property
    def lost(self) -> list[Run]:
        return [run for run in self.runs if run.lost]

    @property
    def unfinished(self) -> list[Run]:
        return [run for run in self.runs if not run.done and not run.lost]

    @property
    def verdicts(self) -> Counter[str]:
        """How often each verdict was given; lost and unfinished runs count by their state."""
        return Counter(run.verdict for run in self.runs)

    def budget(self, key: str) -> tuple[float, float, float] | None:
        """Mean, least and most over the finished runs."""
        spent = [float(run.outcome.budget[key]) for run in self.finished]
        return (float(np.mean(spent)), min(spent), max(spent)) if spent else None


@dataclass
class Board:
    """Runs on one dataset whose metrics have one fingerprint; ``rows`` are ranked, the best first."""

    dataset: str
    fingerprint: dict[str, Any]
    metrics: list[str]
    primary: str
    floor: dict[str, float]
    ceiling: dict[str, float]
    again: bool
    """Whether these are values of a later evaluation, not those that the runs ended with."""
    rows: list[Row] = field(default_factory=list)
    fewest_seeds: int = statistics.FEWEST
    """Seeds a group below which no order can be claimed, with as many comparisons as the report makes."""

    @property
    def higher(self) -> bool:
        return higher_is_better(self.primary)

    @property
    def title(self) -> str:
        """What the primary metric is called."""
        return title(self.primary)

    @property
    def direction(self) -> str:
        return f"{'higher' if self.higher else 'lower'} is better"

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for row in self.rows for run in row.runs})

    @property
    def others(self) -> list[str]:
        """The metrics that the board is not ranked by."""
        return in_order(name for name in self.metrics if name != self.primary)

    @property
    def ranked(self) -> list[Row]:
        """The rows with a run that counts: finished, or lost."""
        return [row for row in self.rows if self.losses(row)]

    def losses(self, row: Row) -> list[float]:
        """The row's values of the primary metric, turned so that lower is better; a lost run is infinite."""
        sign = -1.0 if self.higher else 1.0
        return [sign * value for value in row.finals(self.primary)] + [math.inf] * (len(row.lost) + self.valueless(row))

    def valueless(self, row: Row) -> int:
        """The number of finished runs without a number for the primary metric; they count as lost."""
        return len(row.finished) - len(row.values[self.primary])

    def mean(self, row: Row, metric: str) -> Estimate | None:
        """The mean over finished seeds; its interval ends where the metric does, which costs it no coverage."""
        values = row.finals(metric)
        if not values:
            return None
        estimate = statistics.mean(values)
        if estimate.interval is None:
            return estimate
        low, high = self.bounds(metric)
        return Estimate(estimate.value, (max(low, estimate.interval[0]), min(high, estimate.interval[1])))

    def bounds(self, metric: str) -> tuple[float, float]:
        """The range of the metric on this dataset: no generator reaches more modes or classes than the data have.

        A reverse KL against K equal modes is at most ln K.
        """
        low, high = bounds(metric)
        kind = "modes" if metric == "reverse_kl" else metric
        if kind in ("modes", "classes"):
            counts = [values[kind] for values in (self.floor, self.ceiling) if values.get(kind, 0) >= 1]
            if counts:
                high = math.log(max(counts)) if metric == "reverse_kl" else max(counts)
            high = max([high, *(value for row in self.rows for value in row.finals(metric))])
        return low, high

    def improvement(self, one: Row, other: Row) -> Estimate:
        """The probability that a run of one is better than a run of the other; lost runs count as the worst."""
        return statistics.probability_of_improvement([-v for v in self.losses(one)], [-v for v in self.losses(other)])

    def difference(self, one: Row, other: Row) -> Estimate | None:
        """The mean difference of the primary metric over the seeds that both finished."""
        return statistics.paired_difference(one.by_seed(self.primary), other.by_seed(self.primary))


def boards(runs: list[Run], axes: Axes, metric: str | None) -> list[Board]:
    """Sort finished runs onto boards; lost and unfinished ones join their groups there.

    Raises:
        ConfigError: if no run has the metric asked for, or its direction is not known.
    """
    _check(metric, {name for run in runs for entry in run.outcome.measurements for name in entry.metrics})
    colours: dict[str, int] = {}
    for run in runs:
        colours.setdefault(axes.label(run, ("dataset",)), len(colours))
    cells: dict[tuple[str, str, str], list[tuple[Run, Measurement, bool]]] = defaultdict(list)
    for run in runs:
        for place, measurement in enumerate(run.outcome.measurements):
            fingerprint = json.dumps(measurement.fingerprint, sort_keys=True, default=str)
            names = json.dumps(sorted(measurement.metrics))
            cells[run.dataset, fingerprint, names].append((run, measurement, place > 0))
    tried = [_board(dataset, members, axes, metric) for (dataset, _, _), members in cells.items()]
    made = [board for board in tried if board is not None]
    made.sort(key=lambda board: (board.dataset, board.again, -sum(len(row.runs) for row in board.rows)))
    _place_unfinished(made, runs, axes)
    for board in made:
        for row in board.rows:
            row.colour = colours[row.label]
            row.score = statistics.ranking_score(board.losses(row)) if board.losses(row) else math.inf
        board.rows.sort(key=lambda row: _order(board, row))
    _settle(made)
    return made


def primary_metric(names: list[str]) -> str | None:
    """The metric to rank by: of a mixture its reverse KL, otherwise FID, a Fréchet distance, KID, or any known one.

    On a mixture the reverse KL shows lost and starved modes. ``modes`` soon saturates, and a Fréchet distance sees only
    mean and covariance, which a generator with half of the modes can match.
    """
    if "modes" in names and "reverse_kl" in names:
        return "reverse_kl"
    for kind in ("fid", "fd", "kid"):
        for name in names:
            if name == kind or name.startswith(f"{kind}_"):
                return name
    return next((name for name in names if known(name)), None)


def _check(metric: str | None, available: set[str]) -> None:
    if metric is None or not available:
        return
    if metric not in available:
        raise ConfigError(f"metric={metric}: no run has this metric; {closest(metric, available)}")
    if not known(metric):
        raise ConfigError(f"metric={metric}: whether more of it is better is not known, so nothing is ranked by it")


def _board(dataset: str, members: list[tuple[Run, Measurement, bool]], axes: Axes, metric: str | None) -> Board | None:
    """The board of some runs, with a measurement of each and whether it was made later; None without known metrics."""
    first = members[0][1]
    names = list(first.metrics)
    primary = metric if metric in names else primary_metric(names)
    if primary is None:
        return None
    again = all(later for _, _, later in members)
    board = Board(dataset, first.fingerprint, names, primary, first.floor, first.ceiling, again)
    for run, measurement, later in members:
        row = _row(board, axes.label(run, ("dataset",)))
        row.runs.append(run)
        for name, value in measurement.metrics.items():
            if math.isfinite(value):
                row.values[name][run.name] = value
        if not later and primary in run.outcome.best:
            row.best.append(run.outcome.best[primary])
    return board


def _row(board: Board, label: str) -> Row:
    """The board's row of a group, added if it has none."""
    for row in board.rows:
        if row.label == label:
            return row
    board.rows.append(Row(label, values={name: {} for name in board.metrics}))
    return board.rows[-1]


def _place_unfinished(made: list[Board], runs: list[Run], axes: Axes) -> None:
    """Put runs without a result on the boards that have their group, or else on their dataset's largest board."""
    for run in [run for run in runs if not run.done]:
        label = axes.label(run, ("dataset",))
        of_dataset = [board for board in made if board.dataset == run.dataset]
        homes = [board for board in of_dataset if any(row.label == label for row in board.rows)]
        for board in homes or of_dataset[:1]:
            _row(board, label).runs.append(run)


def _settle(made: list[Board]) -> None:
    """Mark the groups that each board's first is better than, all boards' comparisons corrected for together."""
    compared = [board for board in made if len(board.ranked) > 1 and board.ranked[0].finished]
    studies = [[board.losses(row) for row in board.ranked] for board in compared]
    fewest = max(statistics.FEWEST, significance.fewest_seeds(max(1, sum(len(study) - 1 for study in studies))))
    for board, found in zip(compared, significance.better_than(studies), strict=True):
        board.fewest_seeds = fewest
        first, *others = board.ranked
        for row, better in zip(others, found, strict=True):
            row.beaten = better and _intervals_agree(board, first, row)


def _intervals_agree(board: Board, first: Row, row: Row) -> bool:
    """Whether neither interval that is printed beside a claim contradicts it: the probability's or the difference's."""
    chance, difference = board.improvement(first, row).interval, board.difference(first, row)
    holds_zero = bool(difference and difference.interval and difference.interval[0] <= 0 <= difference.interval[1])
    return chance is not None and chance[0] > 0.5 and not holds_zero


def _order(board: Board, row: Row) -> tuple[bool, float, float, float]:
    """Best score first; then groups that lost runs: the smallest share lost, then the mean of what finished."""
    losses = board.losses(row)
    finite = [value for value in losses if math.isfinite(value)]
    lost = 1 - len(finite) / len(losses) if losses else 2.0
    return (
        not math.isfinite(row.score),
        row.score if math.isfinite(row.score) else 0.0,
        lost,
        statistics.interquartile_mean(finite) if finite else math.inf,
    )
