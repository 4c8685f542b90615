"""What a report claims of groups that are all equal, and of groups that are not."""

import numpy as np
import pytest

from gan_lab.report import significance
from gan_lab.report.statistics import interquartile_mean


def normal(rng, size):
    return rng.normal(size=size)


def two_values(rng, size):
    return rng.integers(0, 2, size).astype(float)


def study(values):
    """Groups in order of rank."""
    return sorted(values, key=interquartile_mean)


@pytest.mark.parametrize("draw", [normal, two_values])
@pytest.mark.parametrize(("groups", "seeds"), [(2, 5), (5, 5), (5, 10), (18, 6), (18, 10)])
def test_equal_groups_claim_something_in_at_most_one_study_of_twenty(draw, groups, seeds):
    """400 studies: the standard error at 5 % is 1.1 %. Pairwise 95 % intervals do in 17 % (5 × 5) to 78 % (18 × 10)."""
    rng = np.random.default_rng(groups + seeds)
    found = [any(significance.better_than([study(draw(rng, (groups, seeds)))])[0]) for _ in range(400)]
    assert np.mean(found) <= 0.07


def test_the_claims_of_several_datasets_share_the_level():
    rng = np.random.default_rng(1)
    found = [significance.better_than([study(normal(rng, (4, 8))) for _ in range(4)]) for _ in range(400)]
    assert np.mean([any(map(any, of_studies)) for of_studies in found]) <= 0.07


def test_a_loser_does_not_make_equal_groups_differ():
    """One group far behind makes all of them unequal; nothing may be claimed of the other nine for that."""
    rng = np.random.default_rng(2)
    false, true = [], []
    for _ in range(300):
        *others, loser = significance.better_than([[*study(normal(rng, (9, 8))), rng.normal(100, 1, 8)]])[0]
        false.append(any(others))
        true.append(loser)
    assert np.mean(false) <= 0.07
    assert all(true)


def test_groups_that_differ_are_told_apart():
    rng = np.random.default_rng(3)
    groups = [rng.normal(place, 0.1, 6) for place in range(18)]
    assert significance.better_than([groups]) == [[True] * 17]
    assert significance.better_than([groups, [[np.inf] * 6] * 3]) == [[True] * 17, [False] * 2]


def test_lost_runs_count_as_the_worst():
    assert significance.better_than([[[1, 2, 3, 4, 5.0], [np.inf] * 5]]) == [[True]]


def test_holms_adjusted_chances():
    """By hand: 0.01 · 3, then max(0.03, 0.02 · 2), then max(0.04, 0.03 · 1); at most 1."""
    assert significance.holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04], abs=1e-12)
    assert significance.holm([0.9, 0.8]) == [1, 1]
    assert significance.holm([]) == []


@pytest.mark.parametrize(("comparisons", "seeds"), [(1, 4), (2, 5), (4, 5), (6, 5), (7, 6), (17, 6), (23, 6), (24, 7)])
def test_the_fewest_seeds_that_settle_an_order(comparisons, seeds):
    """Two orders of C(2n, n) are without overlap: p = 2/70, 2/252, 2/924 for 4, 5, 6 seeds."""
    assert significance.fewest_seeds(comparisons) == seeds
    apart = [list(np.arange(seeds) + 100.0 * place) for place in range(comparisons + 1)]
    assert all(significance.better_than([apart])[0])
    fewer = [values[: seeds - 1] for values in apart]
    assert not any(significance.better_than([fewer])[0])
