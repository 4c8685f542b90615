"""Objectives against their papers: closed forms, published vectors, gradients, symmetries, extreme logits.

A new objective is one row of `ROWS`.
"""

import math
from typing import NamedTuple

import pytest
import torch

from gan_lab.losses import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Relativistic,
    RelativisticAttention,
    Wasserstein,
)

LN2 = math.log(2)


class Row(NamedTuple):
    """An objective, its two values where all logits are 0, and whether only differences of logits matter to it."""

    objective: Objective
    discriminator_at_zero: float
    generator_at_zero: float
    shift_invariant: bool


ROWS = [  # LITERATURE.md §4: softplus(0) = ln 2, relu(1) = 1, (0 − 1)² = 1, a term each
    Row(Minimax(), 2 * LN2, -LN2, False),
    Row(NonSaturating(), 2 * LN2, LN2, False),
    Row(NonSaturating(label_smoothing=0.1), 2 * LN2, LN2, False),
    Row(LeastSquares(), 1.0, 1.0, False),
    Row(LeastSquares(a=-1.0, b=1.0, c=0.0, scale=0.5), 1.0, 0.0, False),
    Row(Hinge(), 2.0, 0.0, False),
    Row(Wasserstein(), 0.0, 0.0, True),
    Row(Relativistic("logistic", "paired"), LN2, LN2, True),
    Row(Relativistic("least_squares", "paired"), 1.0, 1.0, True),
    Row(Relativistic("hinge", "paired"), 1.0, 1.0, True),
    Row(Relativistic("logistic", "average"), 2 * LN2, 2 * LN2, True),
    Row(Relativistic("least_squares", "average"), 2.0, 2.0, True),
    Row(Relativistic("hinge", "average"), 2.0, 2.0, True),
    Row(Relativistic("logistic", "average", scale=0.5), LN2, LN2, True),
    Row(RelativisticAttention(), 4 * LN2, 2 * LN2 - LN2, True),
    Row(RelativisticAttention(attention_weight=0.5), 3 * LN2, 1.5 * LN2, True),
]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: repr(row.objective))
players = pytest.mark.parametrize("player", ["discriminator", "generator"])


def logits(row: Row, *batch_shape: int, dtype=torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits of the shape the objective takes, for real and for fake samples."""
    shape = batch_shape if row.objective.heads == 1 else (*batch_shape, row.objective.heads)
    return tuple(torch.randn(2, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0)).unbind())


@rows
def test_value_at_zero_logits(row):
    zeros = torch.zeros_like(logits(row, 3)[0])
    assert row.objective.discriminator(zeros, zeros).item() == pytest.approx(row.discriminator_at_zero, abs=1e-9)
    assert row.objective.generator(zeros, zeros).item() == pytest.approx(row.generator_at_zero, abs=1e-9)


# torchgan's published unit-test vectors, as quoted in LITERATURE.md §4
REAL, FAKE = torch.tensor([1.3, 2.9, 8.4, 6.3]), torch.tensor([4.8, 1.2, -3.5, 5.9])


@pytest.mark.parametrize(
    ("objective", "discriminator", "generator"),
    [
        (Wasserstein(), -2.625, -2.1),
        (NonSaturating(), 3.1251488, 0.9509911),
        (Minimax(), 3.1251488, -3.0509911),
        (LeastSquares(scale=0.5), 19.76125, 7.3425),
    ],
)
def test_published_vectors(objective, discriminator, generator):
    assert objective.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, abs=1e-5)
    assert objective.generator(None, FAKE).item() == pytest.approx(generator, abs=1e-5)


def phi(criterion: str, margin: float) -> float:
    """The cost of a margin, in plain Python."""
    if criterion == "logistic":
        return math.log1p(math.exp(-margin))
    return (margin - 1) ** 2 if criterion == "least_squares" else max(0.0, 1 - margin)


@pytest.mark.parametrize("criterion", ["logistic", "least_squares", "hinge"])
@pytest.mark.parametrize("pairing", ["paired", "average"])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_relativistic_by_hand(criterion, pairing, scale):
    """LITERATURE.md §1, sample by sample in plain Python, on torchgan's vectors."""
    r, f = REAL.tolist(), FAKE.tolist()
    if pairing == "paired":
        expected_d = sum(phi(criterion, a - b) for a, b in zip(r, f, strict=True)) / 4
        expected_g = sum(phi(criterion, b - a) for a, b in zip(r, f, strict=True)) / 4
    else:
        above = [a - sum(f) / 4 for a in r]  # r̃
        below = [b - sum(r) / 4 for b in f]  # f̃
        expected_d = sum(phi(criterion, t) for t in above) / 4 + sum(phi(criterion, -t) for t in below) / 4
        expected_g = sum(phi(criterion, t) for t in below) / 4 + sum(phi(criterion, -t) for t in above) / 4
    objective = Relativistic(criterion, pairing, scale)
    assert objective.discriminator(REAL, FAKE).item() == pytest.approx(scale * expected_d, rel=1e-5)
    assert objective.generator(REAL, FAKE).item() == pytest.approx(scale * expected_g, rel=1e-5)


def test_least_squares_labels_by_hand():
    # labels a = −1, b = 1, c = 0.5: (r − 1)² = 0.25, 9; (f + 1)² = 1.5625, 4; (f − 0.5)² = 0.0625, 12.25
    real, fake = torch.tensor([0.5, -2.0]), torch.tensor([0.25, -3.0])
    objective = LeastSquares(a=-1.0, b=1.0, c=0.5)
    assert objective.discriminator(real, fake).item() == pytest.approx(9.25 / 2 + 5.5625 / 2)
    assert objective.generator(None, fake).item() == pytest.approx(12.3125 / 2)


def test_hinge_by_hand():
    # relu(1 − r) = 0, 0, 0, 0 but for r = (0.5, −2): 0.5, 3; relu(1 + f) for f = (0.25, −3): 1.25, 0
    real, fake = torch.tensor([0.5, -2.0]), torch.tensor([0.25, -3.0])
    assert Hinge().discriminator(real, fake).item() == pytest.approx(3.5 / 2 + 1.25 / 2)
    assert Hinge().generator(None, fake).item() == pytest.approx(2.75 / 2)


def test_label_smoothing_is_the_cross_entropy_with_that_label():
    """−(1 − s) log σ(r) − s log(1 − σ(r)), with s = 0.1, against PyTorch's own binary cross-entropy."""
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    expected = bce(REAL, torch.full_like(REAL, 0.9)) + bce(FAKE, torch.zeros_like(FAKE))
    assert NonSaturating(label_smoothing=0.1).discriminator(REAL, FAKE).item() == pytest.approx(
        expected.item(), rel=1e-6
    )


def test_attention_by_hand():
    """LITERATURE.md §1: both heads ranked by D with weight λ; G's term of the second is E log(1 − σ(ã_f))."""
    real, fake = torch.stack([REAL, FAKE / 2], 1), torch.stack([FAKE, REAL / 3], 1)
    average = Relativistic("logistic", "average")
    attention_fake = real[:, 1].mean().neg() + fake[:, 1]
    expected_d = average.discriminator(REAL, FAKE) + 0.7 * average.discriminator(FAKE / 2, REAL / 3)
    expected_g = average.generator(REAL, FAKE) + 0.7 * torch.log(1 - torch.sigmoid(attention_fake.double())).mean()
    objective = RelativisticAttention(attention_weight=0.7)
    assert objective.discriminator(real, fake).item() == pytest.approx(expected_d.item(), rel=1e-6)
    assert objective.generator(real, fake).item() == pytest.approx(expected_g.item(), rel=1e-5)


@rows
@players
def test_gradients(row, player):
    inputs = [part.requires_grad_() for part in logits(row, 5)]
    assert torch.autograd.gradcheck(getattr(row.objective, player), inputs)


@rows
@players
def test_shift_invariance_of_differences_alone(row, player):
    real, fake = logits(row, 8)
    play = getattr(row.objective, player)
    same = torch.isclose(play(real + 3, fake + 3), play(real, fake), atol=1e-9).item()
    # Wasserstein's players see one term each of a difference of means; its sum of both is what cannot shift
    if isinstance(row.objective, Wasserstein) and player == "generator":
        assert not same
    else:
        assert same == row.shift_invariant


@rows
@players
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("signs", [(1, -1), (-1, 1), (1, 1), (-1, -1)])
def test_finite_at_extreme_logits(row, player, dtype, signs):
    inputs = [torch.full_like(part, sign * 1e4, dtype=dtype) for part, sign in zip(logits(row, 4), signs, strict=True)]
    inputs = [part.requires_grad_() for part in inputs]
    loss = getattr(row.objective, player)(*inputs)
    gradients = torch.autograd.grad(loss, inputs, allow_unused=True)
    assert loss.isfinite()
    assert all(g is None or g.isfinite().all() for g in gradients)


def net(heads: int, seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Linear(16, heads)]
    return torch.nn.Sequential(*layers, *([torch.nn.Flatten(0)] if heads == 1 else [])).double()


@rows
@pytest.mark.parametrize("seed", range(5))
def test_a_small_step_moves_the_logits_the_right_way(row, seed):
    """D's step raises the mean of real − fake; G's raises fake, for a relativistic one lowers real − fake."""
    discriminator, generator = net(row.objective.heads, seed), torch.nn.Linear(3, 3).double()
    torch.manual_seed(100 + seed)
    real, noise = torch.randn(2, 64, 3, dtype=torch.float64)
    real = real + 1

    def gap() -> float:
        with torch.no_grad():
            difference = discriminator(real).mean(0) - discriminator(generator(noise)).mean(0)
        return difference.flatten()[0].item()

    for player, network in (("discriminator", discriminator), ("generator", generator)):
        before = gap()
        loss = getattr(row.objective, player)(discriminator(real), discriminator(generator(noise)))
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(network.parameters(), gradients, strict=True):
                parameter -= 1e-4 * gradient
        if player == "discriminator":
            assert gap() > before
        elif row.objective != LeastSquares(a=-1.0, b=1.0, c=0.0, scale=0.5):  # c = 0 pulls fake logits from both sides
            assert gap() < before


@rows
def test_only_where_it_says_so_does_the_generator_look_at_real_samples(row):
    real, fake = logits(row, 4)
    depends = not torch.equal(row.objective.generator(real, fake), row.objective.generator(real + 1, fake))
    assert depends == row.objective.generator_uses_real
    if depends:
        with pytest.raises(ValueError, match="real logits are missing"):
            row.objective.generator(None, fake)
    else:
        assert torch.equal(row.objective.generator(None, fake), row.objective.generator(real, fake))


@rows
def test_logits_of_another_shape_are_refused(row):
    good = logits(row, 4)[0]
    bad = torch.zeros(4, 1)
    with pytest.raises(ValueError, match=r"real logits have shape \[4, 1\]: expected \[B"):
        row.objective.discriminator(bad, good)
    with pytest.raises(ValueError, match=r"fake logits have shape \[4, 1\]: expected \[B"):
        row.objective.discriminator(good, bad)
    with pytest.raises(ValueError, match=r"logits have shape \[4, 1\]: expected \[B"):
        row.objective.generator(good, bad)


def test_pairs_need_as_many_real_as_fake_samples_and_averages_do_not():
    with pytest.raises(ValueError, match="batches of 3 and 4 logits"):
        Relativistic().discriminator(torch.zeros(3), torch.zeros(4))
    # r̃ = 1 − 0, f̃ = 0 − 1: softplus(−1) twice
    value = Relativistic(pairing="average").discriminator(torch.ones(3), torch.zeros(4)).item()
    assert value == pytest.approx(2 * math.log1p(math.exp(-1)), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeastSquares(b="abc"), r"LeastSquares.b='abc': expected a finite number"),
        (lambda: LeastSquares(c=None), r"LeastSquares.c=null: expected a finite number"),
        (lambda: LeastSquares(a=float("nan")), r"LeastSquares.a=nan: expected a finite number"),
        (lambda: LeastSquares(scale=True), r"LeastSquares.scale=true: expected a number above 0"),
        (lambda: NonSaturating(label_smoothing=1.0), r"NonSaturating.label_smoothing=1.0: expected a number from 0"),
        (lambda: Minimax(label_smoothing=-0.1), r"Minimax.label_smoothing=-0.1: expected a number from 0"),
        (
            lambda: Relativistic("logit"),
            r"Relativistic.criterion='logit': expected one of logistic, least_squares, hinge",
        ),
        (lambda: Relativistic(pairing="mean"), r"Relativistic.pairing='mean': expected one of paired, average"),
        (lambda: Relativistic(scale="x"), r"Relativistic.scale='x': expected a number above 0"),
        (lambda: Relativistic(scale=0), r"Relativistic.scale=0: expected a number above 0"),
        (lambda: LeastSquares(scale=-1.0), r"LeastSquares.scale=-1.0: expected a number above 0"),
        (
            lambda: RelativisticAttention(-7.0),
            r"RelativisticAttention.attention_weight=-7.0: expected a number above 0",
        ),
        (lambda: RelativisticAttention("x"), r"RelativisticAttention.attention_weight='x': expected a number above 0"),
    ],
)
def test_parameters_name_themselves(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "objective",
    [NonSaturating(), NonSaturating(label_smoothing=0.2), Minimax(), LeastSquares(), LeastSquares(a=-1, b=2), Hinge()],
)
def test_the_undecided_logit_is_the_best_where_real_and_fake_are_alike(objective):
    """L_D of a logit that is given to both has its smallest value there; the hinge's is as small in [−1, 1]."""
    logits = torch.linspace(-3, 3, 601, dtype=torch.float64)
    losses = torch.stack([objective.discriminator(logit[None], logit[None]) for logit in logits])
    best = logits[losses < losses.min() + 1e-12]
    middle = (best.min() + best.max()) / 2
    assert objective.undecided == pytest.approx(middle.item(), abs=0.011)


@pytest.mark.parametrize(
    "objective", [Wasserstein(), Relativistic(), Relativistic(pairing="average"), RelativisticAttention()]
)
def test_objectives_without_one_do_not_see_a_number_added_to_all_logits(objective):
    assert objective.undecided is None
    real, fake = torch.randn(2, 6, objective.heads, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if objective.heads == 1:
        real, fake = real[:, 0], fake[:, 0]
    assert torch.allclose(objective.discriminator(real + 3, fake + 3), objective.discriminator(real, fake))
