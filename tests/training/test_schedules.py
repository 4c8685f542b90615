"""Schedules at the points where their value is known."""

import pytest

from gan_lab.training.schedules import Schedule


@pytest.mark.parametrize(
    ("decay", "warmup", "expected"),
    [
        ("constant", 0, {0: 1.0, 50: 1.0, 100: 1.0}),
        ("linear", 0, {0: 1.0, 25: 0.75, 100: 0.0, 120: 0.0}),
        ("cosine", 0, {0: 1.0, 50: 0.5, 25: 0.5 * (1 + 0.5**0.5), 100: 0.0}),  # cos(π/4) = √½
        ("constant", 4, {0: 0.2, 3: 0.8, 4: 1.0}),
        ("linear", 20, {19: 20 / 21, 20: 1.0, 60: 0.5, 100: 0.0}),
    ],
)
def test_factors(decay, warmup, expected):
    schedule = Schedule(decay, warmup, 100)
    assert {i: schedule(i) for i in expected} == pytest.approx(expected, abs=1e-12)


def test_a_warmup_longer_than_training():
    assert Schedule("linear", 10, 5)(4) == pytest.approx(5 / 11)
