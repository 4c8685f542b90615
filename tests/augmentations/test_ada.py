"""ADA's operations: ranges, order, probabilities; each beside what Karras et al. 2020, appendix B, prints."""

import math

import pytest
import torch
from steered import changed, images, seeded, steered

from gan_lab.augmentations import ADA
from gan_lab.augmentations import geometry as geometry_module
from gan_lab.augmentations.colour import _matrices, recolour
from gan_lab.augmentations.disturbance import add_noise, amplify, bands, cut
from gan_lab.augmentations.geometry import move

ALL = ["blit", "geometry", "colour", "filter", "noise", "cutout"]
NEVER, ALWAYS = 1.0, 0.0  # numbers that are not below p = ½, and are
P = torch.tensor(0.5)


def matrices_of(monkeypatch, *numbers, blit=False, general=False, p=P, picture=None):
    """The inverse map that a sequence of numbers leads to."""
    found = []
    monkeypatch.setattr(geometry_module, "warped", lambda picked, back: found.append(back) or picked)
    move(images(1, 1, 8, 16) if picture is None else picture, steered(*numbers), p, blit, general)
    return found[0][0] if found else None


BLIT = {"mirror": 0, "quarters": 0, "moved": torch.tensor([0.5, 0.5])}
GENERAL = {"scale": 0.0, "turns": torch.tensor([0.5, 0.5]), "stretch": 0.0, "moved": 0.0}


@pytest.mark.parametrize(
    ("drawn", "chosen", "expected"),
    [
        ({"mirror": 1}, 0, [[-1, 0, 0], [0, 1, 0]]),
        ({"mirror": 0}, 0, [[1, 0, 0], [0, 1, 0]]),
        ({"quarters": 1}, 1, [[0, -1, 0], [1, 0, 0]]),
        ({"quarters": 2}, 1, [[-1, 0, 0], [0, -1, 0]]),
        # (2u − 1) · 0.125 of 16 and of 8 pixels, rounded: 2 to the right, 1 up; what is shown comes from the other side
        ({"moved": torch.tensor([0.99, 0.01])}, 2, [[1, 0, -2], [0, 1, 1]]),
        ({"moved": torch.tensor([0.6, 0.8])}, 2, [[1, 0, 0], [0, 1, -1]]),
    ],
)
def test_blit(monkeypatch, drawn, chosen, expected):
    choices = [NEVER] * 3
    choices[chosen] = ALWAYS
    back = matrices_of(monkeypatch, *(BLIT | drawn).values(), *choices, blit=True)
    assert torch.allclose(back[:2], torch.tensor(expected, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize(
    ("drawn", "chosen", "expected"),
    [
        ({"scale": 1.0}, 0, [[2**-0.2, 0, 0], [0, 2**-0.2, 0]]),
        ({"turns": torch.tensor([0.75, 0.5])}, 1, [[0, -1, 0], [1, 0, 0]]),  # (2 · ¾ − 1) π
        ({"stretch": -2.0}, 2, [[2**0.4, 0, 0], [0, 2**-0.4, 0]]),
        ({"turns": torch.tensor([0.5, 0.25])}, 3, [[0, 1, 0], [-1, 0, 0]]),
        ({"moved": torch.tensor([1.0, -2.0])}, 4, [[1, 0, -2], [0, 1, 2]]),  # 0.125 of 16, and of 8
    ],
)
def test_geometry(monkeypatch, drawn, chosen, expected):
    choices = [NEVER] * 5
    choices[chosen] = ALWAYS
    back = matrices_of(monkeypatch, *(GENERAL | drawn).values(), *choices, general=True)
    assert torch.allclose(back[:2], torch.tensor(expected, dtype=torch.float64), atol=1e-12)


def test_the_order_of_all(monkeypatch):
    """Inverses from left to right: the first operation's comes last when a place is traced back."""
    blit = [1, 1, torch.tensor([0.99, 0.01])]
    general = [1.0, torch.tensor([0.6, 0.7]), -1.0, torch.tensor([1.0, 1.0])]
    back = matrices_of(monkeypatch, *blit, *general, *[ALWAYS] * 8, blit=True, general=True)

    def turn(angle):
        return torch.tensor([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])

    scale, stretch = 2**-0.2, 2**-0.2
    factors = [
        torch.diag(torch.tensor([-1.0, 1, 1])), turn(math.pi / 2), torch.tensor([[1.0, 0, -2], [0, 1, 1], [0, 0, 1]]),
        torch.diag(torch.tensor([scale, scale, 1])), turn(0.2 * math.pi),
        torch.diag(torch.tensor([1 / stretch, stretch, 1])), turn(0.4 * math.pi),
        torch.tensor([[1.0, 0, -2], [0, 1, -1], [0, 0, 1]]),
    ]  # fmt: skip
    expected = torch.linalg.multi_dot([one.double() for one in factors])
    assert torch.allclose(back, expected, atol=1e-6)


def test_the_two_turns_share_p(monkeypatch):
    """Each has 1 − √(1 − p): with p = 0.75 that is ½."""
    for number, turned in ((0.49, True), (0.51, False)):
        for place in (1, 3):
            choices = [NEVER] * 5
            choices[place] = number
            turns = torch.tensor([0.75, 0.75])
            numbers = (GENERAL | {"turns": turns}).values()
            back = matrices_of(monkeypatch, *numbers, *choices, general=True, p=torch.tensor(0.75))
            assert (back is not None) == turned


def test_colour_matrices():
    """Of (red, green, blue, 1); the hue turns about the grey axis, here by 120°, which swaps the primary colours."""
    luma = torch.full((3, 3), 1 / 3, dtype=torch.float64)
    draws = steered(2.0, -1.0, 1, 5 / 6, 1.5)
    brightness, contrast, inverted, hue, saturation = (one[0] for one in _matrices(images(1), draws))
    eye = torch.eye(3, dtype=torch.float64)
    assert draws.asked == [("randn",), ("randn",), ("whole", 0, 1), ("rand",), ("randn",)]
    for found, linear, added in (
        (brightness, eye, 0.4),
        (contrast, eye * 2**-0.5, 0.0),
        (inverted, eye - 2 * luma, 0.0),
        (hue, torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0]]).double(), 0.0),
        (saturation, luma + 2**1.5 * (eye - luma), 0.0),
    ):
        assert torch.allclose(found[:3, :3], linear, atol=1e-12)
        assert torch.allclose(found[:3, 3], torch.full((3,), added, dtype=torch.float64), atol=1e-12)
        assert torch.equal(found[3], torch.tensor([0, 0, 0, 1], dtype=torch.float64))


def test_colours_change_one_after_the_other():
    samples = images(1)
    drawn = [0.5, 0.5, 0, 0.6, 0.5]
    shown = recolour(samples, steered(*drawn, *[ALWAYS] * 5), P)
    colours = samples.flatten(2)[0]
    for matrix in _matrices(samples, steered(*drawn)):
        colours = matrix[0, :3, :3] @ colours + matrix[0, :3, 3:]
    assert torch.allclose(shown[0].flatten(1), colours, atol=1e-12)


def test_grey_samples_get_brightness_contrast_and_inverted_luma():
    grey = images(1, 1)
    shown = recolour(grey, steered(1.0, 2.0, 1, ALWAYS, ALWAYS, ALWAYS), P)
    assert torch.allclose(shown, -2 * (grey + 0.2), atol=1e-12)  # 2^(½ · 2) times, then −1 times
    assert torch.allclose(shown, recolour(grey.expand(1, 3, 4, 5), steered(1.0, 2.0, 1, 0.5, 0, *[ALWAYS] * 3, 1, 1), P)
                          [:, :1], atol=1e-12)  # fmt: skip


def test_bands_are_octaves():
    """Gains at π/16, 3π/16, 3π/8 and 3π/4: each filter has the most of its band; together they leave all as it is."""
    places = torch.arange(bands().shape[1], dtype=torch.float64) - bands().shape[1] // 2
    for band, frequency in enumerate((1 / 16, 3 / 16, 3 / 8, 3 / 4)):
        gains = (bands() * (places * frequency * math.pi).cos()).sum(1)
        assert gains.argmax() == band
        assert gains[band] > 0.7
    whole = bands().sum(0)
    assert torch.allclose(whole, (places == 0).double(), atol=1e-11)
    assert torch.allclose(bands().sum(1), torch.tensor([1, 0, 0, 0]).double(), atol=1e-11)  # of a constant picture


def test_amplified_bands_keep_a_natural_pictures_power():
    """A factor 2^N for the lowest band, 10/13 of the power: all are divided by √(10/13 · 2^2N + 3/13)."""
    constant = torch.full((1, 2, 9, 9), 0.5, dtype=torch.float64)
    shown = amplify(constant, steered(1.0, ALWAYS, 1.0, NEVER, 1.0, NEVER, 1.0, NEVER), P)
    gain = 2 / math.sqrt(10 / 13 * 4 + 3 / 13)
    assert torch.allclose(shown, constant * gain**2, atol=1e-10)  # along rows and columns
    shown = amplify(constant, steered(1.0, NEVER, 1.0, NEVER, 1.0, NEVER, 1.0, ALWAYS), P)
    assert torch.allclose(shown, constant / (10 / 13 + 2 / 13 + 4 / 13), atol=1e-10)


def test_filters_go_along_both_sides_of_each_sample():
    samples = images(2, 3, 16, 16)
    shown = amplify(samples, steered(torch.tensor([1.0, 0.0]), ALWAYS, 0.0, NEVER, 0.0, NEVER, 0.0, NEVER), P)
    turned = amplify(samples.mT, steered(torch.tensor([1.0, 0.0]), ALWAYS, 0.0, NEVER, 0.0, NEVER, 0.0, NEVER), P).mT
    assert torch.allclose(shown, turned, atol=1e-12)
    assert torch.allclose(shown[1], samples[1], atol=1e-10)  # 2^0 of the lowest band
    assert not torch.allclose(shown[0], samples[0], atol=0.1)


def test_noise():
    samples, noise = images(2), images(2, seed=1)
    shown = add_noise(samples, steered(-2.0, noise, torch.tensor([ALWAYS, NEVER])), P)
    assert torch.allclose(shown[0], samples[0] + 0.2 * noise[0], atol=1e-12)
    assert torch.equal(shown[1], samples[1])


@pytest.mark.parametrize(
    ("centre", "columns", "rows"),
    [
        ((0.5, 0.5), range(2, 6), range(1, 3)),
        ((0.0, 1.0), range(2), range(3, 4)),
        ((0.99, 0.3), range(6, 8), range(2)),
    ],
)
def test_cutout(centre, columns, rows):
    """Pixel centres within a quarter of a side of the centre, (i + ½) / size."""
    picture = torch.ones(2, 1, 4, 8, dtype=torch.float64)
    shown = cut(picture, steered(torch.tensor(centre), torch.tensor([ALWAYS, NEVER])), P)
    expected = torch.ones(4, 8, dtype=torch.float64)
    for row in rows:
        for column in columns:
            expected[row, column] = 0
    assert torch.equal(shown[0, 0], expected)
    assert torch.equal(shown[1], picture[1])


@pytest.mark.parametrize("group", ALL)
def test_a_sample_to_which_nothing_applies_is_untouched(group):
    """With p = 0.2 some are and some are not; those that are drawn are the same samples again with the same seed."""
    samples = images(40, 3, 8, 8)
    shown = ADA([group], p=0.2)(samples, seeded())
    again = ADA([group], p=0.2)(samples, seeded())
    assert torch.equal(shown, again)
    assert 0 < sum(changed(samples, shown)) < 40


@pytest.mark.parametrize(("channels", "groups"), [(3, ALL), (1, ALL), (2, ["blit", "geometry", "filter", "cutout"])])
def test_p_of_0_changes_no_bit_and_p_of_1_every_sample(channels, groups):
    samples = images(6, channels, 8, 10).float().requires_grad_()
    shown = ADA(groups, p=0.0)(samples, seeded())
    assert torch.equal(shown, samples)
    (gradient,) = torch.autograd.grad((shown * shown).sum(), samples)
    assert torch.equal(gradient, 2 * samples)
    assert all(changed(samples, ADA(groups, p=1.0, most=1.0)(samples, seeded())))


def test_the_order_of_the_groups():
    samples = images(3, 3, 8, 8)
    whole = ADA(list(reversed(ALL)), p=0.8)(samples, seeded())
    draws, by_hand, p = seeded(), samples, torch.tensor(0.8)
    by_hand = move(by_hand, draws, p, True, True)
    for operation in (recolour, amplify, add_noise, cut):
        by_hand = operation(by_hand, draws, p)
    assert torch.equal(whole, by_hand)


def test_sources_move_and_are_cut_alike_and_keep_their_colours():
    samples, source = images(5, 3, 8, 8), images(5, 1, 8, 8, seed=1)
    shown, beside = ADA(["colour", "filter", "noise"], p=0.8).pairs(samples, source, seeded())
    assert torch.equal(beside, source)
    assert any(changed(samples, shown))
    moves = ADA(["blit", "geometry", "cutout"], p=0.8)
    shown, beside = moves.pairs(samples, samples, seeded())
    assert torch.equal(shown, beside)
    assert torch.equal(shown, moves(samples, seeded()))


def test_gradients():
    samples = images(3, 3, 4, 5).requires_grad_()
    everything = ADA(ALL, p=0.7)
    # one pixel after the other: fast_mode does not see derivatives that are wrong by a hundredth
    assert torch.autograd.gradcheck(lambda x: everything(x, seeded()), samples)
    one = samples[:1].detach().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: everything(x, seeded()).square(), one)


@pytest.mark.parametrize(
    "settings",
    [{"groups": "blit"}, {"groups": []}, {"groups": ["color"]}, {"groups": ["blit", "blit"]}, {"p": 0.9},
     {"groups": 3}, {"groups": None}, {"groups": [["blit"]]}, {"groups": {"blit": 1}}, {"groups": b"blit"},
     {"p": -0.1}, {"most": 1.5}, {"most": -0.1}, {"schedule": "linear"}, {"schedule": "cosine"}, {"target": 1.1},
     {"target": -1.1}, {"speed": 0}, {"every": 0}],
)  # fmt: skip
def test_refused(settings):
    with pytest.raises(ValueError, match=r"^ADA\.(groups|p|most|schedule|target|speed|every)="):
        ADA(**settings)


def test_samples_that_it_cannot_transform():
    with pytest.raises(ValueError, match=r"^ADA\.groups=.*2 channels"):
        ADA().check((2, 8, 8))
    with pytest.raises(ValueError, match=r"at least 2 pixels"):
        ADA().check((1, 1, 8))
    ADA(["blit"]).check((2, 8, 8))
