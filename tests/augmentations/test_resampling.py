"""The warp beside exact moves, its filter's theory, and its derivatives."""

import math

import pytest
import torch
from steered import images

from gan_lab.augmentations.geometry import _moved, _scaled, _turned
from gan_lab.augmentations.resampling import SYM6, warped

ONE = torch.ones(1, dtype=torch.float64)


def smooth(height=24, width=24):
    """A picture without high frequencies, in which resampling errs little."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.sin(x / 3) + torch.cos(y / 4 + x / 9))[None, None].double()


def inner(picture):
    return picture[..., 5:-5, 5:-5]


def test_the_filter_is_a_wavelets():
    """Its translates by 2 are orthonormal, and 6 moments of its mirror filter vanish (Daubechies 1992)."""
    taps = torch.tensor(SYM6, dtype=torch.float64)
    for shift in range(6):
        product = (taps[2 * shift :] * taps[: 12 - 2 * shift]).sum().item()
        assert abs(product - (shift == 0)) < 1e-11
    signs = torch.tensor([(-1.0) ** place for place in range(12)], dtype=torch.float64)
    places = torch.arange(12, dtype=torch.float64) - 5.5
    for moment in range(6):
        assert abs((signs * taps * places**moment).sum().item()) < 1e-7


def test_nothing_moved_is_nothing_changed():
    picture = images(2, 3, 6, 9)
    assert (warped(picture, torch.eye(3, dtype=torch.float64).expand(2, 3, 3)) - picture).abs().max() < 1e-11


def test_moves_by_whole_pixels_are_exact_inside():
    picture = images(1, 2, 12, 15)
    moved = warped(picture, _moved(torch.tensor([[2.0, -3.0]], dtype=torch.float64)))
    assert (moved[:, :, :-3, 2:] - picture[:, :, 3:, :-2]).abs().max() < 1e-11


def test_what_comes_in_is_the_picture_mirrored():
    picture = images(1, 1, 8, 8)
    moved = warped(picture, _moved(torch.tensor([[3.0, 0.0]], dtype=torch.float64)))
    assert (moved[..., :3] - picture[..., [3, 2, 1]]).abs().max() < 1e-11


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (_scaled(-ONE, ONE), lambda picture: picture.flip(3)),
        (_turned(ONE * math.pi / 2), lambda picture: torch.rot90(picture, 1, (2, 3))),  # anticlockwise
        (_turned(ONE * math.pi), lambda picture: picture.flip(2, 3)),
        (_turned(-ONE * math.pi / 2), lambda picture: torch.rot90(picture, -1, (2, 3))),
    ],
)
def test_mirrors_and_turns_of_a_smooth_picture(back, expected):
    assert (inner(warped(smooth(), back)) - inner(expected(smooth()))).abs().max() < 0.01


def test_scales_show_the_function_elsewhere():
    """Twice as large about the centre: pixel at c + d shows what was at c + d/2."""
    y, x = torch.meshgrid(torch.arange(24) - 11.5, torch.arange(24) - 11.5, indexing="ij")
    y, x = (y / 2 + 11.5).double(), (x / 2 + 11.5).double()
    expected = (torch.sin(x / 3) + torch.cos(y / 4 + x / 9))[None, None]
    assert (inner(warped(smooth(), _scaled(ONE / 2, ONE / 2))) - inner(expected)).abs().max() < 0.01


def test_a_sample_does_not_depend_on_the_others():
    picture = images(2, 1, 8, 8)
    near, far = _moved(torch.tensor([[0.5, 0.0], [0.5, 0.0]], dtype=torch.float64)), _scaled(ONE * 2, ONE * 2)[0]
    together = warped(picture, torch.stack([near[0], far]))
    assert (together[0] - warped(picture[:1], near[:1])[0]).abs().max() < 1e-12


def test_a_tall_picture_is_widened_as_far_as_it_is_moved():
    """Moved by 6 of 24 rows, what comes in is the picture mirrored, which needs as many rows more."""
    picture = images(1, 1, 24, 6)
    moved = warped(picture, _moved(torch.tensor([[0.0, 6.0]], dtype=torch.float64)))
    assert (moved[..., :6, :] - picture[..., [6, 5, 4, 3, 2, 1], :]).abs().max() < 1e-11


def test_derivatives():
    picture = images(1, 2, 4, 5).requires_grad_()
    back = _turned(0.7 * ONE) @ _scaled(1.2 * ONE, 0.8 * ONE) @ _moved(torch.tensor([[0.3, -0.4]]).double())
    assert torch.autograd.gradcheck(lambda x: warped(x, back), picture)
    assert torch.autograd.gradgradcheck(lambda x: warped(x, back).square(), picture)
