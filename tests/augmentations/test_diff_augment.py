"""DiffAugment beside its closed forms: NETWORKS' ranges are those of Zhao et al. 2020's published code."""

import pytest
import torch
from steered import changed, images, seeded, steered

from gan_lab.augmentations import DiffAugment
from gan_lab.augmentations.diff_augment import brightness, contrast, cutout, saturation, translation

X = images(2)
U = torch.tensor([0.0, 0.75])  # two ends of a range would be 0 and 1


def test_brightness_adds_a_half_at_most():
    assert torch.allclose(brightness(X, steered(U), 3), X + torch.tensor([-0.5, 0.25]).view(2, 1, 1, 1), atol=1e-15)


def test_saturation_pulls_to_a_pixels_mean_or_twice_away():
    mean = X.mean(1, keepdim=True)
    expected = torch.stack([mean[0].expand(3, 4, 5), mean[1] + 1.5 * (X[1] - mean[1])])
    assert torch.allclose(saturation(X, steered(U), 3), expected, atol=1e-15)
    grey = X[:, :1]
    assert torch.allclose(saturation(grey, steered(U), 1), grey, atol=1e-15)


def test_contrast_pulls_to_a_samples_mean_or_half_away():
    mean = torch.stack([x.mean() for x in X]).view(2, 1, 1, 1)
    expected = mean + torch.tensor([0.5, 1.25]).view(2, 1, 1, 1) * (X - mean)
    assert torch.allclose(contrast(X, steered(U), 3), expected, atol=1e-15)


@pytest.mark.parametrize(("size", "most"), [((8, 16), (1, 2)), ((4, 28), (1, 4)), ((3, 32), (0, 4))])
def test_translation_asks_for_an_eighth_of_a_side(size, most):
    draws = steered(0, 0)
    translation(images(2, 1, *size), draws, 1)
    assert draws.asked == [("whole", -one, one) for one in most]  # ⌊r/8 + ½⌋


def test_translation_moves_down_and_right_and_lets_zeros_in():
    picture = torch.arange(1.0, 13).view(1, 1, 3, 4)
    moved = translation(picture, steered(1, -2), 1)
    assert moved[0, 0].tolist() == [[0, 0, 0, 0], [3, 4, 0, 0], [7, 8, 0, 0]]
    moved = translation(picture, steered(-1, 0), 1)
    assert moved[0, 0].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("size", "asked", "drawn", "rows", "columns"),
    [
        ((8, 8), (8, 8), (0, 8), range(2), range(6, 8)),  # boxes of 4 begin at o − 2
        ((8, 8), (8, 8), (4, 3), range(2, 6), range(1, 5)),
        ((6, 10), (5, 9), (0, 9), range(2), range(7, 10)),  # boxes of 3 and of 5 begin at o − 1 and at o − 2
        ((5, 2), (4, 1), (2, 0), range(1, 4), range(1)),  # ⌊5/2 + ½⌋ = 3, and 1
    ],
)
def test_cutout_is_half_a_side_clipped_at_the_borders(size, asked, drawn, rows, columns):
    picture, draws = torch.ones(1, 2, *size), steered(*drawn)
    shown = cutout(picture, draws, 2)
    expected = torch.ones(2, *size)
    for row in rows:
        for column in columns:
            expected[:, row, column] = 0
    assert torch.equal(shown[0], expected)
    assert draws.asked == [("whole", 0, asked[0]), ("whole", 0, asked[1])]


def test_the_order_is_colour_translation_cutout_whatever_the_policy_says():
    samples = images(2, 3, 8, 8)
    whole = DiffAugment(["cutout", "translation", "colour"])(samples, seeded())
    draws, by_hand = seeded(), samples
    for operation in (brightness, saturation, contrast, translation, cutout):
        by_hand = operation(by_hand, draws, 3)
    assert torch.equal(whole, by_hand)
    assert torch.equal(DiffAugment()(samples, seeded()), whole)


@pytest.mark.parametrize("policy", [["colour"], ["translation"], ["cutout"]])
def test_every_sample_has_numbers_of_its_own(policy):
    one = images(1, 3, 16, 16)
    shown = DiffAugment(policy)(one.expand(12, -1, -1, -1), seeded())
    assert len({tuple(x.flatten().tolist()) for x in shown}) > 6
    again = DiffAugment(policy)(one.expand(12, -1, -1, -1), seeded())
    assert torch.equal(shown, again)
    assert not torch.equal(shown, DiffAugment(policy)(one.expand(12, -1, -1, -1), seeded(1)))


def test_all_ends_of_the_ranges_come():
    """Drawn whole numbers are uniform, both ends included: 5 shifts by 5 in 16 pixels."""
    picture = torch.zeros(2500, 1, 16, 16)
    picture[:, :, 8, 8] = 1
    moved = translation(picture, seeded(), 1)
    places = moved.flatten(1).argmax(1)
    counts = torch.bincount(places, minlength=256).view(16, 16)[6:11, 6:11]
    assert counts.sum() == 2500
    assert (counts - 100).abs().max() < 50  # five standard deviations of 100 are 49


def test_sources_move_and_are_cut_alike_and_keep_their_colours():
    samples, source = images(6, 3, 8, 8), images(6, 2, 8, 8, seed=1)
    shown, beside = DiffAugment(["colour"]).pairs(samples, source, seeded())
    assert torch.equal(beside, source)
    assert all(changed(samples, shown))
    shown, beside = DiffAugment(["translation", "cutout"]).pairs(samples, source, seeded())
    assert torch.equal(shown == 0, (beside == 0)[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(beside, DiffAugment(["translation", "cutout"])(source, seeded()))


def test_gradients():
    samples = images(2, 3, 4, 4).requires_grad_()

    def shown(x):
        return DiffAugment()(x, seeded())

    assert torch.autograd.gradcheck(shown, samples)
    assert torch.autograd.gradgradcheck(lambda x: shown(x).square(), samples)


@pytest.mark.parametrize("policy", ["colour", [], ["color"], ["cutout", "cutout"], 3, [["colour"]], {"a": 1}])
def test_refused(policy):
    with pytest.raises(ValueError, match=r"^DiffAugment\.policy="):
        DiffAugment(policy)
