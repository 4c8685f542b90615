"""Which differences a report may claim: tests of all pairs of groups, corrected for their number."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, count

import numpy as np
from numpy.typing import NDArray
from scipy import special

from gan_lab.report.statistics import Array

LEVEL = 0.05
"""The share of reports on equal groups that may claim a difference."""
EXACT = 100
"""Values of two groups together, up to which all permutations are counted."""
_CLOSED = 20  # groups up to which all of their subsets are tested

Values = Sequence[float] | Array
Decisions = NDArray[np.bool_]


def told_apart(studies: Sequence[Sequence[Values]]) -> list[Decisions]:
    """Which groups of each study differ.

    Studies share the level equally. In a study of k ≤ 20 groups, two groups differ if every subset that holds both is
    found to be unequal: two groups by Mann & Whitney's test, more by Kruskal & Wallis's, each subset of p groups at
    the level 1 − (1 − level)^(p/k), and at the whole level for p ≥ k − 1. That is the closed test of Einot & Gabriel
    (1975, JASA 70:574) and Begun & Gabriel (1981, JASA 76:241), with ranks. Whichever groups are equal in truth, a
    study claims a difference between equal ones with a probability of at most its level, as far as the approximation of
    Kruskal & Wallis's statistic by χ² holds. Studies of more groups have Holm's correction for all pairs.

    Args:
        studies: the values of each study's groups; a lost run is ``inf``.

    Returns:
        For each study a symmetric matrix, ``[groups, groups]``.
    """
    return [_told_apart(groups, LEVEL / len(studies)) for groups in studies]


def pair_level(groups: int, studies: int) -> float:
    """The level of the test of two groups of a study; of more than 20 groups that of Holm's first step."""
    if groups > _CLOSED:
        return LEVEL / studies / math.comb(groups, 2)
    return _level(2, groups, LEVEL / studies)


def fewest_seeds(level: float) -> int:
    """The fewest seeds a group with which two groups without overlap differ at a level.

    Two of the C(2n, n) orders of n and n values have no overlap, which gives the smallest possible p-value.
    """
    return next(n for n in count(1) if 2 / math.comb(2 * n, n) <= level)


def fewest_wins(seeds: int, level: float) -> float:
    """The fewest of n · n comparisons that a group wins if Mann & Whitney's exact test tells it from another.

    Both have n values, none of which tie; ``inf`` if the test cannot tell them apart at the level.
    """
    below, _ = _tails(tuple(range(1, 2 * seeds + 1)), seeds)
    least = seeds * (seeds + 1) // 2  # sum of the ranks of a group that loses all
    most = int(np.searchsorted(below, level / 2, side="right")) - 1  # largest sum that is significantly small
    return seeds**2 - (most - least) if most >= least else math.inf


def holm(chances: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (1979, Scandinavian Journal of Statistics 6:65), in the order given."""
    adjusted = [0.0] * len(chances)
    largest = 0.0
    for step, place in enumerate(np.argsort(chances, kind="stable")):
        largest = max(largest, min(1.0, (len(chances) - step) * chances[place]))
        adjusted[place] = largest
    return adjusted


def mann_whitney(one: Values, other: Values) -> float:
    """The two-sided p-value of Mann & Whitney's test (1947), twice the smaller tail, at most 1.

    With at most 100 values it is that of the exact permutation distribution, with ties or without. SciPy's is exact
    only without ties; its normal approximation is too sure of small groups whose values tie. For more values it is
    SciPy's, normal and corrected for ties.
    """
    doubled, _ = _doubled_ranks([one, other])
    if len(doubled) > EXACT:
        from scipy import stats  # imported late: it takes a third of a second

        chance = float(stats.mannwhitneyu(doubled[: len(one)], doubled[len(one) :]).pvalue)
        return 1.0 if math.isnan(chance) else chance  # all values tie
    below, above = _tails(tuple(np.sort(doubled).tolist()), len(one))
    total = int(doubled[: len(one)].sum())
    return min(1.0, 2 * min(float(below[total]), float(above[total])))


def kruskal_wallis_of_subsets(groups: Sequence[Values]) -> tuple[Array, Array]:
    """Kruskal & Wallis's statistic (1952), corrected for ties, of every subset of the groups.

    A subset has a bit for each group: subset 5 holds the first and the third one. The rank of a value among a subset's
    is the sum of its ranks against each of its groups, so that rank sums, like counts, are sums over groups.

    Returns:
        The statistics, and how many groups each subset has, ``[2^groups]`` both; 0 where all values tie.
    """
    arrays = [np.asarray(group, dtype=np.float64) for group in groups]
    members = np.arange(1 << len(arrays))
    total = _over_subsets([len(group) for group in arrays])
    squares = np.zeros(len(members))
    pooled = np.concatenate(arrays)
    starts = np.cumsum([0, *map(len, arrays[:-1])])
    for place, group in enumerate(arrays):
        won = np.greater.outer(group, pooled).sum(0) + np.equal.outer(group, pooled).sum(0) / 2
        sums = len(group) / 2 + _over_subsets(np.add.reduceat(won, starts).tolist())
        squares += np.where(members >> place & 1, sums**2 / len(group), 0)
    values, counts = np.unique(pooled, return_counts=True)
    ties = np.zeros(len(members))
    for value in values[counts > 1]:
        tied = _over_subsets([(group == value).sum() for group in arrays])
        ties += tied**3 - tied
    with np.errstate(divide="ignore", invalid="ignore"):
        uncorrected = 12 / (total * (total + 1)) * squares - 3 * (total + 1)
        factor = 1 - ties / (total**3 - total)
        found = np.where(factor > 1e-12, uncorrected / factor, 0.0)
    return found, _over_subsets([1] * len(arrays))


def _told_apart(groups: Sequence[Values], level: float) -> Decisions:
    many = len(groups)
    found = np.zeros((many, many), dtype=np.bool_)
    pairs = list(combinations(range(many), 2))
    least = min((2 / math.comb(len(groups[i]) + len(groups[j]), len(groups[i])) for i, j in pairs), default=1.0)
    closed = many <= _CLOSED
    if least > (_level(2, many, level) if closed else level / len(pairs)):
        return found  # too few values for any claim
    if closed and many > 2 and _may_be_equal(groups, level):
        return found
    chances = [mann_whitney(groups[i], groups[j]) for i, j in pairs]
    allowed = _level(2, many, level) if closed else level
    for (i, j), chance in zip(pairs, chances if closed else holm(chances), strict=True):
        found[i, j] = found[j, i] = chance <= allowed
    return found & ~_together(groups, level) if closed and many > 2 and found.any() else found


def _may_be_equal(groups: Sequence[Values], level: float) -> bool:
    """Whether Kruskal & Wallis's test of all groups finds nothing: then no subset needs to be looked at."""
    doubled, tied = _doubled_ranks(groups)
    total = len(doubled)
    parts = np.split(doubled / 2, np.cumsum([len(group) for group in groups])[:-1])
    factor = 1 - (tied**3 - tied).sum() / (total**3 - total)
    squares = sum(part.sum() ** 2 / len(part) for part in parts)
    found = 12 / (total * (total + 1)) * squares - 3 * (total + 1)  # stats.kruskal takes ten times as long
    return bool(factor <= 1e-12 or special.chdtrc(len(groups) - 1, found / factor) > level)


def _together(groups: Sequence[Values], level: float) -> Decisions:
    """Which pairs are in a subset of three or more groups that may be equal."""
    many = len(groups)
    statistics, sizes = kruskal_wallis_of_subsets(groups)
    least = np.array([special.chdtri(p - 1, _level(p, many, level)) if p > 2 else 0.0 for p in range(many + 1)])
    equal = np.flatnonzero((sizes > 2) & (statistics < least[sizes.astype(int)]))
    partners = [int(np.bitwise_or.reduce(equal[equal >> place & 1 == 1], initial=0)) for place in range(many)]
    return np.array([[partner >> other & 1 == 1 for other in range(many)] for partner in partners])


def _level(size: int, many: int, level: float) -> float:
    """The level at which a subset of so many groups of all is tested."""
    return level if size >= many - 1 else 1 - (1 - level) ** (size / many)


def _doubled_ranks(groups: Sequence[Values]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Twice the ranks of all values: whole numbers, as ties have the mean of their ranks; and how often each occurs."""
    _, places, counts = np.unique(np.concatenate(groups), return_inverse=True, return_counts=True)
    return (2 * np.cumsum(counts) - counts + 1)[places], counts


def _over_subsets(values: Sequence[float]) -> Array:
    """The sum of the values of each subset, ``[2^n]``."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


@lru_cache(maxsize=1024)  # a report compares many groups of few sizes
def _tails(weights: tuple[int, ...], size: int) -> tuple[Array, Array]:
    """P(S ≤ s) and P(S ≥ s) for s = 0, 1, …, where S is the sum of ``size`` of the weights drawn without replacement.

    The subsets are counted by adding one weight after the other: those with a sum s either leave it out or have it.
    """
    counts = np.zeros((size + 1, sum(weights) + 1))
    counts[0, 0] = 1
    for weight in weights:
        counts[1:, weight:] += counts[:-1, : counts.shape[1] - weight]
    shares = counts[size] / math.comb(len(weights), size)
    return np.cumsum(shares), np.cumsum(shares[::-1])[::-1]
