"""A board: runs whose metrics can be compared, in groups."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gan_lab.metric_names import bounds, higher_is_better, in_order, known, title
from gan_lab.report import statistics
from gan_lab.report.factors import Axes
from gan_lab.report.run import Run
from gan_lab.report.statistics import Estimate
from gan_lab.validation import is_number, is_whole

_EACH = 20  # samples for each mode reached: then one of K equal modes is missed with probability e^-20
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

    place: str
    """What its runs have in common (`gan_lab.report.groups.places`)."""
    label: str = ""
    colour: int = 0
    runs: list[Run] = field(default_factory=list)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    """By metric and the run's name, the finite final values."""
    best: list[float] = field(default_factory=list)
    """The best values of the primary metric during each run."""
    sampling: list[float] = field(default_factory=list)
    """The standard deviations of the primary metric over sets of latents, of the runs that measured one."""
    key: tuple[float, float] = (math.inf, math.inf)
    """What it is ranked by, lower better (`gan_lab.report.statistics.ranking_key`); infinite if no run counts."""
    beaten: bool = False
    """Whether the board's first group is better than this one, beyond chance (`gan_lab.report.significance`)."""

    def is_level(self, other: "Row") -> bool:
        """Whether nothing but rounding ranks it before or behind another."""
        (lost, middle), (others_lost, others_middle) = self.key, other.key
        return lost == others_lost and math.isclose(middle, others_middle, rel_tol=1e-9)

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

    @property
    def timed(self) -> int:
        """How many times the finished runs were timed: a stack of seeds is timed once, for all of its runs."""
        stacks = [run.outcome.environment.get("stacked") for run in self.finished]
        shares = [1 / size if is_whole(size) and size > 0 else 1.0 for size in stacks]
        return math.ceil(round(sum(shares), 6))  # runs of a stack may be lost

    def budget(self, key: str) -> tuple[float, float, float] | None:
        """Mean, least and most over the finished runs."""
        spent = [float(run.outcome.budget[key]) for run in self.finished]
        return (float(np.mean(spent)), min(spent), max(spent)) if spent else None


@dataclass(frozen=True)
class Claims:
    """What may be claimed of a board's groups, all comparisons of all boards of the report corrected for together."""

    better: set[tuple[str, str]] = field(default_factory=set)
    """The places of groups of which the first is better than the second, beyond chance."""
    comparisons: int = 1
    """Pairs of groups on all boards of the report."""
    pair_level: float = 0.0
    """The level of the test of two groups, corrected for all of them (`gan_lab.report.significance.pair_level`)."""
    fewest_seeds: int = statistics.FEWEST
    """Seeds a group below which no two groups can be told apart, with as many comparisons as the report makes."""


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
    axes: Axes = field(default_factory=Axes)
    """What varies in the comparison that the board belongs to."""
    claims: Claims = field(default_factory=Claims)

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

        A reverse KL against K equal modes is at most ln K. K is what real samples or a perfect sampler reach, unless
        these are so few that they may miss some.
        """
        low, high = bounds(metric)
        kind = "modes" if metric == "reverse_kl" else metric
        if kind in ("modes", "classes"):
            reached = max((values.get(kind, 0.0) for values in (self.floor, self.ceiling)), default=0.0)
            samples = self.fingerprint.get("samples")
            if reached >= 1 and is_number(samples) and samples >= _EACH * reached:
                high = math.log(reached) if metric == "reverse_kl" else reached
            high = max([high, *(value for row in self.rows for value in row.finals(metric))])
        return low, high

    @property
    def machines(self) -> set[str]:
        """What the finished runs were made on (`gan_lab.report.run.Run.machine`)."""
        return {run.machine for row in self.rows for run in row.finished}

    def budget(self, row: Row, key: str) -> tuple[float, float, float] | None:
        """The row's `Row.budget`; None for seconds of several machines, which cannot be compared."""
        return None if key == "train_seconds" and len(self.machines) > 1 else row.budget(key)

    def is_better(self, one: Row, other: Row) -> bool:
        """Whether the report claims that one group is better than another."""
        return (one.place, other.place) in self.claims.better

    def improvement(self, one: Row, other: Row) -> Estimate:
        """The probability that a run of one is better than a run of the other; lost runs count as the worst."""
        return statistics.probability_of_improvement([-v for v in self.losses(one)], [-v for v in self.losses(other)])

    def difference(self, one: Row, other: Row) -> Estimate | None:
        """The mean difference of the primary metric over the seeds that both finished."""
        return statistics.paired_difference(one.by_seed(self.primary), other.by_seed(self.primary))


def primary_metric(names: list[str]) -> str | None:
    """The metric to rank by: of a mixture its reverse KL, of translations with targets their L1 distance to these,
    otherwise FID, a Fréchet distance, KID, or any known one.

    On a mixture the reverse KL shows lost and starved modes. ``modes`` soon saturates, and a Fréchet distance sees only
    mean and covariance, which a generator with half of the modes can match.
    """
    if "modes" in names and "reverse_kl" in names:
        return "reverse_kl"
    if "l1" in names:
        return "l1"
    for kind in ("fid", "fd", "kid"):
        for name in names:
            if name == kind or name.startswith(f"{kind}_"):
                return name
    return next((name for name in names if known(name)), None)


def one_mode(rows: Iterable[Row]) -> bool:
    """Whether all runs trained in one mode: stacked or alone, compiled or not. Else their seconds tell of the mode."""
    outcomes = [run.outcome.environment for row in rows for run in row.finished]
    return len({(str(one.get("stacked")), str(one.get("compile"))) for one in outcomes}) < 2
