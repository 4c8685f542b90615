"""CR's transformation: mirrored, then moved by up to an eighth of a side; the image goes on mirrored."""

import pytest
import torch
from steered import images, seeded, steered

from gan_lab.augmentations import FlipShift


def test_a_picture_mirrored_and_moved():
    picture = torch.arange(1.0, 9).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    draws = steered(1.0, 0, -1)  # not mirrored, then down and right
    assert FlipShift()(picture, draws)[0, 0, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 7]
    assert draws.asked == [("rand",), ("whole", -1, 1), ("whole", -1, 1)]
    assert FlipShift()(picture, steered(0.0, 0, 1))[0, 0, 0].tolist() == [7, 8, 7, 6, 5, 4, 3, 2]
    assert FlipShift()(picture.mT, steered(0.0, 1, 0))[0, 0, :, 0].tolist() == [2, 1, 2, 3, 4, 5, 6, 7]


def test_how_far():
    draws = steered(1.0, 0, 0)
    FlipShift(0.3)(images(1, 1, 10, 32), draws)
    assert draws.asked[1:] == [("whole", -3, 3), ("whole", -9, 9)]


def test_numbers_come_from_the_global_generator_where_none_is_given():
    samples = images(4, 3, 16, 16)
    torch.manual_seed(3)
    first = FlipShift()(samples)
    torch.manual_seed(3)
    assert torch.equal(FlipShift()(samples), first)
    assert not torch.equal(FlipShift()(samples), first)


def test_gradients():
    samples = images(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: FlipShift(0.4)(x, seeded()), samples)


@pytest.mark.parametrize("shift", [-0.1, 0.6, True])
def test_refused(shift):
    with pytest.raises(ValueError, match=r"^FlipShift\.shift="):
        FlipShift(shift)
