"""Distances of single pictures, against their formulas."""

import math

import pytest
import torch
from torch.nn.functional import conv2d, pad

from gan_lab.metrics.pairs import nearest, picture_distances, ssim_window


def pictures(*shape, seed=0):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def ssim(x, y, window):
    """Wang et al. 2004, equation 13, with weights of a Gaussian of deviation 1.5 · window / 11; borders mirrored."""
    places = torch.arange(window, dtype=torch.float64) - window // 2
    weights = torch.exp(-0.5 * (places / (1.5 * window / 11)) ** 2)
    kernel = torch.outer(weights, weights) / weights.sum() ** 2
    half = window // 2

    def blurred(images):
        channels = images.flatten(0, 1)[:, None]
        return conv2d(pad(channels, [half] * 4, mode="reflect"), kernel[None, None])

    x, y = x.double() / 255, y.double() / 255
    mean_x, mean_y = blurred(x), blurred(y)
    of_x, of_y, both = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2, blurred(x * y) - mean_x * mean_y
    return (2 * mean_x * mean_y + 1e-4) * (2 * both + 9e-4) / ((mean_x**2 + mean_y**2 + 1e-4) * (of_x + of_y + 9e-4))


@pytest.mark.parametrize(("side", "window"), [(28, 11), (11, 11), (10, 9), (8, 7), (5, 5), (4, 3)])
def test_ssim_has_a_window_that_fits(side, window):
    x = pictures(3, 2, side, side)
    y = (0.7 * x.double() + 0.3 * pictures(3, 2, side, side, seed=1).double()).round().to(torch.uint8)
    assert ssim_window((3, 2, side, side)) == window
    assert picture_distances(x, y)["ssim"] == pytest.approx(ssim(x, y, window).mean().item(), abs=2e-5)


def test_l1_and_psnr_by_hand():
    """Differences of 51 of 255 are 0.2: L1 0.2, PSNR −10 lg 0.04; the mean is over pictures, not over all pixels."""
    black = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    made = black.clone()
    made[0] = 51
    found = picture_distances(made, black)
    assert found["l1"] == pytest.approx(0.1, abs=1e-6)
    assert found["psnr"] == pytest.approx((100 - 10 * math.log10(0.04)) / 2, abs=1e-4)
    assert picture_distances(black, black) == pytest.approx({"l1": 0, "psnr": 100, "ssim": 1})


def test_chunks_change_nothing(monkeypatch):
    x, y = pictures(7, 1, 8, 8), pictures(7, 1, 8, 8, seed=1)
    whole = picture_distances(x, y)
    monkeypatch.setattr("gan_lab.metrics.pairs._CHUNK", 3)
    assert picture_distances(x, y) == pytest.approx(whole, rel=1e-6)


def test_nearest():
    among = pictures(20, 1, 4, 4)
    order = torch.tensor([3, 19, 0, 7])
    off = (among[order].int() + 2).clamp(0, 255).to(torch.uint8)
    assert torch.equal(nearest(off, among), order)
