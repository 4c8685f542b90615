"""The gradient penalty against closed forms and a double loop over samples."""

import pytest
import torch
from torch import nn

from gan_lab.losses import GradientPenalty
from gan_lab.losses.penalties import gradient_norms, interpolate


def linear(weights: torch.Tensor):
    return lambda samples: samples.flatten(1) @ weights


def test_linear_discriminator_has_the_closed_form():
    """C(x) = w·x has gradient w everywhere, so the penalty is (‖w‖ − 1)²."""
    torch.manual_seed(0)
    weights = torch.randn(12, dtype=torch.float64)
    real, fake = torch.randn(2, 7, 3, 2, 2, dtype=torch.float64)
    value = GradientPenalty()(linear(weights), real, fake)
    assert value.item() == pytest.approx((weights.norm().item() - 1) ** 2, rel=1e-6)


def test_unit_gradient_is_not_penalised():
    weights = torch.tensor([0.6, 0.8], dtype=torch.float64)
    real, fake = torch.randn(2, 5, 2, dtype=torch.float64)
    assert GradientPenalty()(linear(weights), real, fake).item() == pytest.approx(0, abs=1e-30)


def test_norms_are_per_sample_over_all_dimensions():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0)).double()
    samples = torch.randn(6, 2, 4, 4, dtype=torch.float64)
    norms = gradient_norms(net, samples)
    loop = [
        torch.autograd.functional.jacobian(lambda x: net(x[None])[0], sample).flatten().norm().item()
        for sample in samples
    ]
    assert norms.tolist() == pytest.approx(loop, rel=1e-9)
    parts = torch.cat([gradient_norms(net, part) for part in samples.split(4)])
    assert norms.tolist() == pytest.approx(parts.tolist(), rel=1e-12)


def test_gradient_reaches_the_weights_and_is_finite_where_the_norm_is_zero():
    weights = torch.zeros(3, requires_grad=True)
    value = GradientPenalty()(linear(weights), torch.randn(4, 3), torch.randn(4, 3))
    value.backward()
    assert value.item() == 1.0
    assert weights.grad.isfinite().all()


def test_gradient_check():
    torch.manual_seed(0)
    samples = torch.randn(4, 3, dtype=torch.float64)

    def penalty(first, second):
        return (gradient_norms(lambda x: (x @ first).tanh() @ second, samples) - 1).square().mean()

    weights = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((3, 5), (5,))]
    assert torch.autograd.gradcheck(penalty, weights)


def test_one_epsilon_per_sample():
    torch.manual_seed(0)
    mixed = interpolate(torch.ones(2000, 3, 2), torch.zeros(2000, 3, 2)).flatten(1)
    assert torch.equal(mixed.min(1).values, mixed.max(1).values)
    # U(0, 1): mean ½ ± 4·√(1/12)/√2000
    assert mixed[:, 0].mean().item() == pytest.approx(0.5, abs=0.026)
    assert mixed[:, 0].std().item() == pytest.approx(12**-0.5, abs=0.02)


@pytest.mark.parametrize("value", ["abc", -1, None, float("inf")])
def test_parameters_name_themselves(value):
    with pytest.raises(ValueError, match=r"GradientPenalty.weight="):
        GradientPenalty(weight=value)
