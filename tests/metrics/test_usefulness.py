"""Classification accuracy scores of made-up samples whose worth to a classifier is known."""

import pytest
import torch

from gan_lab.metrics.usefulness import Labelled, usefulness
from gan_lab.report.usefulness import over_runs


def lines(count: int, seed: int, flipped: bool = False) -> Labelled:
    """Bright columns on the left (class 0) or on the right (class 1) of noise; flipped: with the other's label."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 100, (count, 1, 8, 8), generator=draw, dtype=torch.uint8)
    labels = torch.arange(count) % 2
    images[labels == 0, :, :, 1] += 150
    images[labels == 1, :, :, 6] += 150
    return Labelled(images, 1 - labels if flipped else labels)


def test_good_and_wrong_samples():
    real, held_out = lines(100, 0), lines(60, 1)
    good = usefulness(real, lines(100, 2), held_out, 40, 0)
    assert good == pytest.approx((1, 1, 1, 1), abs=0.05)
    wrong = usefulness(real, lines(100, 2, flipped=True), held_out, 40, 0)
    assert wrong.real == good.real  # the same classifier: of the same samples and the same seed
    assert wrong.fake == pytest.approx(0, abs=0.05)
    assert wrong.tested_on_fake == pytest.approx(0, abs=0.05)


def test_one_sample_a_class_fools_the_test_on_fakes_alone():
    """A classifier of real images is right about every copy of the same two pictures: it asks for no variety."""
    real, held_out = lines(200, 0), lines(100, 1)
    fake = lines(100, 2)
    fake.images[:] = fake.images[:2].repeat(50, 1, 1, 1)
    made = usefulness(real, fake, held_out, 40, 0)
    assert made.tested_on_fake == 1
    assert made.real == pytest.approx(1, abs=0.02)


def test_global_randomness_and_threads_stay_as_they_are():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    usefulness(lines(20, 0), lines(20, 1), lines(20, 2), 2, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_means_and_differences_within_runs():
    """Differences are exactly 0.1 and -0.2 in each run, however far apart the runs are."""
    runs = [
        {"cas": {"real": r, "fake": r - 0.2, "real_and_fake": r + 0.1, "tested_on_fake": 1.0}} for r in (0.5, 0.6, 0.8)
    ]
    found = over_runs(runs)
    assert found["runs"] == 3
    assert found["cas"]["real"]["mean"] == pytest.approx(1.9 / 3)
    low, high = found["cas"]["real"]["interval"]
    assert low < 0.5 < 0.8 < high  # Student's t of three values
    assert set(found["minus_real"]) == {"fake", "real_and_fake"}
    for name, gain in (("fake", -0.2), ("real_and_fake", 0.1)):
        entry = found["minus_real"][name]
        assert entry["mean"] == pytest.approx(gain)
        assert entry["interval"] == pytest.approx((gain, gain))
    assert over_runs(runs[:2])["cas"]["real"]["interval"] is None
