"""What a report claims of groups that are all equal, and of groups that are not."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gan_lab.report import significance
from gan_lab.report.significance import told_apart


def normal(rng, size):
    return rng.normal(size=size)


def two_values(rng, size):
    return rng.integers(0, 2, size).astype(float)


@pytest.mark.parametrize("draw", [normal, two_values])
@pytest.mark.parametrize(("groups", "seeds"), [(2, 5), (3, 4), (5, 5), (5, 10), (18, 6), (18, 10)])
def test_equal_groups_claim_something_in_at_most_one_study_of_twenty(draw, groups, seeds):
    """300 studies: the standard error at 5 % is 1.3 %. Pairwise 95 % intervals do in 17 % (5 × 5) to 78 % (18 × 10)."""
    rng = np.random.default_rng(groups + seeds)
    found = [told_apart([draw(rng, (groups, seeds))])[0].any() for _ in range(300)]
    assert np.mean(found) <= 0.07


def test_the_claims_of_several_datasets_share_the_level():
    rng = np.random.default_rng(1)
    found = [told_apart([normal(rng, (4, 8)) for _ in range(4)]) for _ in range(400)]
    assert np.mean([any(one.any() for one in of_studies) for of_studies in found]) <= 0.07


@pytest.mark.parametrize("places", [[0] * 8 + [3], [0, 0, 9, 9, 18, 18, 27, 27], [0] * 5 + [-1.5, 0.75, 0.75, 1.5]])
def test_groups_that_differ_do_not_make_equal_ones_differ(places):
    """A loser, four pairs far from each other, a ladder around equal groups: claims between equal groups are false."""
    rng = np.random.default_rng(2)
    means = np.array(places, dtype=float)
    equal = np.equal.outer(means, means) & ~np.eye(len(means), dtype=bool)
    found = [told_apart([normal(rng, (len(means), 8)) + means[:, None]])[0] for _ in range(400)]
    assert np.mean([(one & equal).any() for one in found]) <= 0.07
    assert np.mean([one[0, -1] for one in found]) >= 0.2  # and true differences are found


def test_groups_that_differ_are_told_apart():
    rng = np.random.default_rng(3)
    groups = [rng.normal(place, 0.1, 6) for place in range(18)]
    for others in ([], [[[np.inf] * 6] * 3]):
        first, *rest = told_apart([groups, *others])
        assert (first == ~np.eye(18, dtype=bool)).all()
        assert not any(one.any() for one in rest)


def test_lost_runs_count_as_the_worst():
    assert told_apart([[[1, 2, 3, 4, 5.0], [np.inf] * 5]])[0].tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize("draw", [normal, two_values])
def test_the_statistic_of_every_subset_is_scipys(draw):
    groups = [draw(np.random.default_rng(size), size) for size in (3, 5, 4, 6)]
    found, sizes = significance.kruskal_wallis_of_subsets(groups)
    for subset in range(16):
        members = [group for place, group in enumerate(groups) if subset >> place & 1]
        assert sizes[subset] == len(members)
        if len(members) > 1 and len(set(np.concatenate(members))) > 1:
            assert found[subset] == pytest.approx(stats.kruskal(*members).statistic, rel=1e-9)


def test_decisions_are_those_of_the_closed_test():
    """Every subset that holds a pair is tested on its own, by SciPy, at 1 − 0.95^(p/5), at 0.05 for four and five."""
    levels = {2: 1 - 0.95 ** (2 / 5), 3: 1 - 0.95 ** (3 / 5), 4: 0.05, 5: 0.05}
    rng = np.random.default_rng(4)
    claims = 0
    for _ in range(12):
        groups = [rng.normal(place / 2, 1, 7) for place in range(5)]
        (found,) = told_apart([groups])
        for i, j in itertools.combinations(range(5), 2):
            chances = []
            for size in range(4):
                for others in itertools.combinations(sorted({*range(5)} - {i, j}), size):
                    members = [groups[one] for one in (i, j, *others)]
                    test = stats.kruskal if others else lambda *two: stats.mannwhitneyu(*two, method="exact")
                    chances.append(test(*members).pvalue <= levels[size + 2])
            assert found[i, j] == found[j, i] == all(chances)
            claims += all(chances)
    assert 10 <= claims <= 110  # of 120: both answers occur


def test_more_than_twenty_groups_have_holms_correction():
    """210 pairs: eight seeds without overlap have p = 2/12870, times 210 is 0.033; seven 2/3432, times 210 is 0.12."""
    apart = [list(np.arange(8) + 100.0 * place) for place in range(21)]
    assert told_apart([apart])[0].sum() == 420
    assert not told_apart([[values[:7] for values in apart]])[0].any()


def test_holms_adjusted_chances():
    """By hand: 0.01 · 3, then max(0.03, 0.02 · 2), then max(0.04, 0.03 · 1); at most 1."""
    assert significance.holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04], abs=1e-12)
    assert significance.holm([0.9, 0.8]) == [1, 1]
    assert significance.holm([]) == []


@pytest.mark.parametrize(("groups", "seeds"), [(2, 4), (3, 4), (4, 5), (12, 5), (13, 6), (18, 6), (21, 8)])
def test_the_fewest_seeds_that_settle_an_order(groups, seeds):
    """Two orders of C(2n, n) are without overlap: p = 2/70, 2/252, 2/924 for 4, 5, 6 seeds.

    The levels of a pair are 0.05 among two and three groups, 1 − 0.95^(2/k) among more: .025 of 4, .0085 of 12,
    .0079 of 13, .0057 of 18.
    """
    assert significance.fewest_seeds(significance.pair_level(groups, 1)) == seeds
    apart = [list(np.arange(seeds) + 100.0 * place) for place in range(groups)]
    assert told_apart([apart])[0].sum() == groups * (groups - 1)
    assert not told_apart([[values[: seeds - 1] for values in apart]])[0].any()


SATURATED = [[math.log(8)] * 4] * 3


def test_ties_are_no_surer_than_they_are():
    """Of four groups a pair's level is .0253: p = 2/70 = .0286, where the normal approximation has .0211."""
    apart = [0.1, 0.11, 0.12, 0.13]
    assert significance.mann_whitney(apart, SATURATED[0]) == pytest.approx(2 / 70, rel=1e-12)
    assert not told_apart([[apart, *SATURATED]])[0].any()
    five = [[0.1, 0.11, 0.12, 0.13, 0.14], *[[math.log(8)] * 5] * 12]
    assert not told_apart([five])[0].any()  # 2/252 = .00794 against .00786


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (3, 3), (4, 3), (4, 4)])
def test_the_exact_chance_against_enumeration(sizes):
    """All ways to give the values of both groups to them, over a grid of values that tie in every manner."""
    n, m = sizes
    rng = np.random.default_rng(n * 10 + m)
    for levels in (1, 2, 3, 8):
        values = rng.integers(0, levels, n + m).astype(float)
        ranks = stats.rankdata(values)
        sums = [sum(ranks[list(chosen)]) for chosen in itertools.combinations(range(n + m), n)]
        below, above = (
            np.mean([compare(one, sums[0]) for one in sums]) for compare in (np.less_equal, np.greater_equal)
        )
        expected = min(1.0, 2 * min(below, above))
        assert significance.mann_whitney(values[:n], values[n:]) == pytest.approx(expected, rel=1e-12)


def test_without_ties_it_is_scipys_exact_test():
    rng = np.random.default_rng(0)
    for n, m in ((3, 9), (10, 10), (25, 30)):
        one, other = rng.normal(size=n), rng.normal(0.5, size=m)
        expected = stats.mannwhitneyu(one, other, method="exact").pvalue
        assert significance.mann_whitney(one, other) == pytest.approx(expected, rel=1e-9)
