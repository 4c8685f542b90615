"""Terms of the generator's loss, by terms made up here: the project ships none yet."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from gan_lab.losses import Term


@dataclass(frozen=True)
class Energy(Term):
    """½ E ‖G(z)‖²."""

    def __call__(self, step):
        return 0.5 * step.fake.square().flatten(1).sum(1).mean()


@dataclass(frozen=True)
class Handed(Term):
    """Notes what it is handed."""

    def __call__(self, step):
        _NOTED.append(step)
        return step.fake.sum() * 0


_NOTED = []


@pytest.mark.parametrize("value", [-1, "abc", float("nan"), True])
def test_a_wrong_weight_is_named(value):
    with pytest.raises(ValueError, match=r"Energy.weight="):
        Energy(weight=value)


def test_a_term_that_says_nothing_counts_once_in_every_update():
    """The loss of the papers is L_G plus the term."""
    assert (Energy().weight, Energy().every) == (1.0, 1)


@pytest.mark.parametrize("value", [0, 1.5])
def test_a_wrong_interval_is_named(value):
    with pytest.raises(ValueError, match=r"Energy.every="):
        Energy(every=value)


def play(term, iterations=1, objective=None):
    """A game of linear networks on points, whose generator learns by SGD at rate 1; the generator's weights."""
    from gan_lab.algorithms.gan import GAN
    from gan_lab.algorithms.player import Player
    from gan_lab.datasets import Batch, Draw
    from gan_lab.losses import Recipe, Wasserstein
    from gan_lab.models.latents import Prior

    torch.manual_seed(0)
    generator, discriminator = nn.Linear(2, 2, bias=False), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    rates = {"generator": 1.0, "discriminator": 0.0}
    players = {
        name: Player(name, network, torch.optim.SGD(network.parameters(), rates[name]))
        for name, network in (("generator", generator), ("discriminator", discriminator))
    }
    game = GAN(
        **players,
        loss=Recipe(objective or Wasserstein(), terms={"made_up": term}),
        prior=Prior("normal", 2),
        noise_seed=0,
        turns={"generator": 1, "discriminator": 1},
    )
    weights, curves = [generator.weight.detach().clone()], []
    for _ in range(iterations):
        curves.append(game.iterate(Draw(Batch(torch.zeros(4, 2)), Batch(torch.zeros(4, 2)))))
        weights.append(generator.weight.detach().clone())
    return game, weights, curves


def latents(game, count):
    """The latents of the generator's updates, which follow the discriminator's."""
    game.noise.manual_seed(0)
    return [(game.draw_latents(4), game.draw_latents(4))[1] for _ in range(count)]


def test_a_term_is_weighted_once_and_logged_unweighted():
    """∇_W ½ E ‖W z‖² = W E z zᵀ: with SGD at rate 1 the steps of two weights differ by exactly that."""
    game, without, _ = play(Energy(weight=0.0))
    _, with_it, curves = play(Energy(weight=0.25))
    (z,) = latents(game, 1)
    start = without[0]
    gradient = start @ (z.T @ z) / 4
    assert torch.allclose(without[1] - with_it[1], 0.25 * gradient, atol=1e-6)
    assert curves[0]["loss/made_up"].item() == pytest.approx(
        0.5 * (z @ start.T).square().sum(1).mean().item(), rel=1e-5
    )


def test_a_lazy_term_comes_every_so_often_with_as_many_times_its_weight():
    game, without, _ = play(Energy(weight=0.0), iterations=1)
    _, weights, curves = play(Energy(weight=0.05, every=3), iterations=4)
    assert ["loss/made_up" in point for point in curves] == [True, False, False, True]
    (z,) = latents(game, 1)
    gradient = without[0] @ (z.T @ z) / 4
    assert torch.allclose(without[1] - weights[1], 3 * 0.05 * gradient, atol=1e-6)


@dataclass(frozen=True)
class Never(Term):
    def __call__(self, step):
        return step.fake.mean() * float("inf")


def test_a_term_of_weight_0_is_not_computed_and_looks_at_no_real_samples():
    game, weights, curves = play(Never(weight=0.0))
    assert weights[1].isfinite().all()
    assert "loss/made_up" not in curves[0]
    assert not game.generator_uses_real
    assert Never(weight=0.0).uses_real


def test_a_weight_that_falls_to_0_ends_the_term():
    """Half a cosine from 1 to 0 in two updates of the generator; so does a run that goes on after them."""
    game, _, curves = play(Energy(1.0, final_weight=0.0, until=2), iterations=4)
    assert ["loss/made_up" in point for point in curves] == [True, True, False, False]
    assert game.generator_uses_real


def test_a_term_is_handed_what_the_update_has():
    from gan_lab.losses import Relativistic

    _NOTED.clear()
    play(Handed(), objective=Relativistic())
    (step,) = _NOTED
    assert step.networks.keys() == {"generator", "discriminator"}
    assert step.fake.requires_grad
    with torch.no_grad():
        assert torch.allclose(step.judge(step.fake), step.judge.fake)
        assert torch.allclose(step.judge(step.batch.samples), step.judge.real)
    assert step.request.latents.shape == (4, 2)
    assert step.request.labels is None
