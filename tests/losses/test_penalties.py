"""Penalties against closed forms, a double loop over samples, and every way to split a batch."""

import pytest
import torch
from torch import nn

from gan_lab.losses import DRAGAN, R1, R2, GradientPenalty, LipschitzPenalty, Penalty, ZeroCentered
from gan_lab.losses.penalties import gradient_norms, interpolate, squared_gradient_norms

ALL = [GradientPenalty, LipschitzPenalty, DRAGAN, R1, R2, ZeroCentered]


def linear(weights: torch.Tensor):
    return lambda samples: samples.flatten(1) @ weights


@pytest.mark.parametrize("length", [0.4, 1.0, 2.5])
@pytest.mark.parametrize(
    ("penalty", "closed_form"),
    [  # LITERATURE.md §2: C(x) = w·x has gradient w everywhere
        (GradientPenalty(), lambda length: (length - 1) ** 2),
        (GradientPenalty(target=0.5), lambda length: (length - 0.5) ** 2),
        (LipschitzPenalty(), lambda length: max(0, length - 1) ** 2),
        (LipschitzPenalty(target=0.2), lambda length: max(0, length - 0.2) ** 2),
        (DRAGAN(), lambda length: (length - 1) ** 2),
        (DRAGAN(target=2.0), lambda length: (length - 2) ** 2),
        (R1(), lambda length: length**2 / 2),
        (R2(), lambda length: length**2 / 2),
        (ZeroCentered(), lambda length: length**2),
    ],
    ids=lambda value: repr(value) if isinstance(value, Penalty) else "closed_form",
)
def test_linear_discriminator_has_the_closed_form(penalty, closed_form, length):
    torch.manual_seed(0)
    weights = torch.randn(12, dtype=torch.float64)
    weights *= length / weights.norm()
    real, fake = torch.randn(2, 7, 3, 2, 2, dtype=torch.float64)
    assert penalty(linear(weights), real, fake).item() == pytest.approx(closed_form(length), rel=1e-6, abs=1e-12)


def test_where_each_penalty_looks():
    """C(x) = ½‖x‖² has gradient x: the value tells the points it was taken at."""

    def quadratic(samples):
        return samples.flatten(1).square().sum(1) / 2

    real, fake = torch.full((4000, 2), 3.0), torch.full((4000, 2), -1.0)
    torch.manual_seed(0)
    assert R1()(quadratic, real, fake).item() == pytest.approx(9.0)  # ½ · 2 · 3²
    assert R2()(quadratic, real, fake).item() == pytest.approx(1.0)
    # x̂ = 4ε − 1 in both dimensions: E ‖x̂‖² = 2 E (4ε − 1)² = 2 (16/3 − 4 + 1) = 14/3
    assert ZeroCentered()(quadratic, real, fake).item() == pytest.approx(14 / 3, rel=0.05)
    # ‖x̂‖ = √2 |4ε − 1|: E(‖x̂‖ − 1)² = 14/3 − 2√2 E|4ε − 1| + 1, with E|4ε − 1| = (1 + 9)/8
    assert GradientPenalty()(quadratic, real, fake).item() == pytest.approx(17 / 3 - 2 * 2**0.5 * 1.25, rel=0.05)
    # with t = 4ε − 1 uniform on [−1, 3]: ∫ max(0, √2|t| − 1)² dt / 4, and ∫ (√2t − 1)² dt = (√2t − 1)³ / 3√2
    expected = ((3 * 2**0.5 - 1) ** 3 + (2**0.5 - 1) ** 3) / (3 * 2**0.5) / 4
    assert LipschitzPenalty()(quadratic, real, fake).item() == pytest.approx(expected, rel=0.05)
    # around real samples of no spread: the real samples themselves, ‖x‖ = 3√2
    assert DRAGAN()(quadratic, real, fake).item() == pytest.approx((3 * 2**0.5 - 1) ** 2, rel=1e-5)


def test_dragan_perturbs_real_samples_by_half_a_deviation_times_uniform_noise():
    """C(x) = ½x² at x = 1 and 5, of population deviation 2: x̂ = x + U(0, 1), and target 0 gives E x̂².

    Four thousand batches of two, in which the deviation of a sample would be 2.8; the fake samples have another.
    """
    torch.manual_seed(0)
    real, fake = torch.tensor([[1.0], [5.0]]), torch.tensor([[100.0], [-70.0]])
    values = [DRAGAN(target=0.0)(lambda x: x.square().sum(1) / 2, real, fake).item() for _ in range(4000)]
    # E (1 + u)² = 1 + 1 + 1/3 and E (5 + u)² = 25 + 5 + 1/3: mean 49/3
    assert sum(values) / len(values) == pytest.approx(49 / 3, rel=0.01)


@pytest.mark.parametrize("penalty", [GradientPenalty(), DRAGAN(), LipschitzPenalty()], ids=repr)
def test_unit_gradient_is_not_penalised(penalty):
    weights = torch.tensor([0.6, 0.8], dtype=torch.float64)
    real, fake = torch.randn(2, 5, 2, dtype=torch.float64)
    assert penalty(linear(weights), real, fake).item() == pytest.approx(0, abs=1e-30)


def conv_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 1), nn.Flatten(0)).double()


def test_norms_equal_a_loop_over_samples():
    net, samples = conv_net(), torch.randn(6, 2, 4, 4, dtype=torch.float64)
    loop = []
    for sample in samples:
        jacobian = torch.autograd.functional.jacobian(lambda x: net(x[None])[0], sample)
        loop.append(sum(entry.item() ** 2 for entry in jacobian.flatten()))
    assert squared_gradient_norms(net, samples).tolist() == pytest.approx(loop, rel=1e-9)
    assert gradient_norms(net, samples).tolist() == pytest.approx([value**0.5 for value in loop], rel=1e-9)


@pytest.mark.parametrize("penalty", [R1(), R2()], ids=repr)
@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_a_split_batch_has_the_same_penalty(penalty, size):
    net = conv_net()
    real, fake = torch.randn(2, 6, 2, 4, 4, dtype=torch.float64)
    whole = penalty(net, real, fake).item()
    parts = [penalty(net, r, f).item() for r, f in zip(real.split(size), fake.split(size), strict=True)]
    assert sum(parts) / len(parts) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("penalty", ALL, ids=lambda penalty: penalty.__name__)
def test_gradient_reaches_the_weights_and_is_finite_where_the_norm_is_zero(penalty):
    weights = torch.zeros(3, requires_grad=True)
    value = penalty()(linear(weights), torch.randn(4, 3), torch.randn(4, 3))
    value.backward()
    assert value.item() == (1.0 if penalty in (GradientPenalty, DRAGAN) else 0.0)
    assert weights.grad.isfinite().all()
    weights = torch.tensor([3.0, 0.0, 0.0], requires_grad=True)
    penalty()(linear(weights), torch.randn(4, 3), torch.randn(4, 3)).backward()
    assert weights.grad[0] > 0  # a longer gradient costs more


@pytest.mark.parametrize("squared", [True, False])
def test_gradient_check(squared):
    torch.manual_seed(0)
    samples = torch.randn(4, 3, dtype=torch.float64)
    norms = squared_gradient_norms if squared else gradient_norms

    def penalty(first, second):
        return (norms(lambda x: (x @ first).tanh() @ second, samples) - 1).square().mean()

    weights = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((3, 5), (5,))]
    assert torch.autograd.gradcheck(penalty, weights)


def test_of_several_heads_the_critic_alone_is_penalised():
    weights = torch.tensor([[3.0, 100.0], [4.0, 100.0]])
    assert gradient_norms(lambda x: x @ weights, torch.randn(3, 2)).tolist() == pytest.approx([5.0] * 3)


def test_autocast_is_off_inside():
    net = nn.Linear(64, 1)
    samples = torch.randn(8, 64)
    exact = gradient_norms(lambda x: net(x).flatten(), samples)
    with torch.autocast("cpu", torch.bfloat16):
        inside = gradient_norms(lambda x: net(x).flatten(), samples)
    assert torch.equal(exact, inside)


def test_one_epsilon_per_sample():
    torch.manual_seed(0)
    mixed = interpolate(torch.ones(2000, 3, 2), torch.zeros(2000, 3, 2)).flatten(1)
    assert torch.equal(mixed.min(1).values, mixed.max(1).values)
    # U(0, 1): mean ½ ± 4·√(1/12)/√2000
    assert mixed[:, 0].mean().item() == pytest.approx(0.5, abs=0.026)
    assert mixed[:, 0].std().item() == pytest.approx(12**-0.5, abs=0.02)


@pytest.mark.parametrize("penalty", ALL, ids=lambda penalty: penalty.__name__)
@pytest.mark.parametrize("value", ["abc", -1, None, float("inf"), True])
def test_parameters_name_themselves(penalty, value):
    with pytest.raises(ValueError, match=rf"{penalty.__name__}.weight="):
        penalty(weight=value)


@pytest.mark.parametrize("every", [0, 1.5, "x"])
def test_the_interval_is_a_whole_number(every):
    with pytest.raises(ValueError, match=r"R1.every="):
        R1(every=every)


def test_published_default_weights():
    assert [penalty().weight for penalty in ALL] == [10.0] * 6
