"""What is said of two groups that are not told apart: how large their difference can be, and what would settle it."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from gan_lab.report import significance, statistics
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.statistics import FEWEST, Array

POWER = 0.8
"""The share of repetitions that shall find the difference."""
MOST = 1000
"""Seeds a group beyond which it is not looked how many are needed."""
_DRAWS = 1000
_SEED = 20212  # arbitrary but fixed: the same runs give the same report


def bound(board: Board, one: Row, other: Row) -> float | None:
    """The largest difference of two groups' means that the runs leave possible, either way.

    It is the farther end of an interval of the mean difference within seeds, at a level that holds for all pairs of
    groups on all boards of the report together (Bonferroni). Lost runs have no value, so that nothing is said of groups
    that lost some; nor of groups whose differences are all the same, which show no spread.
    """
    if any(not math.isfinite(value) for row in (one, other) for value in board.losses(row)):
        return None
    ours, theirs = one.by_seed(board.primary), other.by_seed(board.primary)
    differences = [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]
    size = max(map(abs, differences), default=0.0)
    if len(differences) < FEWEST or max(differences) - min(differences) <= 1e-9 * size:  # equal but for rounding
        return None
    low, high = largest_difference(differences, board.claims.comparisons)
    least, most = board.bounds(board.primary)
    return min(max(-low, high), most - least)


def largest_difference(differences: Sequence[float] | Array, comparisons: int) -> tuple[float, float]:
    """The ends of the interval of a mean difference, at the level that holds for so many at once."""
    ends = statistics.mean_interval(differences, level=1 - significance.LEVEL / comparisons)
    assert ends is not None  # as there are three values
    return ends


def is_telling(board: Board, largest: float) -> bool:
    """Whether a bound says something: it is below the first group's mean, or a tenth of the metric's range."""
    low, high = board.bounds(board.primary)
    first = board.mean(board.ranked[0], board.primary)
    tenth = (high - low) / 10 if math.isfinite(high - low) else 0.0
    return first is not None and largest <= max(abs(first.value), tenth)


def seeds_needed(board: Board, one: Row, other: Row) -> float | None:
    """`needed` for two groups of a board, rounded up to two digits.

    None if that cannot be told: with fewer than 3 seeds, or where those at hand would do by the test of the two alone.
    Then a larger set of groups, or the interval of the mean difference, leaves it open. ``inf`` where the first
    loses more often than it wins, and leads by the other's lost runs or by a mean: then neither is ever called better.
    """
    ours, theirs = board.losses(one), board.losses(other)
    have = min(len(ours), len(theirs))
    if have >= FEWEST and board.improvement(one, other).value < 0.5:
        return math.inf
    if have < FEWEST or significance.mann_whitney(ours, theirs) <= board.claims.pair_level:
        return None
    found = max(needed(ours, theirs, board.claims.pair_level), have + 1)
    return -(-found // 10) * 10 if 100 <= found <= MOST else found


def needed(one: Sequence[float], other: Sequence[float], level: float) -> float:
    """The fewest seeds a group with which Mann & Whitney's test tells two groups apart with a probability of 0.8.

    The groups are taken for what the runs at hand show: as many values are drawn from each, with replacement, and
    tested at the level (`power`).

    Args:
        one, other: the runs' values; a lost run is ``inf``. level: of the test of two groups.

    Returns:
        The number, or ``inf`` above `MOST`.
    """
    low = significance.fewest_seeds(level)
    if power(one, other, MOST, level) < POWER:
        return math.inf
    high = MOST
    while low < high:  # power grows with the number of seeds
        middle = (low + high) // 2
        low, high = (low, middle) if power(one, other, middle, level) >= POWER else (middle + 1, high)
    return high


def power(one: Sequence[float], other: Sequence[float], seeds: int, level: float) -> float:
    """The share of draws of so many seeds from each group that Mann & Whitney's test finds to differ as the runs do.

    The test is exact as far as the report's is, if no value is in both groups: that one run is drawn twice is no tie.
    Else it is the normal approximation, corrected for ties and continuity.
    """
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    below = np.less.outer(first, second) + np.equal.outer(first, second) / 2
    values, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    rng = np.random.default_rng(_SEED)
    ours = rng.multinomial(seeds, np.full(len(first), 1 / len(first)), _DRAWS)  # how often each run is drawn
    theirs = rng.multinomial(seeds, np.full(len(second), 1 / len(second)), _DRAWS)
    wins = ((ours @ below) * theirs).sum(1)
    ahead = np.sign(below.mean() - 0.5) * (wins - seeds**2 / 2)
    if 2 * seeds <= significance.EXACT and not np.isin(first, second).any():
        return float(np.mean(ahead >= significance.fewest_wins(seeds, level) - seeds**2 / 2))
    tied = np.concatenate([ours, theirs], axis=1) @ np.eye(len(values))[places]
    total = 2 * seeds
    variance = seeds**2 / 12 * (total + 1 - (tied**3 - tied).sum(1) / (total * (total - 1)))
    certain = ahead - 0.5 >= -special.ndtri(level / 2) * np.sqrt(np.maximum(variance, 0))
    return float(np.mean(certain & (ahead > 0.5)))
