"""The controller of p on simulated discriminators."""

import math

import pytest
import torch

from gan_lab.augmentations.probability import Probability


def controller(p=None, schedule="constant", target=0.6, speed=0.064, every=4, most=0.8, updates=10):
    """By default a step of p is 4 · 8 / 64 = ½ with 8 samples an update."""
    return Probability("ADA", p, schedule, target, speed, every, most, updates)


def logits(above: int, count: int = 10) -> torch.Tensor:
    """Logits of which so many are above 0 and the others below: r_t = (2 · above − count) / count."""
    return torch.tensor([3.0] * above + [-1.0] * (count - above))


def observed(one, above, samples=8, undecided: float | None = 0.0, fake=None):
    return one.observe(logits(above), logits(5) if fake is None else fake, undecided, samples)


def test_p_takes_a_step_of_known_size_every_four_updates():
    """sign(r_t − target) · (4 · B) / (1000 · speed)."""
    one = controller(speed=0.32)
    found = [observed(one, 9)["augmentation/p"].item() for _ in range(13)]
    assert found == pytest.approx([0.0] * 4 + [0.1] * 4 + [0.2] * 4 + [0.3])
    found = [observed(one, 6)["augmentation/p"].item() for _ in range(12)]  # the thirteenth of 9 was one of four
    assert found == pytest.approx([0.3] * 3 + [0.2] * 4 + [0.1] * 4 + [0.0], abs=1e-6)


def test_r_t_is_the_mean_sign_over_the_updates_since_the_last_step():
    """Means of 1, 0, 1 and 0.2 are 0.55, below the target; with 0.6 in the place of 0.2 they are 0.65."""
    for last, step in ((6, 0.0), (8, 0.5)):
        one = controller()
        for above in (10, 5, 10, last):
            curves = observed(one, above)
        assert curves["augmentation/r_t"].item() == pytest.approx(2 * last / 10 - 1)
        assert one.p.item() == pytest.approx(step)
        assert one.signs.item() == 0


def test_p_rises_falls_and_stays_within_its_bounds():
    one = controller(most=0.7)
    for above, expected in ((10, 0.5), (10, 0.7), (10, 0.7), (5, 0.2), (5, 0.0), (5, 0.0), (10, 0.5)):
        for _ in range(4):
            observed(one, above)
        assert one.p.item() == pytest.approx(expected, abs=1e-6)


def test_p_settles_where_r_t_meets_the_target():
    """A discriminator whose share of reals above 0 falls with p: r_t = 1 − p meets 0.6 at p = 0.4."""
    one = controller(speed=6.4)  # steps of 0.005
    generator = torch.Generator().manual_seed(0)
    for _ in range(1200):
        real = torch.where(torch.rand(64, generator=generator) < 1 - one.p / 2, 1.0, -1.0)
        one.observe(real, -real, 0.0, 8)
    assert one.p.item() == pytest.approx(0.4, abs=0.05)


def test_r_t_counts_from_the_logit_of_no_decision():
    one = controller()
    real = torch.tensor([0.4, 0.6, 0.7, 0.9])
    assert one.observe(real, real, 0.5, 8)["augmentation/r_t"].item() == 0.5
    assert one.observe(real, real, 0.0, 8)["augmentation/r_t"].item() == 1.0


def test_without_such_a_logit_it_counts_from_between_the_means():
    """The middle moves with a number added to all logits, from one update to the next too, as a critic's do."""
    one = controller()
    for shift in (0.0, 50.0, -300.0):
        real, fake = torch.tensor([2.0, 4.0]) + shift, torch.tensor([-1.0, 1.0]) + shift
        assert one.observe(real, fake, None, 8)["augmentation/r_t"].item() == 1.0  # above 1.5
        real = torch.tensor([0.5, 1.6, 1.6, 1.9]) + shift
        assert one.observe(real, fake, None, 8)["augmentation/r_t"].item() == 0.5  # 0.5 is below 0.7


def test_logits_that_are_not_finite_change_nothing():
    one = controller()
    for _ in range(3):
        observed(one, 10, undecided=None, fake=logits(0))
    curves = one.observe(torch.tensor([math.nan, 1.0]), torch.tensor([math.inf, 1.0]), None, 8)
    assert curves["augmentation/r_t"].isfinite()
    assert one.p.isfinite()


def test_a_number_is_kept():
    one = controller(p=0.3)
    found = [observed(one, 10)["augmentation/p"].item() for _ in range(9)]
    assert found == pytest.approx([0.3] * 9)


def test_a_cosine_goes_from_0_at_the_first_update_to_p_at_the_last():
    one = controller(p=0.6, schedule="cosine", updates=5)
    found = [observed(one, 5)["augmentation/p"].item() for _ in range(6)]
    quarter = 0.6 * (1 - math.sqrt(0.5)) / 2
    assert found == pytest.approx([0.0, quarter, 0.3, 0.6 - quarter, 0.6, 0.6], abs=1e-6)


def test_state_goes_on_where_it_was_saved():
    one = controller(speed=0.32)
    for above in (10, 9, 9, 9, 9, 9):
        observed(one, above, undecided=None, fake=logits(1))
    other = controller(speed=0.32)
    other.load_state_dict(one.state_dict())
    for above in (9, 9, 10, 8, 8, 8, 10, 9):
        first, second = (observed(each, above, undecided=None) for each in (one, other))
        assert {name: value.item() for name, value in first.items()} == {k: v.item() for k, v in second.items()}
