"""VAE/GAN: which player gets which gradient, beside autograd of the formulas of Larsen et al. 2016 written out here."""

from dataclasses import dataclass

import pytest
import torch
from linear_games import Nothing, descents, gradients, of, players, same, settings
from torch import nn

from gan_lab.algorithms.vae_gan import VAEGAN
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.losses import (
    KL,
    L1,
    MSE,
    R1,
    FeatureMatching,
    FeatureReconstruction,
    Judge,
    LeastSquares,
    Recipe,
    Relativistic,
    Term,
)
from gan_lab.models.latents import Prior

SIGMA = 0.7


class Encoder(nn.Module):
    """Mean and log-variance, linear in the sample."""

    def __init__(self):
        super().__init__()
        self.mean, self.log_variance = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, samples):
        return self.mean(samples), self.log_variance(samples)


def game_of(objective=None, terms=None, penalties=None, **changes):
    torch.manual_seed(0)
    discriminator = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))
    made = players(generator=nn.Linear(2, 3), discriminator=discriminator, encoder=Encoder())
    recipe = Recipe(objective or Nothing(), terms=terms or {"mse": MSE(weight=0.25)}, penalties=penalties or {})
    return VAEGAN(**{**made, "loss": recipe, "sigma": SIGMA, **settings(made), **changes}).double()


def batch(seed=1, count=4):
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(count, 3, generator=generator, dtype=torch.float64))


def noises(count=3):
    """The first latents that a game draws."""
    random = torch.Generator().manual_seed(0)
    return [torch.randn(4, 2, generator=random).double() for _ in range(count)]


def decoded(game, noise):
    """A reconstruction, and the mean and log-variance behind it."""
    mean, log_variance = game.encoder(batch().samples)
    return game.generator(mean + noise * (log_variance / 2).exp()), mean, log_variance


def squares(game, made):
    return (made - batch().samples).square()


def test_the_encoder_descends_kl_and_the_reconstructions_times_their_numbers_over_2_variances():
    """The weights of reconstructions are the generator's alone; a feature counts as a pixel does: equation 7."""
    terms = {"mse": MSE(weight=0.25), "kl": KL(weight=3.0), "features": FeatureReconstruction(weight=9.0)}
    game = game_of(LeastSquares(), terms, {"r1": R1()})
    found = descents(game, lambda: game.update_encoder(batch()))
    made, mean, log_variance = decoded(game, noises()[0])
    kl = (mean**2 + log_variance.exp() - log_variance - 1).sum(1).mean() / 2
    features = game.discriminator[:2]
    likelihood = squares(game, made).sum(1) + (features(made) - features(batch().samples)).square().sum(1)
    expected = gradients(game, 3.0 * kl + likelihood.mean() / (2 * SIGMA**2))
    assert same(of("encoder", found), of("encoder", expected))
    assert of("encoder", found).abs().min() > 0
    assert not of("generator", found).any()
    assert not of("discriminator", found).any()
    assert game.curves["loss/encoder"].item() == pytest.approx(
        (3.0 * kl + likelihood.mean() / (2 * SIGMA**2)).item(), rel=1e-9
    )
    assert game.curves["loss/kl"].item() == pytest.approx(kl.item(), rel=1e-9)


def test_a_penalty_and_a_term_of_one_name_have_curves_of_their_own():
    """`kl` in the encoder's loss, and `mse` in the generator's (docs/run_folder.md)."""
    game = game_of(LeastSquares(), {"mse": MSE(), "kl": KL()}, {"mse": R1(), "kl": R1()})
    game.iterate(Draw(batch(), batch()))
    names = {"loss/mse", "loss/mse_generator", "loss/kl", "loss/kl_encoder"}
    assert names <= game.curves.keys()
    assert game.curves["loss/kl"] == game.curves["loss/mse"]  # both R1


def test_curves_have_no_graph_and_a_batch_may_be_one_sample():
    game = game_of(LeastSquares(), {"mse": MSE(), "kl": KL()})
    game.iterate(Draw(batch(count=1), batch(count=1)))
    assert {"loss/encoder", "loss/generator", "loss/discriminator", "loss/mse", "loss/kl"} <= game.curves.keys()
    assert not any(value.requires_grad for value in game.curves.values())


@pytest.mark.parametrize("terms", [{"mse": MSE(weight=0.25)}, {"kl": KL(), "mse": MSE(weight=0.25, every=2)}])
def test_the_generator_descends_its_objective_and_weighted_reconstructions(terms):
    """Of samples of the prior, and of a reconstruction whose latents have no graph; a lazy one counts so often."""
    game = game_of(LeastSquares(), terms)
    game.players["encoder"].optimizer.param_groups[0]["lr"] = 0.0  # it moves before the generator
    found = descents(game, lambda: game.update_generator(batch()))
    _, prior, noise = noises()
    objective = (game.discriminator(game.generator(prior)) - 1).square().mean()
    expected = gradients(game, objective + 0.25 * terms["mse"].every * squares(game, decoded(game, noise)[0]).mean())
    assert same(of("generator", found), of("generator", expected))
    assert not of("discriminator", found).any()
    assert game.curves["loss/mse"].item() == pytest.approx(squares(game, decoded(game, noise)[0]).mean().item())


def test_the_discriminator_descends_its_objective_and_penalties_alone():
    terms = {"mse": MSE(), "kl": KL(), "features": FeatureReconstruction(), "matching": FeatureMatching()}
    game = game_of(LeastSquares(), terms, {"r1": R1(weight=2.0)})
    found = descents(game, lambda: game.update_discriminator(batch()))
    real, fake = batch().samples.requires_grad_(), game.generator(noises()[0])
    (slope,) = torch.autograd.grad(game.discriminator(real).sum(), real, create_graph=True)
    objective = (game.discriminator(real) - 1).square().mean() + game.discriminator(fake).square().mean()
    expected = gradients(game, objective + 2.0 * slope.square().sum(1).mean() / 2)
    assert same(of("discriminator", found), of("discriminator", expected))
    assert not of("generator", found).any()
    assert not of("encoder", found).any()


@pytest.mark.parametrize(
    ("term", "moved"),
    [
        (KL(weight=2.0), {"encoder"}),
        (L1(weight=2.0), {"encoder", "generator"}),
        (FeatureReconstruction(weight=2.0), {"encoder", "generator"}),
        (FeatureMatching(weight=2.0), {"generator"}),
    ],
)
def test_who_gets_a_gradient_of_a_term(term, moved):
    """What the term adds to the gradients of an iteration, at equal weights and latents."""

    def iteration(terms):
        game = game_of(terms={"mse": MSE(weight=0.25), **terms})
        updates = [lambda: game.update_discriminator(batch()), lambda: game.update_encoder(batch())]
        total = [descents(game, update) for update in updates]
        game.players["encoder"].optimizer.param_groups[0]["lr"] = 0.0
        total.append(descents(game, lambda: game.update_generator(batch())))
        return {name: sum(found[name] for found in total) for name in total[0]}

    without, with_it = iteration({}), iteration({"term": term})
    changed = {name.partition(".")[0] for name, value in with_it.items() if (value - without[name]).abs().max() > 1e-8}
    assert changed == moved


def test_every_term_of_an_update_sees_the_same_reconstruction():
    """Two terms of half the weight are one term; a reconstruction that no term asks for is not made."""
    one, two = (game_of(terms=terms) for terms in ({"mse": MSE()}, {"mse": MSE(weight=0.5), "again": MSE(weight=0.5)}))
    for game in (one, two):
        game.players["encoder"].optimizer.param_groups[0]["lr"] = 0.0
    passes = []
    two.generator.register_forward_hook(lambda *_: passes.append(1))
    found = [of("generator", descents(game, lambda game=game: game.update_generator(batch()))) for game in (one, two)]
    assert same(*found)
    assert len(passes) == 3  # for the encoder, of the prior, and of the reconstruction
    lazy = game_of(terms={"mse": MSE(every=2)})
    lazy.update_generator(batch())
    passes = []
    lazy.encoder.register_forward_hook(lambda *_: passes.append(1))
    lazy.update_generator(batch())
    assert len(passes) == 1  # the encoder's own update


@pytest.mark.parametrize("terms", [{"mse": MSE()}, {"mse": MSE(every=3)}, {"kl": KL(every=2), "l1": L1()}])
def test_latents_do_not_depend_on_the_terms(terms):
    game = game_of(terms=terms)
    for _ in range(4):
        game.iterate(Draw(batch(), batch()))
    random = torch.Generator().manual_seed(0)
    for _ in range(4 * 4):  # the discriminator's, the encoder's, the generator's two
        torch.randn(4, 2, generator=random)
    assert torch.equal(game.draw_latents(4), torch.randn(4, 2, generator=random).double())


def test_an_encoder_moves_as_often_as_the_generator_and_before_it():
    order = []
    game = game_of(Relativistic())
    for name, player in game.players.items():
        player.network.register_forward_hook(lambda *_, name=name: order.append(name))
        descend = player.descend
        player.descend = lambda *given, name=name, descend=descend: (order.append(f"{name} moves"), descend(*given))
    game.iterate(Draw(batch(), batch()))
    assert [step for step in order if "moves" in step] == ["discriminator moves", "encoder moves", "generator moves"]
    assert game.updates == {"generator": 1, "discriminator": 1, "encoder": 1}
    assert VAEGAN.roles == ("generator", "discriminator", "encoder")
    assert VAEGAN.generator_uses_real


def test_labels_reach_the_encoder_and_the_decoder():
    class Labelled(nn.Module):
        def __init__(self, network, classes, size):
            super().__init__()
            self.network, self.shift = network, nn.Embedding(classes, size)

        def forward(self, inputs, labels):
            found = self.network(inputs)
            shift = self.shift(labels)
            return tuple(one + shift for one in found) if isinstance(found, tuple) else found + shift

    made = players(
        generator=Labelled(nn.Linear(2, 3), 3, 3),
        discriminator=nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        encoder=Labelled(Encoder(), 3, 2),
    )
    game = VAEGAN(**made, loss=Recipe(Nothing(), terms={"mse": MSE()}), **settings(made)).double()
    samples = Batch(batch().samples, torch.tensor([0, 1, 1, 0]))
    found = descents(game, lambda: game.update_encoder(samples))
    assert found["encoder.shift.weight"][:2].abs().min() > 0
    assert not found["encoder.shift.weight"][2].any()
    found = descents(game, lambda: game.update_generator(samples))
    assert found["generator.shift.weight"][:2].abs().min() > 0
    judge = Judge(game.discriminator)
    step = game.step(samples, game.request(samples), None, judge, *game.drawn_for_terms(samples))
    assert step.judge is judge
    ((_, wanted),) = step.compares["reconstruction"]()
    assert torch.equal(wanted, samples.samples)


@dataclass(frozen=True)
class Odd(Term):
    """A reconstruction that is no comparison of pairs."""

    compared = "reconstruction"

    def __call__(self, step):
        return step.fake.sum()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sigma": 0}, "algorithm.sigma=0: expected a number above 0"),
        ({"sigma": -1.5}, "algorithm.sigma=-1.5: expected a number above 0"),
        ({"sigma": "small"}, "algorithm.sigma=small: expected a number above 0"),
        ({"prior": Prior("uniform", 2)}, "latent_prior=uniform: expected normal with algorithm=vae_gan"),
        (
            {"loss": Recipe(Nothing(), terms={"kl": KL(), "mse": MSE(weight=0.0)})},
            "loss.terms: expected a reconstruction that counts, such as mse, with algorithm=vae_gan",
        ),
        (
            {"loss": Recipe(Nothing(), terms={"odd": Odd()})},
            "loss.terms.odd: expected a gan_lab.losses.Comparison with algorithm=vae_gan",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ConfigError) as refused:
        game_of(**changes)
    assert str(refused.value) == sentence


def test_sigma_is_1_unless_it_is_given():
    made = players(generator=nn.Linear(2, 3), discriminator=nn.Linear(3, 1), encoder=Encoder())
    assert VAEGAN(**made, loss=Recipe(Nothing(), terms={"mse": MSE()}), **settings(made)).sigma == 1.0
