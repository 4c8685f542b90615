"""Penalties against closed forms, a double loop over samples, and every way to split a batch."""

import pytest
import torch
from torch import nn

from gan_lab.losses import (
    DRAGAN,
    R1,
    R2,
    GradientPenalty,
    Judge,
    LipschitzPenalty,
    Penalty,
    Recipe,
    Wasserstein,
    ZeroCentered,
)
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


def test_dragan_perturbs_elements_by_half_the_batchs_deviation_times_uniform_noise_of_a_reach_per_sample():
    """The points that D is asked at, of real samples whose two features differ in spread; fake ones do not matter."""
    torch.manual_seed(0)
    real, fake = torch.randn(5000, 2) * torch.tensor([1.0, 20.0]), torch.full((5000, 2), 1000.0)
    asked = []

    def discriminator(samples):
        asked.append(samples.detach())
        return samples.sum(1)

    DRAGAN()(discriminator, real, fake)
    # one number, the root mean square distance of all elements from their mean, as numpy's x.std() of the author's code
    deviation = (real - real.mean()).square().mean().sqrt()
    noise = (asked[0] - real) / (0.5 * deviation)
    assert -1e-5 < noise.min() < 0.001
    assert 0.95 < noise.max() < 1 + 1e-5
    # αu with α of the sample and u of the element (LITERATURE.md §2): the mean is ½ · ½, the variance 1/9 − 1/16,
    # and two elements of a sample have the covariance E α² E u E u' − 1/16 = 1/12 − 1/16: a correlation of 3/7
    assert noise.mean(0).tolist() == pytest.approx([0.25, 0.25], abs=0.0125)
    assert noise.var(0).tolist() == pytest.approx([7 / 144, 7 / 144], rel=0.08)
    assert torch.corrcoef(noise.T)[0, 1].item() == pytest.approx(3 / 7, abs=0.05)  # four standard errors


def test_dragan_of_two_samples_takes_the_population_deviation():
    asked = []
    torch.manual_seed(0)
    for _ in range(500):
        DRAGAN()(lambda x: (asked.append(x.detach()), x.sum(1))[1], torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1))
    noise = torch.stack(asked) - torch.tensor([[1.0], [5.0]])
    assert 0.9 < noise.max().item() <= 1.0  # ½ · 2, where the sample's deviation would give 1.4


@pytest.mark.parametrize("penalty", [GradientPenalty(), DRAGAN(), LipschitzPenalty()], ids=repr)
def test_unit_gradient_is_not_penalised(penalty):
    weights = torch.tensor([0.0, 1.0], dtype=torch.float64)
    real, fake = torch.randn(2, 5, 2, dtype=torch.float64)
    assert penalty(linear(weights), real, fake).item() == 0


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


@pytest.mark.parametrize(
    "penalty", [R1(), R2(), GradientPenalty(), LipschitzPenalty(target=0.1), ZeroCentered()], ids=repr
)
@pytest.mark.parametrize("sizes", [[1] * 6, [2, 4], [1, 5], [3, 3], [1, 2, 3]], ids=str)
def test_a_batch_split_in_any_way_has_the_same_penalty(penalty, sizes, monkeypatch):
    """Means of the parts, weighted by their sizes; interpolates at one fixed ε, so that they are the same points."""
    monkeypatch.setattr(torch, "rand", lambda *shape, **kwargs: torch.full(shape, 0.3, **kwargs))
    net = conv_net()
    real, fake = torch.randn(2, 6, 2, 4, 4, dtype=torch.float64)
    whole = penalty(net, real, fake).item()
    pairs = zip(real.split(sizes), fake.split(sizes), strict=True)
    parts = [penalty(net, r, f).item() for r, f in pairs]
    assert sum(size * part for size, part in zip(sizes, parts, strict=True)) / 6 == pytest.approx(whole, rel=1e-12)
    assert whole > 0


def test_the_callers_samples_are_left_as_they_were():
    real, fake = torch.randn(2, 4, 3).unbind()
    for penalty in ALL:
        penalty()(lambda x: x.sum(1), real, fake)
    assert not real.requires_grad
    assert not fake.requires_grad


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
    judge = Judge(lambda samples: samples @ weights)
    assert gradient_norms(judge, torch.randn(3, 2)).tolist() == pytest.approx([5.0] * 3)


def test_the_judge_gives_the_discriminator_the_labels_of_the_batch():
    """C(x, y) = w_y · x: every sample's gradient has the length of its own class's weights, 1 or 5."""
    weights = torch.tensor([[0.6, 0.8], [3.0, 4.0]])
    judge = Judge(lambda samples, labels: (samples * weights[labels]).sum(1), {"labels": torch.tensor([1, 0, 1])})
    assert gradient_norms(judge, torch.randn(3, 2)).tolist() == pytest.approx([5.0, 1.0, 5.0])
    assert R1()(judge, torch.randn(3, 2), torch.randn(3, 2)).item() == pytest.approx((25 + 1 + 25) / 3 / 2)


def test_autocast_is_off_inside():
    """In bfloat16 the weights, which are the gradient, would be rounded to 8 bits."""
    torch.manual_seed(0)
    net = nn.Linear(64, 1)
    with torch.autocast("cpu", torch.bfloat16):
        norms = gradient_norms(lambda x: net(x).flatten(), torch.randn(8, 64))
    assert norms.tolist() == pytest.approx([net.weight.norm().item()] * 8, rel=1e-6)


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
    assert [(penalty().weight, penalty().every) for penalty in ALL] == [(10.0, 1)] * 6


def test_every_penalty_takes_gradients_of_single_samples():
    """LITERATURE.md §2: each is a function of ∇ₓC(x) at one sample; linter, precision and search go by this flag."""
    assert [penalty.per_sample_gradient for penalty in ALL] == [True] * 6


@pytest.mark.parametrize(("weight", "named"), [(0, []), (1e-3, ["gp"]), (1, ["gp"])])
def test_a_gradient_penalty_without_weight_counts_as_none(weight, named):
    assert GradientPenalty(weight).counts is bool(named)
    assert Recipe(Wasserstein(), {"gp": GradientPenalty(weight)}).gradient_penalties == named
