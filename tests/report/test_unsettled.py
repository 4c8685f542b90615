"""Of groups that are not told apart: how large their difference can be, and how many seeds would settle it."""

import math

import numpy as np
import pytest
from pages import answers, board, page
from scipy import stats

from gan_lab.report import significance, unsettled
from gan_lab.report.collect import read
from gan_lab.report.sections import content


def planted(run, folder, **groups):
    """A run for each group and value."""
    for loss, values in groups.items():
        for seed, value in enumerate(values):
            run(folder / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"modes": 8.0, "reverse_kl": value}, points=3)
    return folder


def test_the_bound_is_the_farther_end_of_students_interval(run, tmp_path):
    """Differences 0.1, 0.3 and 0.2: mean 0.2, standard error 0.1/√3; of one pair t(0.975, 2) = 4.303, so 0.448.

    Of three groups there are three pairs: t(1 − 0.05/6, 2) = 7.649, so 0.642.
    """
    for name, others, expected in (
        ("two", {}, 0.2 + 4.30265 * 0.1 / 3**0.5),
        ("three", {"c": (1.0, 1.2, 1.1)}, 0.6416),
    ):
        folder = planted(run, tmp_path / name, a=(1.0, 1.1, 1.2), b=(1.1, 1.4, 1.4), **others)
        found = board(folder)
        rows = {row.label: row for row in found.rows}
        assert unsettled.bound(found, rows["a"], rows["b"]) == pytest.approx(expected, abs=2e-4)
        assert unsettled.bound(found, rows["b"], rows["a"]) == pytest.approx(expected, abs=2e-4)
    assert (
        "the mean of a differs, either way, by no more than 0.448 from that of b, unless runs can end as none of"
        " these did." in answers(page(tmp_path / "two"))
    )


def test_nothing_is_said_of_lost_runs_equal_differences_and_few_seeds(run, tmp_path):
    folder = planted(run, tmp_path, a=(1.0, 1.1, 1.2), b=(1.1, 1.2, 1.3), c=(1.1, 1.4), d=(1.1, 1.5, 1.2))
    run(tmp_path / "lost", {"loss": "d", "seed": 4}, state="diverged")
    found = board(folder)
    rows = {row.label: row for row in found.rows}
    assert [unsettled.bound(found, rows["a"], rows[one]) for one in "bcd"] == [None] * 3


def test_a_bound_above_everything_seen_is_not_told(run, tmp_path):
    folder = planted(run, tmp_path, a=(0.01, 0.3, 0.02), b=(0.2, 0.03, 0.5))
    assert "by no more than" not in answers(page(folder))


@pytest.mark.parametrize(("seeds", "method"), [(6, "exact"), (15, "exact"), (40, "exact"), (60, "asymptotic")])
def test_the_power_is_that_of_scipys_test(seeds, method):
    """600 draws of seeds from the runs, each tested by SciPy: the standard error is at most 2 %."""
    rng = np.random.default_rng(seeds)
    one, other = rng.normal(0, 1, 8), np.append(rng.normal(0.8, 1, 6), [math.inf, 0.5])
    found = unsettled.power(list(one), list(other), seeds, 0.05)
    draws = [(rng.choice(one, seeds), rng.choice(other, seeds)) for _ in range(600)]
    tests = [stats.mannwhitneyu(*draw, method=method).pvalue <= 0.05 for draw in draws]
    assert found == pytest.approx(np.mean(tests), abs=0.06)


def test_the_seeds_needed_are_noethers():
    """Noether 1987: n = (z(0.975) + z(0.8))² / (6 (P − ½)²) with P = Φ(0.8/√2) = 0.714: 28.5 seeds a group."""
    places = stats.norm.ppf((np.arange(80) + 0.5) / 80)
    found = unsettled.needed(list(places), list(places + 0.8), 0.05)
    assert found is not None
    assert 25 <= found <= 32


def test_the_power_of_runs_that_tie_is_that_of_the_approximation():
    rng = np.random.default_rng(0)
    one, other = np.array([7.0, 8, 8, 8]), np.array([6.0, 7, 7, 8])
    draws = [(rng.choice(one, 12), rng.choice(other, 12)) for _ in range(600)]
    tests = [stats.mannwhitneyu(*draw, method="asymptotic").pvalue <= 0.05 for draw in draws]
    assert unsettled.power(list(one), list(other), 12, 0.05) == pytest.approx(np.mean(tests), abs=0.06)


@pytest.mark.parametrize("groups", [2, 12, 18, 35])
def test_of_groups_without_overlap_the_fewest_seeds_that_can_settle_it_do(groups):
    level = significance.pair_level(groups, 1)
    for one in ([1.0, 2.0, 3.0], [1.0, 1.0, 3.0]):  # values that tie within a group change nothing
        found = unsettled.needed(one, [11.0, 12.0, 13.0], level)
        assert found == significance.fewest_seeds(level)


@pytest.mark.parametrize("level", [0.05, 0.0079, 1e-4])
def test_the_fewest_wins_are_those_of_the_exact_test(level):
    """Seven values against 1 to 7: some are above all, one is in between, the others are below all."""

    def chance(wins):
        above, between = divmod(wins, 7)
        one = [*(10.0 + k for k in range(above)), between + 0.5, *(-1.0 - k for k in range(6 - above))][:7]
        return stats.mannwhitneyu(one, np.arange(1.0, 8.0), method="exact").pvalue

    told = [wins for wins in range(25, 50) if chance(wins) <= level]
    assert significance.fewest_wins(7, level) == min(told, default=math.inf)


def test_what_no_number_of_seeds_would_settle():
    assert unsettled.needed([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.05) == math.inf
    assert unsettled.needed([1.0, 2.0, 3.0], [11.0, 12.0, 13.0], 0.05) == 4  # 2/70


def test_the_page_tells_the_seeds_needed(run, tmp_path):
    folder = planted(run, tmp_path, a=(1.0, 1.1, 1.2), b=(2.1, 2.4, 2.4))
    (section,) = content(read([folder]), None).sections
    assert (
        "about 4 seeds a group would settle it between a and b, by the test of the two alone (power 0.8)."
        in section.answer
    )
    assert [row.open for row in section.rows] == ["", "about 4 seeds would"]


def test_no_seeds_are_asked_for_where_those_at_hand_would_do_by_the_test_of_the_two(run, tmp_path):
    """Ten below three: p = 2/286. The interval of the three differences, 1, 2 and 0.2, holds 0."""
    ten = (1.0, 0.9, 1.1, *(0.5 + 0.01 * step for step in range(7)))
    (section,) = content(read([planted(run, tmp_path, a=ten, b=(2.0, 2.9, 1.3))]), None).sections
    assert "is not settled" in section.answer
    assert "seeds a group" not in section.answer
    assert [row.open for row in section.rows] == ["", ""]


@pytest.mark.parametrize("runs", [5, 9])  # with nine, the test of the two finds the second better
def test_no_seeds_are_promised_where_the_first_loses_more_often_than_it_wins(run, tmp_path, runs):
    """It leads, as the other lost a run, and loses to all others: a test of more runs would find the other one."""
    places = np.arange(runs) / 10
    planted(run, tmp_path, a=(2 + places).tolist(), b=(1 + places[1:]).tolist())
    run(tmp_path / "lost", {"loss": "b", "seed": runs}, state="diverged")
    (section,) = content(read([tmp_path]), None).sections
    assert f"leads only because b lost 1 of {runs} runs" in section.answer
    assert "1,000 seeds a group would not settle it between a and b." in section.answer
    assert [row.open for row in section.rows] == ["", ""]


def test_the_bounds_of_all_pairs_hold_together():
    """300 studies of four groups a deviation apart, 8 seeds: six bounds at once, of which 5 % may hold a false one."""
    rng = np.random.default_rng(5)
    places = np.arange(4.0)
    false = []
    for _ in range(300):
        values = rng.normal(size=(4, 8)) + places[:, None]
        ends = [unsettled.largest_difference(values[i] - values[j], 6) for i in range(4) for j in range(i)]
        truths = [places[i] - places[j] for i in range(4) for j in range(i)]
        false.append(any(not low <= truth <= high for (low, high), truth in zip(ends, truths, strict=True)))
    assert np.mean(false) <= 0.07
