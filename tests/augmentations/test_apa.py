"""APA: some real samples are replaced by the generator's latest."""

import pytest
import torch
from steered import images, seeded, steered

from gan_lab.augmentations import APA

REAL, FAKE = images(4), images(6, seed=1)
HALF = torch.tensor([0.49, 0.5, 0.1, 0.9])


def filled(p=0.5, labels=None, shape=(3, 4, 5)):
    one = APA(shape, 4, p=p).double()
    one.keep(FAKE if shape == (3, 4, 5) else FAKE.flatten(1), labels)
    return one


def test_real_samples_are_replaced_by_the_generated_ones_of_their_places():
    shown = filled().as_real(REAL, None, steered(HALF))
    assert torch.equal(shown, torch.stack([FAKE[0], REAL[1], FAKE[2], REAL[3]]))
    points = filled(shape=(60,)).as_real(REAL.flatten(1), None, steered(HALF))
    assert torch.equal(points, shown.flatten(1))


def test_before_the_generator_has_moved_there_is_nothing_to_take():
    assert torch.equal(APA((3, 4, 5), 4, p=0.5).double().as_real(REAL, None, steered(HALF)), REAL)


def test_the_latest_are_taken():
    one = filled()
    one.keep(FAKE + 1, None)
    assert torch.equal(one.as_real(REAL, None, steered(HALF))[0], FAKE[0] + 1)


def test_classes_stay_what_they_are():
    """The next generated sample of the class, from the place on and around; none of class 3 was generated."""
    one = filled(labels=torch.tensor([0, 1, 2, 1, 9, 9]))
    labels = torch.tensor([1, 0, 1, 3])
    shown = one.as_real(REAL, labels, steered(0.0))
    assert torch.equal(shown, torch.stack([FAKE[1], FAKE[0], FAKE[3], REAL[3]]))


def test_p_of_0_is_no_change_and_samples_that_the_discriminator_sees_are_as_they_are():
    one = filled(p=0.0)
    assert torch.equal(one.as_real(REAL, None, seeded()), REAL)
    assert not one.changes_samples
    assert torch.equal(one(REAL, seeded()), REAL)


def test_what_is_kept_is_part_of_the_state():
    one, other = filled(p=None, labels=torch.arange(6)), APA((3, 4, 5), 4).double()
    one.probability.p.fill_(0.5)
    other.load_state_dict(one.state_dict())
    for labels in (None, torch.arange(4)):
        assert torch.equal(other.as_real(REAL, labels, steered(HALF)), one.as_real(REAL, labels, steered(HALF)))
    assert torch.equal(other.as_real(REAL, None, steered(HALF))[0], FAKE[0])


def test_p_follows_the_logits_of_real_samples():
    curves = filled(p=None).observe(torch.ones(4), -torch.ones(4), 0.0, 4)
    assert curves["augmentation/r_t"].item() == 1


@pytest.mark.parametrize("settings", [{"p": 2}, {"most": -1}, {"every": 1.5}, {"speed": "fast"}])
def test_refused(settings):
    with pytest.raises(ValueError, match=r"^APA\."):
        APA((1,), 4, **settings)
