"""Objectives against their papers: closed forms, published vectors, gradients, symmetries, extreme logits."""

import math

import pytest
import torch

from gan_lab.losses import LeastSquares, NonSaturating, Relativistic, Wasserstein

ALL = [NonSaturating(), LeastSquares(), LeastSquares(a=-1.0, b=1.0, c=0.0, scale=0.5), Wasserstein(), Relativistic()]
LN2 = math.log(2)
# torchgan's unit-test vectors (torchgan/tests: test_losses), as quoted in LITERATURE.md §4
REAL, FAKE = torch.tensor([1.3, 2.9, 8.4, 6.3]), torch.tensor([4.8, 1.2, -3.5, 5.9])


@pytest.mark.parametrize(
    ("objective", "discriminator", "generator"),
    [
        (NonSaturating(), 2 * LN2, LN2),  # softplus(0) = ln 2, two terms and one
        (LeastSquares(), 1.0, 1.0),
        (LeastSquares(a=-1.0, b=1.0, c=0.0, scale=0.5), 1.0, 0.0),  # ½(1 + 1) and ½·0
        (Wasserstein(), 0.0, 0.0),
        (Relativistic(), LN2, LN2),
    ],
)
def test_value_at_zero_logits(objective, discriminator, generator):
    zeros = torch.zeros(3)
    assert objective.discriminator(zeros, zeros).item() == pytest.approx(discriminator, abs=1e-6)
    assert objective.generator(zeros, zeros).item() == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize(
    ("objective", "discriminator", "generator"),
    [
        (Wasserstein(), -2.625, -2.1),
        (NonSaturating(), 3.1251488, 0.9509911),
        (LeastSquares(scale=0.5), 19.76125, 7.3425),
    ],
)
def test_published_vectors(objective, discriminator, generator):
    assert objective.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, abs=1e-5)
    assert objective.generator(None, FAKE).item() == pytest.approx(generator, abs=1e-5)


def test_relativistic_by_hand():
    # softplus of ∓(r − f) for r − f = (−3.5, 1.7, 11.9, 0.4), with math alone
    margins = [-3.5, 1.7, 11.9, 0.4]
    expected_d = sum(math.log1p(math.exp(-m)) for m in margins) / 4
    expected_g = sum(math.log1p(math.exp(m)) for m in margins) / 4
    assert Relativistic().discriminator(REAL, FAKE).item() == pytest.approx(expected_d, rel=1e-5)
    assert Relativistic().generator(REAL, FAKE).item() == pytest.approx(expected_g, rel=1e-5)


@pytest.mark.parametrize("objective", ALL, ids=repr)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_gradients(objective, player):
    torch.manual_seed(0)
    logits = [torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(getattr(objective, player), logits)


@pytest.mark.parametrize("objective", ALL, ids=repr)
def test_shift_invariance_of_differences_alone(objective):
    torch.manual_seed(0)
    real, fake = torch.randn(2, 8, dtype=torch.float64)
    same = torch.isclose(objective.discriminator(real + 3, fake + 3), objective.discriminator(real, fake), atol=1e-9)
    assert same == isinstance(objective, Wasserstein | Relativistic)


@pytest.mark.parametrize("objective", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("signs", [(1, -1), (-1, 1), (1, 1), (-1, -1)])
def test_finite_at_extreme_logits(objective, dtype, signs):
    for player in ("discriminator", "generator"):
        logits = [torch.full((4,), sign * 1e4, dtype=dtype, requires_grad=True) for sign in signs]
        loss = getattr(objective, player)(*logits)
        gradients = torch.autograd.grad(loss, logits, allow_unused=True)
        assert loss.isfinite()
        assert all(g is None or g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("objective", ALL, ids=repr)
def test_descending_moves_the_logits_the_right_way(objective):
    """−∂L_D/∂r and ∂L_D/∂f are not negative, and some is positive: D's descent raises real − fake. G's raises fake."""
    torch.manual_seed(0)
    real, fake = (torch.randn(2, 16, dtype=torch.float64) * 0.1).requires_grad_().unbind()
    d_real, d_fake = torch.autograd.grad(objective.discriminator(real, fake), (real, fake))
    assert (d_fake - d_real).mean() > 0
    (g_fake,) = torch.autograd.grad(objective.generator(real.detach(), fake), fake)
    # LSGAN's labels (−1, 1, 0) pull fake logits to 0 from either side: its mean here may go either way
    if objective != LeastSquares(a=-1.0, b=1.0, c=0.0, scale=0.5):
        assert g_fake.mean() < 0


def test_only_the_relativistic_generator_looks_at_real_samples():
    torch.manual_seed(0)
    real, fake = torch.randn(2, 4)
    for objective in ALL:
        depends = not torch.equal(objective.generator(real, fake), objective.generator(real + 1, fake))
        assert depends == objective.generator_uses_real


@pytest.mark.parametrize("objective", ALL, ids=repr)
def test_a_column_of_logits_is_refused(objective):
    column, vector = torch.zeros(4, 1), torch.zeros(4)
    with pytest.raises(ValueError, match=r"real logits have shape \[4, 1\]"):
        objective.discriminator(column, vector)
    with pytest.raises(ValueError, match=r"fake logits have shape \[4, 1\]"):
        objective.generator(vector, column)


def test_relativistic_pairs_need_equal_batches_and_real_logits():
    with pytest.raises(ValueError, match=r"3 real and 4 fake logits"):
        Relativistic().discriminator(torch.zeros(3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"real logits are missing"):
        Relativistic().generator(None, torch.zeros(4))


@pytest.mark.parametrize("value", ["abc", None, float("nan"), True])
def test_parameters_name_themselves(value):
    with pytest.raises(ValueError, match=r"LeastSquares.b="):
        LeastSquares(b=value)
