"""Flip: mirrored or untouched, each sample by itself."""

import pytest
import torch
from steered import changed, images, seeded, steered

from gan_lab.augmentations import Flip


def test_a_sample_is_mirrored_if_its_number_is_below_p():
    samples = images()
    shown = Flip(0.3)(samples, steered(torch.tensor([0.29, 0.3, 0.31])))
    assert torch.equal(shown[0], samples[0][:, :, [4, 3, 2, 1, 0]])
    assert torch.equal(shown[1:], samples[1:])


@pytest.mark.parametrize(("p", "mirrored"), [(0, 0), (1, 400), (0.25, 100)])
def test_how_often(p, mirrored):
    samples = images(400)
    count = sum(changed(samples, Flip(p)(samples, seeded())))
    assert abs(count - mirrored) <= (0 if p in (0, 1) else 4 * (400 * 0.25 * 0.75) ** 0.5)  # four standard deviations


def test_a_source_is_mirrored_with_its_sample():
    samples, source = images(8), images(8, channels=1, seed=1)
    shown, beside = Flip(0.5).pairs(samples, source, seeded())
    assert changed(samples, shown) == changed(source, beside)
    assert 0 < sum(changed(samples, shown)) < 8
    assert torch.equal(torch.where(torch.tensor(changed(samples, shown))[:, None, None, None], shown.flip(3), shown),
                       samples)  # fmt: skip


@pytest.mark.parametrize("p", [-0.1, 1.1, "x", True, float("nan")])
def test_refused(p):
    with pytest.raises(ValueError, match=r"^Flip\.p="):
        Flip(p)
