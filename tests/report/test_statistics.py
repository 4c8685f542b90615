"""The statistics against hand-worked values, rliable's, and simulation."""

import numpy as np
import pytest
from scipy import stats

from gan_lab.report import statistics as st


def test_rliable_truths():
    """shared/LITERATURE.md §6: scores [runs, tasks]."""
    x = np.array([[1, 2], [2, 2], [1, 1], [2, 1]], dtype=float)
    y = np.array([[1, 1], [2, 2], [3, 3]], dtype=float)
    assert st.interquartile_mean(x) == pytest.approx(1.5, abs=1e-12)
    assert st.interquartile_mean(y) == pytest.approx(2.0, abs=1e-12)
    assert st.mean_probability_of_improvement(list(x.T), list(y.T)).value == pytest.approx(1 / 3, abs=1e-12)


def test_interquartile_mean_is_scipys_trimmed_mean():
    values = np.random.default_rng(1).normal(size=11)
    assert st.interquartile_mean(values) == pytest.approx(float(stats.trim_mean(values, 0.25)), abs=1e-12)


@pytest.mark.parametrize("count", range(1, 9))
def test_no_ranking_improves_by_losing_a_run(count):
    values = list(np.random.default_rng(count).normal(size=count))
    assert st.ranking_key(values) == (0, st.interquartile_mean(values))
    for lost in range(count):
        others = [*values[:lost], *values[lost + 1 :]]
        share, middle = st.ranking_key([*values[:lost], np.inf, *values[lost + 1 :]])
        assert share == pytest.approx(1 / count, abs=1e-12)
        assert middle == (st.interquartile_mean(others) if others else np.inf)


def test_ranks_go_by_the_share_of_lost_runs_then_by_the_mean():
    keys = np.array([[0.0, 5.0], [0.1, 1.0], [0.1, 1.0], [0.0, 4.0], [1.0, np.inf], [1.0, np.inf]])[:, None]
    assert st.ranks(keys, "min")[:, 0].tolist() == [2, 3, 3, 1, 5, 5]
    assert st.ranks(keys, "average")[:, 0].tolist() == [2, 3.5, 3.5, 1, 5.5, 5.5]


def test_probability_of_improvement_is_mann_whitneys():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 5, 7).astype(float), rng.integers(1, 6, 6).astype(float)
    expected = stats.mannwhitneyu(x, y).statistic / (7 * 6)
    assert st.probability_of_improvement(x, y).value == pytest.approx(expected, abs=1e-12)


def test_equal_samples_improve_with_probability_one_half():
    values = [3.0, 1.0, 2.0, 2.0]
    estimate = st.probability_of_improvement(values, values)
    assert estimate.value == 0.5
    assert estimate.interval is not None
    low, high = estimate.interval
    assert low + high == pytest.approx(1, abs=1e-6)  # symmetric about one half
    assert 0.1 < low < 0.3


@pytest.mark.parametrize(("seeds", "settled"), [(3, False), (4, True)])
def test_complete_separation_settles_from_four_seeds_on(seeds, settled):
    """As the exact Mann-Whitney test: p = 0.1 for 3 against 3, 0.029 for 4 against 4."""
    x, y = np.arange(seeds) + 10.0, np.arange(seeds) * 1.0
    estimate = st.probability_of_improvement(x, y)
    assert estimate.value == 1
    assert (estimate.interval[0] > 0.5) == settled
    assert (stats.mannwhitneyu(x, y, method="exact").pvalue < 0.05) == settled


@pytest.mark.parametrize("function", [st.mean, lambda x: st.probability_of_improvement(x, [1, 2, 3])])
def test_fewer_than_three_seeds_have_no_interval(function):
    assert function([1.0, 2.0]).interval is None
    assert function([1.0, 2.0, 4.0]).interval is not None


def draws(kind: str, n: int) -> tuple[np.ndarray, float]:
    rng = np.random.default_rng(n)
    if kind == "normal":
        return rng.normal(size=(2000, n)), 0.0
    if kind == "two values":  # seven modes or eight
        return 7 + rng.integers(0, 2, (2000, n)).astype(float), 7.5
    return np.exp(0.5 * rng.normal(size=(2000, n))), float(np.exp(0.125))


def students(row: np.ndarray) -> tuple[float, float]:
    ends = stats.t.interval(0.95, len(row) - 1, row.mean(), stats.sem(row)) if np.ptp(row) else (row[0], row[0])
    return float(ends[0]), float(ends[1])


@pytest.mark.parametrize(("kind", "n"), [("normal", 3), ("normal", 4), ("normal", 5), ("normal", 10), ("skewed", 5)])
def test_coverage_of_the_mean(kind, n, monkeypatch):
    """95 % intervals hold the truth in 93-97 % of 2,000 draws."""
    monkeypatch.setattr(st, "_RESAMPLES", 500)  # for time: 2,000 only smooth the ends
    values, truth = draws(kind, n)
    intervals = np.array([st.mean_interval(row) for row in values])
    covered = ((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])).mean()
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("kind", ["normal", "skewed", "two values"])
@pytest.mark.parametrize("n", [3, 4, 5, 10])
def test_no_interval_of_the_mean_is_narrower_than_students(kind, n, monkeypatch):
    """Of two values the bootstrap alone covers 37 % (n = 4) and 62 % (5), Student's t 88 % and 94 %."""
    monkeypatch.setattr(st, "_RESAMPLES", 300)
    for row in draws(kind, n)[0][:300]:
        (low, high), (students_low, students_high) = st.mean_interval(row), students(row)
        assert low <= students_low + 1e-9
        assert high >= students_high - 1e-9
        assert high - low <= 3 * (students_high - students_low) + 1e-9  # and no end is sent to infinity


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([8, 8, 8, 8, 7], 7.8 - 3 * 0.2, 7.8 + 2.776445 * 0.2),
        ([8, 8, 8, 7], 7.75 - 3.182446 * 0.25, 7.75 + 3.182446 * 0.25),
        ([0.2, 0.21, 0.19, 0.2, 2.08], 0.576 - 2.776445 * 0.376007, 0.576 + 3 * 0.376007),
    ],
)
def test_an_odd_one_out(values, low, high):
    """By hand: quantiles of Student's t by table; draws without the odd one lie one standard error from the mean (but
    for the spread of the others), and are measured in a third of one, so that the end beyond it is three away."""
    assert st.mean_interval(values) == pytest.approx((low, high), abs=0.02)


def test_coverage_of_the_stratified_mean(monkeypatch):
    monkeypatch.setattr(st, "_RESAMPLES", 500)
    rng = np.random.default_rng(3)
    intervals = np.array(
        [st.mean_interval(rng.normal(0, 1, 5), rng.normal(4, 3, 6)) for _ in range(2000)]
    )  # strata of unlike mean and spread; the mean over both is 2
    covered = ((intervals[:, 0] <= 2) & (intervals[:, 1] >= 2)).mean()
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(("n", "shift"), [(3, 0.0), (4, 0.0), (5, 0.0), (5, 1.0), (10, 0.5)])
def test_coverage_of_the_probability_of_improvement(n, shift):
    """Normal values a shift apart: the truth is Φ(shift / √2). A score interval of few seeds errs to the safe side."""
    rng = np.random.default_rng(n)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    ends = [st.probability_of_improvement(rng.normal(shift, 1, n), rng.normal(0, 1, n)).interval for _ in range(2000)]
    covered = np.mean([low <= truth <= high for low, high in ends])
    assert 0.93 <= covered <= (1.0 if n == 3 else 0.98)


def test_the_mean_probability_of_improvement_recovers_variances():
    """By hand from the tasks' intervals (MOVER): each end as far as the root of the summed squares, over two tasks."""
    x, y = [[1.0, 3, 5, 9], [2.0, 2, 4, 4]], [[2.0, 4, 6, 8], [1.0, 3, 3, 3]]
    one, other = (st.probability_of_improvement(*pair) for pair in zip(x, y, strict=True))
    both = st.mean_probability_of_improvement(x, y)
    assert both.value == pytest.approx((one.value + other.value) / 2, abs=1e-12)
    below = np.hypot(one.value - one.interval[0], other.value - other.interval[0]) / 2
    above = np.hypot(one.interval[1] - one.value, other.interval[1] - other.value) / 2
    assert both.interval == pytest.approx((both.value - below, both.value + above), abs=1e-12)
    assert st.mean_probability_of_improvement([*x, [1.0]], [*y, [2.0]]).interval is None


def test_constant_values_have_a_point_for_an_interval():
    assert st.mean([8.0, 8.0, 8.0, 8.0]) == st.Estimate(8.0, (8.0, 8.0))


def test_pairing_by_seed_removes_what_seeds_share():
    """Values 1 to 5 plus noise of seeds that both share: the difference is 0.5 exactly."""
    x = {seed: float(seed) for seed in range(5)} | {9: 100.0}
    y = {seed: seed - 0.5 for seed in range(5)}
    assert st.paired_difference(x, y) == st.Estimate(0.5, (0.5, 0.5))
    assert st.paired_difference({0: 1.0}, {1: 1.0}) is None


def test_rank_probabilities():
    far = st.rank_probabilities([[1, 1.1, 1.2], [5, 5.1, 5.2], [np.inf] * 3])
    np.testing.assert_allclose(far, np.eye(3))
    rng = np.random.default_rng(4)
    same = rng.normal(size=6)
    near = st.rank_probabilities([same, same])
    np.testing.assert_allclose(near.sum(1), 1)
    assert near[0, 0] == pytest.approx(0.5, abs=0.05)  # 2,000 resamples: standard error 0.011, and ties


def test_the_rank_of_groups_that_lost_runs_goes_by_the_share():
    """Binomial: a draw of ten runs from one that lost 9 has fewer lost than one from one that lost 1 in < 10^-5."""
    found = st.rank_probabilities([[0.5] * 9 + [np.inf], [0.1] + [np.inf] * 9])
    assert found[1, 0] < 0.01
    assert found[0, 0] > 0.99


def test_failure_rate_is_clopper_pearson():
    """Rule of three's exact form: 0 of 5 leaves up to 1 − 0.025^(1/5)."""
    estimate = st.failure_rate(0, 5)
    assert estimate.value == 0
    assert estimate.interval == pytest.approx((0, 1 - 0.025 ** (1 / 5)), abs=1e-9)


def test_best_of_budget_is_the_mean_over_all_subsets():
    """By hand: of {1, 2, 4}, one: 7/3; two: (1 + 1 + 2)/3; all: 1."""
    np.testing.assert_allclose(st.best_of_budget([4, 1, 2]), [7 / 3, 4 / 3, 1], rtol=1e-12)


def test_best_of_budget_of_many_runs_does_not_overflow():
    """The lowest of k of the numbers 1 … n has the mean (n + 1)/(k + 1)."""
    n = 1500
    expected = (n + 1) / (np.arange(1, n + 1) + 1)
    np.testing.assert_allclose(st.best_of_budget(range(1, n + 1)), expected, rtol=1e-10)
