"""Simulate how often tests claim a difference between groups, and print Markdown tables (docs/statistics.md).

uv run python scripts/simulate_decisions.py                # 300 studies a cell, minutes on one core
uv run python scripts/simulate_decisions.py --studies 50   # a look
uv run python scripts/simulate_decisions.py FOLDER...      # how alike runs of one seed are, of sweeps that were made

A study has groups of runs that share their seeds. Three tests to compare the group that is ahead with each other one:

- Mann-Whitney: the test that the report uses, which ignores that seeds are shared;
- sign-flip: the exact permutation test of the mean paired difference, over all 2^n changes of signs;
- signed-rank: the same with Wilcoxon's ranks of the differences (Pratt's, who ranks zeros too).

All have the same corrections here: Holm's over all comparisons with the first, and a step-down over ranges from the
first group on, with Kruskal & Wallis's test or, for the paired ones, Friedman's within seeds. The report compares
all pairs (`gan_lab.report.significance.told_apart`) and says how large other differences can be
(`gan_lab.report.unsettled`): the last table is of all that a page says in that way.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from gan_lab.report.boards import boards
from gan_lab.report.collect import read
from gan_lab.report.significance import LEVEL, holm, mann_whitney, told_apart
from gan_lab.report.statistics import FEWEST, Array, ranking_key
from gan_lab.report.unsettled import largest_difference

Decide = Callable[[Array], list[bool]]
"""Whether the first group is better than each other one; groups in order of rank, ``[groups, seeds]``, lower better."""
Draw = Callable[[np.random.Generator, tuple[int, int], float], Array]
"""Values ``[groups, seeds]`` of equal groups; a share of each value's variance is common to all groups of a seed."""


@cache
def signs(seeds: int) -> Array:
    """All 2^n changes of signs, ``[seeds, 2^seeds]``."""
    return np.array(list(itertools.product((1.0, -1.0), repeat=seeds))).T


def differences(one: Array, other: Array) -> Array:
    """Differences by seed. A lost run is worse than any other by the range of all values; two lost runs are equal."""
    both = np.concatenate([one, other])
    finite = both[np.isfinite(both)]
    worst = 2 * finite.max() - finite.min() + 1 if len(finite) else 0.0
    return np.where(np.isfinite(one), one, worst) - np.where(np.isfinite(other), other, worst)


def flipped(scores: Array) -> float:
    """The two-sided p-value of the sum of scores, over all changes of their signs."""
    sums = np.abs(scores @ signs(len(scores)))
    return float(np.mean(sums >= abs(scores.sum()) * (1 - 1e-9) - 1e-12))


def sign_flip(one: Array, other: Array) -> float:
    return flipped(differences(one, other))


def signed_rank(one: Array, other: Array) -> float:
    apart = differences(one, other)
    return flipped(np.sign(apart) * stats.rankdata(np.abs(apart)))


def friedman(values: Array) -> float:
    """Friedman's p-value that groups are equal, ``[groups, seeds]``, with its correction for ties."""
    groups, seeds = values.shape
    ranks = stats.rankdata(values, axis=0)
    spread = float(((ranks - (groups + 1) / 2) ** 2).sum() / (seeds * (groups - 1)))
    if spread == 0:
        return 1.0
    between = float(((ranks.mean(1) - (groups + 1) / 2) ** 2).sum())
    return float(stats.chi2.sf(seeds * between / spread, groups - 1))


def kruskal(values: Array) -> float:
    """Kruskal & Wallis's p-value that groups are equal, ``[groups, seeds]``."""
    ranks = stats.rankdata(values).reshape(values.shape)
    return 1.0 if ranks.min() == ranks.max() else float(stats.kruskal(*ranks).pvalue)


def corrected(test: Callable[[Array, Array], float], of_all: Callable[[Array], float], least: int) -> Decide:
    """A test of two groups with Holm's correction and a test of ranges of so many groups or more from the first on."""

    def decide(groups: Array) -> list[bool]:
        likely = [chance <= LEVEL for chance in holm([test(groups[0], other) for other in groups[1:]])]
        held = 0
        if any(likely):
            ranges = range(len(groups) - 1, least - 2, -1)
            held = next((last + 1 for last in ranges if of_all(groups[: last + 1]) > LEVEL), 1)
        return [found and place >= held for place, found in enumerate(likely, 1)]

    return decide


TESTS: dict[str, Decide] = {
    "Mann-Whitney": corrected(mann_whitney, kruskal, 2),
    "sign-flip": corrected(sign_flip, friedman, 3),  # of two groups the test itself is one
    "signed-rank": corrected(signed_rank, friedman, 3),
}


def normal(rng: np.random.Generator, size: tuple[int, int], common: float) -> Array:
    values: Array = np.sqrt(common) * rng.normal(size=size[1]) + np.sqrt(1 - common) * rng.normal(size=size)
    return values


def heavy(rng: np.random.Generator, size: tuple[int, int], common: float) -> Array:
    """Student's t with 2 degrees of freedom, by the quantiles of `normal`."""
    values: Array = stats.t.ppf(stats.norm.cdf(normal(rng, size, common)), 2)
    return values


def ties(rng: np.random.Generator, size: tuple[int, int], common: float) -> Array:
    """Three values: below -0.5, above 0.5 and between."""
    values: Array = np.clip(np.round(normal(rng, size, common)), -1, 1)
    return values


def lost(rng: np.random.Generator, size: tuple[int, int], common: float) -> Array:
    """A fifth of the runs is lost."""
    values = normal(rng, size, common)
    return np.where(rng.random(size) < 0.2, np.inf, values)


def loser(rng: np.random.Generator, size: tuple[int, int], common: float) -> Array:
    """Equal but for the last group, which is far behind: a claim against it is true, and not counted."""
    values = normal(rng, size, common)
    values[-1] += 100
    return values


def skewed(rng: np.random.Generator, size: tuple[int, int], common: float) -> Array:
    """Log-normal with a deviation of one, as distances are."""
    values: Array = np.exp(normal(rng, size, common) / 2) / 0.604
    return values


DRAWS: dict[str, Draw] = {"normal": normal, "heavy tails": heavy, "ties": ties, "lost runs": lost, "a loser": loser}
GROUPS = (2, 5, 18)
SEEDS = (3, 5, 6, 8, 10)
COMMON = (0.0, 0.5, 0.9)
AHEAD = 1.5  # standard deviations of a run
PAGES: dict[str, Draw] = {"normal": normal, "heavy tails": heavy, "skewed": skewed, "ties": ties, "lost runs": lost}
TRUTHS: dict[str, Callable[[int], Any]] = {
    "equal": lambda groups: np.zeros(groups),
    "one behind": lambda groups: np.append(np.zeros(groups - 1), AHEAD),
    "equal pairs, far apart": lambda groups: np.arange(groups) // 2 * 20.0,
    "a ladder": lambda groups: np.arange(groups) * 0.75,
}
SIZES = ((2, (5, 10)), (5, (5, 10)), (18, (10,)))


def false_claims(draw: Draw, groups: int, seeds: int, common: float, studies: int) -> list[float]:
    """The share of studies of equal groups in which each test claims something."""
    rng = np.random.default_rng([groups, seeds, round(10 * common)])
    found = np.zeros(len(TESTS))
    for _ in range(studies):
        values = draw(rng, (groups, seeds), common)
        ranked = np.array(sorted(values, key=ranking_key))
        told = slice(None, -1) if draw is loser else slice(None)
        found += [any(decide(ranked)[told]) for decide in TESTS.values()]
    return list(found / studies)


def power(groups: int, seeds: int, common: float, ahead: float, studies: int) -> list[float]:
    """The mean share of equal groups that each test finds one group, so many standard deviations ahead, better than."""
    rng = np.random.default_rng([groups, seeds, round(10 * common), 1])
    found = np.zeros(len(TESTS))
    for _ in range(studies):
        values = normal(rng, (groups, seeds), common)
        values[0] -= ahead
        order = sorted(range(groups), key=lambda group: ranking_key(values[group]))
        if order[0] == 0:
            found += [np.mean(decide(values[order])) for decide in TESTS.values()]
    return list(found / studies)


def sentences(draw: Draw, means: Array, seeds: int, studies: int) -> Array:
    """How often a page says something false: better or worse, at most, either; and the share of pairs told apart.

    A claim is false if the groups are equal, or the other one is better; "at most" if the true difference is larger.
    All claims and bounds of all pairs count, also those that the page would leave out.
    """
    rng = np.random.default_rng([len(means), seeds])
    found = np.zeros(4)
    for _ in range(studies):
        values = draw(rng, (len(means), seeds), 0.0) + means[:, None]
        (apart,) = told_apart([list(values)])
        wrong, too_small = False, False
        for i, j in itertools.combinations(range(len(means)), 2):
            truth = means[i] - means[j]
            if apart[i, j]:
                above, below = (compare.outer(values[i], values[j]).sum() for compare in (np.greater, np.less))
                wrong |= truth == 0 or np.sign(above - below) != np.sign(truth)
            elif np.isfinite(values[[i, j]]).all() and np.ptp(values[i] - values[j]) > 0:
                low, high = largest_difference(values[i] - values[j], math.comb(len(means), 2))
                too_small |= abs(truth) > max(-low, high)
        found += [wrong, too_small, wrong or too_small, apart.sum() / len(means) / (len(means) - 1)]
    return found / studies


def pages(studies: int) -> list[list[object]]:
    """The rows of the table of pages; of 18 groups a third of the studies."""
    rows: list[list[object]] = []
    for name, draw in PAGES.items():
        for truth, means in TRUTHS.items():
            for groups, several in SIZES:
                many = studies // 3 if groups > 5 else studies
                shares = np.array([sentences(draw, means(groups), seeds, many) for seeds in several])
                rows.append([name, truth, groups, *percents(shares.max(0))])
    return rows


def correlations(folder: Path) -> list[list[object]]:
    """For the first metric of each board: the mean correlation of two groups over the seeds that they share."""
    rows: list[list[object]] = []
    for board in boards(read([folder]).runs, None):
        found, seeds = [], []
        for one, other in itertools.combinations([row.by_seed(board.primary) for row in board.rows], 2):
            shared = sorted(one.keys() & other.keys())
            values = np.array([[group[seed] for seed in shared] for group in (one, other)])
            if len(shared) >= FEWEST and values.std(axis=1).all():
                found.append(float(np.corrcoef(values)[0, 1]))
                seeds.append(len(shared))
        if found:
            rows.append([folder.name, board.dataset, board.primary, len(found), min(seeds), f"{np.mean(found):.2f}"])
    return rows


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def percents(shares: Sequence[float]) -> list[str]:
    return [f"{100 * share:.1f}" for share in shares]


def compare(studies: int) -> None:
    """Print the tables of the three tests."""
    told = ", ".join(map(str, SEEDS))
    print(f"False claims in 100 studies of equal groups: the largest over {told} seeds, and the mean over them.\n")
    rows = []
    for name, draw in DRAWS.items():
        for groups in GROUPS[draw is loser :]:
            for common in COMMON[:2]:
                shares = np.array([false_claims(draw, groups, seeds, common, studies) for seeds in SEEDS])
                cells = zip(percents(shares.max(0)), percents(shares.mean(0)), strict=True)
                rows.append([name, groups, common, *(f"{most} ({mean})" for most, mean in cells)])
    print(table(["values", "groups", "common", *TESTS], rows))
    print(f"\nPower: one group is {AHEAD} ahead of equal others; of 100 such differences so many are claimed.\n")
    rows = []
    for groups, seeds, common in itertools.product(GROUPS, SEEDS[1:], COMMON):
        rows.append([groups, seeds, common, *percents(power(groups, seeds, common, AHEAD, studies))])
    print(table(["groups", "seeds", "common", *TESTS], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="sweeps, or the results.csv of studies")
    parser.add_argument("--pages", action="store_true", help="the last table alone")
    parser.add_argument("--studies", type=int, default=300, help="studies a cell")
    arguments = parser.parse_args()
    studies: int = arguments.studies
    if arguments.folders:
        found = [alike for folder in arguments.folders for alike in correlations(folder)]
        print(table(["folder", "dataset", "metric", "pairs of groups", "seeds", "correlation"], found))
        return
    if not arguments.pages:
        compare(studies)
        print()
    print("All that a page says of differences; of 100 pages so many hold a false sentence, the largest over seeds.\n")
    head = ["values", "truth", "groups", "false better or worse", "false at most", "either", "pairs told apart"]
    print(table(head, pages(studies)))


if __name__ == "__main__":
    main()
