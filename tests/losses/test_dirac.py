"""The Dirac-GAN (Mescheder et al. 2018): data δ₀, G(z) = θ, C(x) = ψx, the whole theory of stability in two numbers."""

from functools import cache

import pytest
import torch
from configurations import composed_of
from hydra.utils import instantiate

from gan_lab.losses import R1, R2, NonSaturating, Recipe, Relativistic, ZeroCentered


def shipped(loss: str) -> Recipe:
    return instantiate(composed_of(f"loss={loss}").loss)


def losses(recipe: Recipe, psi: torch.Tensor, theta: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """L_D with its penalties, and L_G; C of a second head, where the objective wants one, is 0."""

    def discriminator(samples: torch.Tensor) -> torch.Tensor:
        logits = samples[:, 0] * psi
        return logits if recipe.objective.heads == 1 else torch.stack([logits, 0 * logits], 1)

    real = torch.zeros(1, 1, dtype=torch.float64)
    fake = theta.reshape(1, 1)
    loss_d = recipe.objective.discriminator(discriminator(real), discriminator(fake))
    for penalty in recipe.penalties.values():
        loss_d = loss_d + penalty.weight * penalty(discriminator, real, fake)
    return loss_d, recipe.objective.generator(discriminator(real), discriminator(fake))


def jacobian(recipe: Recipe) -> torch.Tensor:
    """Of (−∂L_D/∂ψ, −∂L_G/∂θ) at the equilibrium (0, 0)."""
    psi, theta = (torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss_d, loss_g = losses(recipe, psi, theta)
    field = [
        -torch.autograd.grad(loss_d, psi, create_graph=True)[0],
        -torch.autograd.grad(loss_g, theta, create_graph=True)[0],
    ]
    rows = [torch.autograd.grad(part, (psi, theta), allow_unused=True, retain_graph=True) for part in field]
    return torch.stack([torch.stack([torch.zeros(()) if x is None else x for x in row]).double() for row in rows])


def conjugates(real: float, imaginary: float) -> list[complex]:
    return [complex(real, -imaginary), complex(real, imaginary)]


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        # LITERATURE.md §4; f′(0) = ½ for the logistic
        ("minimax", conjugates(0, 0.5)),
        ("non_saturating", conjugates(0, 0.5)),
        ("rsgan", conjugates(0, 0.5)),
        ("hinge", conjugates(0, 1)),
        # the unconstrained objectives of wgan and sngan, whose constraints do not act on ψ near 0
        ("wgan", conjugates(0, 1)),
        ("sngan", conjugates(0, 1)),
        # ‖∇C‖ = |ψ| is below 1 near the equilibrium, where the one-sided penalty is silent
        ("wgan_lp", conjugates(0, 1)),
        # lsgan: −∂L_D/∂ψ = −2ψθ² vanishes to first order, −∂L_G/∂θ = 2ψ
        ("lsgan", [0, 0]),
        # with r = 0, f = ψθ: L_D = 2 softplus(f), L_G = 2 softplus(−f)
        ("rasgan", conjugates(0, 1)),
        # L_D = 2(1 + f)², L_G = 2(1 − f)²
        ("ralsgan", conjugates(0, 4)),
        # L_D = 2 relu(1 + f), L_G = 2 relu(1 − f)
        ("rahinge", conjugates(0, 2)),
        # RaSGAN on the first head; the second has logit 0 and adds a constant
        ("ragan_attention", conjugates(0, 1)),
        # R1: −γ/2 ± √(γ²/4 − f′(0)²), γ = 10
        ("nsgan_r1", [-5 - (25 - 0.25) ** 0.5, -5 + (25 - 0.25) ** 0.5]),
        # R1 + R2: twice the damping
        ("r3gan", [-10 - (100 - 0.25) ** 0.5, -10 + (100 - 0.25) ** 0.5]),
        (Recipe(NonSaturating(), {"r1": R1(0.3)}), conjugates(-0.15, (0.25 - 0.15**2) ** 0.5)),
        (Recipe(NonSaturating(), {"r1": R1(1.0)}), [-0.5, -0.5]),
        (Recipe(Relativistic(), {"r1": R1(0.3), "r2": R2(0.3)}), conjugates(-0.3, 0.4)),
        # E‖∇C‖² at interpolates is ψ²: as R1 with γ = 2 · weight
        (Recipe(NonSaturating(), {"zero": ZeroCentered(0.15)}), conjugates(-0.15, (0.25 - 0.15**2) ** 0.5)),
    ],
    ids=str,
)
def test_eigenvalues(recipe, expected):
    recipe = shipped(recipe) if isinstance(recipe, str) else recipe
    matrix = jacobian(recipe)
    # a double eigenvalue is only as exact as the root of the rounding; sum and product, which fix both, are exact
    assert matrix.trace().item() == pytest.approx(sum(expected).real, abs=1e-6)
    assert torch.linalg.det(matrix).item() == pytest.approx((expected[0] * expected[1]).real, abs=1e-6)
    if expected[0] != expected[1]:
        found = sorted(torch.linalg.eigvals(matrix).tolist(), key=lambda value: (round(value.imag, 9), value.real))
        assert all(abs(value - truth) < 1e-6 for value, truth in zip(found, expected, strict=True))


def distance_after_500_steps(recipe: Recipe, rate: float) -> float:
    psi, theta = (torch.tensor(0.5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    for _ in range(500):
        for parameter, player in ((psi, 0), (theta, 1)):
            (gradient,) = torch.autograd.grad(losses(recipe, psi, theta)[player], parameter)
            with torch.no_grad():
                parameter -= rate * gradient
    return (psi**2 + theta**2).sqrt().item()


@cache
def shipped_distance(loss: str) -> float:
    return distance_after_500_steps(shipped(loss), 0.02)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(NonSaturating(), {"r1": R1(1.0)}),
        Recipe(NonSaturating(), {"r2": R2(1.0)}),
        Recipe(NonSaturating(), {"zero": ZeroCentered(0.5)}),
        Recipe(Relativistic(), {"r1": R1(0.5), "r2": R2(0.5)}),
    ],
    ids=str,
)
def test_zero_centred_penalties_converge(recipe):
    # the slowest eigenvalue is −½ at rate 0.2: 500 steps shrink by e^−50
    assert distance_after_500_steps(recipe, 0.2) < 1e-12


DO_NOT_CONVERGE = [  # imaginary eigenvalues (Mescheder et al. 2018, §2), or a penalty that holds ψ away from 0 (§3)
    "minimax", "non_saturating", "lsgan", "hinge", "rsgan", "rasgan", "ralsgan", "rahinge", "ragan_attention", "wgan",
    "sngan", "wgan_gp", "wgan_lp", "dragan", "rsgan_gp", "rasgan_gp",
]  # fmt: skip


@pytest.mark.parametrize("loss", DO_NOT_CONVERGE)
def test_the_others_do_not(loss):
    """From a distance of 0.71 the same 500 steps leave them circling, at best slowly approaching."""
    assert 0.1 < shipped_distance(loss) < 20


@pytest.mark.parametrize("loss", ["minimax", "hinge", "wgan", "wgan_lp", "sngan"])
def test_those_whose_field_is_linear_near_the_start_keep_their_distance(loss):
    """Small alternating steps are symplectic: the orbit neither shrinks nor grows, from √½."""
    assert shipped_distance(loss) == pytest.approx(0.5**0.5, rel=0.01)


@pytest.mark.parametrize("loss", ["nsgan_r1", "r3gan"])
def test_the_shipped_convergent_recipes_shrink_as_their_eigenvalues_say(loss):
    """γ = 10 overdamps: ψ follows θ at once, and θ decays with the slow eigenvalue, about −¼/γ (R1), −⅛/γ (R1 + R2)."""
    recipe, rate = shipped(loss), 0.05
    start = torch.tensor([0.5, 0.5], dtype=torch.float64)
    predicted = (torch.matrix_exp(500 * rate * jacobian(recipe)) @ start).norm().item()
    assert predicted < 0.6 * start.norm()
    assert distance_after_500_steps(recipe, rate) == pytest.approx(predicted, rel=0.05)
