"""CR, bCR and LeCam beside their formulas (arXiv 1910.12027, 2002.04724 and 2104.03310)."""

import pytest
import torch
from torch import nn

from gan_lab.losses import Consistency, Judge, LeCam

REAL, FAKE = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
R, F = (torch.tensor(values, dtype=torch.float64) for values in ([2.0, -1.0, 0.5, 4.0], [-3.0, 1.0, 0.0, -2.0]))


class Doubled(nn.Module):
    def forward(self, samples):
        return 2 * samples


def linear():
    network = nn.Linear(3, 1, bias=False).double()
    nn.init.constant_(network.weight, 0.5)
    return network


def sizes(samples):
    return (0.5 * samples.sum(1)).square()


@pytest.mark.parametrize("fake", [0.0, 1.0, 0.25])
def test_consistency_is_the_mean_square_of_a_logits_change(fake):
    """C is linear, and T doubles: C(x) − C(Tx) = −C(x)."""
    network = linear()
    judge = Judge(network, real=network(REAL)[:, 0], fake=network(FAKE)[:, 0])
    value = Consistency(transform=Doubled(), fake=fake)(judge, REAL, FAKE)
    assert value.item() == pytest.approx((sizes(REAL).mean() + fake * sizes(FAKE).mean()).item(), rel=1e-12)
    (slope,) = torch.autograd.grad(value, network.weight)
    expected = 2 * sum(factor * (x.sum(1, keepdim=True) * 0.5 * x).mean(0) for factor, x in ((1, REAL), (fake, FAKE)))
    assert torch.allclose(slope[0], expected, rtol=1e-10)  # through both logits: of one alone it would differ in sign


def test_the_updates_logits_are_used_and_maps_are_averaged():
    calls = []

    def discriminator(samples):
        calls.append(samples)
        return torch.stack([samples.sum(1), -samples.sum(1) / 3], 1)[:, None]  # [B, 1, 2], whose mean is sum / 3

    judge = Judge(discriminator, real=discriminator(REAL).flatten(), fake=discriminator(FAKE).flatten())
    value = Consistency(transform=Doubled())(judge, REAL, FAKE)
    assert len(calls) == 3
    assert torch.equal(calls[2], 2 * REAL)
    assert value.item() == pytest.approx((REAL.sum(1) / 3).square().mean().item(), rel=1e-12)


def lecam(**settings):
    penalty = LeCam(**settings)
    penalty.means.double()
    return penalty


def test_lecam_before_its_start_follows_and_adds_nothing():
    penalty = lecam(start=2)
    for real, fake in ((R, F), (R + 1, F - 1)):
        assert penalty(Judge(None, real=real, fake=fake), REAL, FAKE).item() == 0
        assert penalty.means.values.tolist() == [real.mean().item(), fake.mean().item()]
    assert penalty(Judge(None, real=R, fake=F), REAL, FAKE).item() > 0


def test_lecam_is_the_mean_square_of_what_exceeds_the_other_kinds_mean():
    penalty = lecam(start=1, decay=0.75)
    penalty(Judge(None, real=R, fake=F), REAL, FAKE)
    real, fake = (2 * R).requires_grad_(), (F + 1).requires_grad_()
    value = penalty(Judge(None, real=real, fake=fake), REAL, FAKE)
    m_r = 0.75 * R.mean().item() + 0.25 * 2 * R.mean().item()
    m_f = 0.75 * F.mean().item() + 0.25 * (F + 1).mean().item()
    assert penalty.means.values.tolist() == pytest.approx([m_r, m_f], rel=1e-12)
    expected = sum(max(0, r - m_f) ** 2 for r in (2 * R).tolist()) / 4
    expected += sum(max(0, m_r - f) ** 2 for f in (F + 1).tolist()) / 4
    assert value.item() == pytest.approx(expected, rel=1e-12)
    slopes = torch.autograd.grad(value, (real, fake))
    assert torch.allclose(slopes[0], 2 * (real - m_f).relu() / 4, rtol=1e-12)
    assert torch.allclose(slopes[1], -2 * (m_r - fake).relu() / 4, rtol=1e-12)


def test_a_lazy_lecam_counts_updates():
    penalty = lecam(start=5, every=3)
    values = [penalty(Judge(None, real=R, fake=F), REAL, FAKE).item() for _ in range(3)]  # in updates 0, 3 and 6
    assert [value > 0 for value in values] == [False, False, True]


def test_logits_that_are_not_finite_leave_the_means():
    penalty = lecam(start=0)
    penalty(Judge(None, real=R, fake=F), REAL, FAKE)
    before = penalty.means.values.clone()
    penalty(Judge(None, real=R * float("nan"), fake=F * float("inf")), REAL, FAKE)
    assert torch.equal(penalty.means.values, before)


def test_each_has_means_of_its_own_which_are_state():
    one, other = LeCam(), LeCam()
    assert one == other
    assert one.means is not other.means
    assert set(one.state.state_dict()) == {"values", "done"}


@pytest.mark.parametrize(
    ("kind", "settings", "name"),
    [
        (LeCam, {"decay": 1.0}, "decay"), (LeCam, {"start": -1}, "start"), (LeCam, {"start": 1.5}, "start"),
        (LeCam, {"weight": -1}, "weight"), (LeCam, {"every": 0}, "every"),
        (Consistency, {"transform": Doubled(), "fake": -1}, "fake"),
        (Consistency, {"transform": Doubled(), "weight": "x"}, "weight"),
    ],
)  # fmt: skip
def test_refused(kind, settings, name):
    with pytest.raises(ValueError, match=rf"^{kind.__name__}\.{name}="):
        kind(**settings)
