"""The paired tests that the report's is compared with, against values by hand and SciPy's."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

MADE = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "simulate_decisions.py"))


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_the_smallest_chance_of_paired_runs(seeds):
    """Two of the 2^n changes of signs are as extreme as differences that all have one sign."""
    behind = np.arange(seeds) + 1.0
    for test in ("sign_flip", "signed_rank"):
        assert MADE[test](np.zeros(seeds), behind) == pytest.approx(2 / 2**seeds, rel=1e-12)
        assert MADE[test](behind, behind) == 1


def test_against_scipy():
    rng = np.random.default_rng(0)
    for seeds in (6, 9):
        one, other = rng.normal(size=seeds), rng.normal(0.8, size=seeds)
        rank = stats.wilcoxon(one, other, method="exact").pvalue
        assert MADE["signed_rank"](one, other) == pytest.approx(rank, rel=1e-9)
        flips = stats.permutation_test((one - other,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        assert MADE["sign_flip"](one, other) == pytest.approx(flips, rel=1e-9)


def test_friedmans_test_is_scipys():
    values = np.round(np.random.default_rng(1).normal(size=(4, 7)), 1)
    expected = stats.friedmanchisquare(*values).pvalue
    assert MADE["friedman"](values) == pytest.approx(expected, rel=1e-9)


def test_lost_runs_are_worse_than_others_and_equal_to_each_other():
    """By hand: of 1, lost, lost and 2, 3, lost they are 1 − 2, worst − 3 and 0; worst is 2 · 3 − 1 + 1."""
    lost = MADE["differences"](np.array([1, np.inf, np.inf]), np.array([2, 3, np.inf]))
    assert lost.tolist() == [-1, 3, 0]
