"""pix2pix on small networks: its losses beside those of Isola et al. 2017 written out here, and what D is shown."""

import pytest
import torch
from linear_games import Nothing, descents, gradients, of, players, same, settings
from torch import nn
from torch.nn.functional import softplus

from gan_lab.algorithms.pix2pix import Pix2Pix
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.losses import L1, R1, FeatureMatching, FeatureReconstruction, NonSaturating, Recipe, Relativistic
from gan_lab.models.patchgan import PatchGANDiscriminator
from gan_lab.models.unet import UNetGenerator


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, latents, source):
        return self.layer(source)


class Both(nn.Module):
    """A map of 2x2 logits for 4x4 pixels, of sample and source together."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(2, 3, 2, stride=2), nn.Tanh(), nn.Conv2d(3, 1, 1))

    def forward(self, samples, source):
        return self.layers(torch.cat([samples, source], 1))


def game_of(objective=None, terms=None, penalties=None, joint_batch=False):
    torch.manual_seed(0)
    made = players(generator=Translator(), discriminator=Both())
    recipe = Recipe(objective or Nothing(), penalties or {}, None, terms or {})
    return Pix2Pix(**made, loss=recipe, joint_batch=joint_batch, **settings(made)).double()


def batch(seed=1):
    generator = torch.Generator().manual_seed(seed)
    samples, source = torch.randn(2, 3, 1, 4, 4, generator=generator, dtype=torch.float64)
    return Batch(samples, None, source)


def logits(game):
    one = batch()
    fake = game.generator(None, one.source)
    return game.discriminator(one.samples, one.source), game.discriminator(fake, one.source), fake


@pytest.mark.parametrize("joint_batch", [False, True])
def test_the_discriminator_descends_its_objective_of_pairs_alone(joint_batch):
    """−log D(x, y) − log(1 − D(x, G(x))), a mean over all patches."""
    terms = {"l1": L1(weight=100.0), "features": FeatureReconstruction()}
    game = game_of(NonSaturating(), terms, joint_batch=joint_batch)
    found = descents(game, lambda: game.update_discriminator(batch()))
    real, fake, _ = logits(game)
    loss = softplus(-real).mean() + softplus(fake).mean()
    assert same(of("discriminator", found), of("discriminator", gradients(game, loss)))
    assert not of("generator", found).any()


def test_the_generator_descends_its_objective_and_the_weighted_distance_from_the_target():
    game = game_of(NonSaturating(), {"l1": L1(weight=100.0)})
    found = descents(game, lambda: game.update_generator(batch()))
    _, of_fake, fake = logits(game)
    loss = softplus(-of_fake).mean() + 100 * (fake - batch().samples).abs().mean()
    assert same(of("generator", found), of("generator", gradients(game, loss)))
    assert not of("discriminator", found).any()


@pytest.mark.parametrize("term", [L1(), FeatureReconstruction(), FeatureMatching()])
def test_a_term_alone_moves_the_generator_alone(term):
    game = game_of(terms={"term": term})
    found = descents(game, lambda: game.iterate(Draw(batch(), batch())))
    assert of("generator", found).abs().max() > 0
    assert not of("discriminator", found).any()


def test_relativistic_losses_pair_a_patch_with_the_same_patch():
    game = game_of(Relativistic())
    found = descents(game, lambda: game.update_generator(batch()))
    real, fake, _ = logits(game)
    assert real.shape == (3, 1, 2, 2)
    expected = gradients(game, softplus(real - fake).mean())
    assert same(of("generator", found), of("generator", expected))
    real, fake, _ = logits(game)
    shuffled = gradients(game, softplus(real.flip(3) - fake).mean())
    assert not same(of("generator", found), of("generator", shuffled))


def test_a_penalty_takes_the_slope_of_a_samples_mean_logit_in_the_sample_alone():
    """R1 = ½ E ‖∇ₓ mean D(x, source)‖²: neither a sum over patches nor the slope in the source."""
    game = game_of(penalties={"r1": R1(weight=2.0)})
    found = descents(game, lambda: game.update_discriminator(batch()))
    samples = batch().samples.requires_grad_()
    of_each = game.discriminator(samples, batch().source).flatten(1).mean(1)
    (slope,) = torch.autograd.grad(of_each.sum(), samples, create_graph=True)
    penalty = slope.square().flatten(1).sum(1).mean() / 2
    assert same(of("discriminator", found), of("discriminator", gradients(game, 2.0 * penalty)))
    assert game.curves["loss/r1"].item() == pytest.approx(penalty.item(), rel=1e-9)


def test_the_discriminator_of_the_model_sees_the_source_and_the_target():
    torch.manual_seed(0)
    network = PatchGANDiscriminator((1, 8, 8), (1, 8, 8), channels=4, norm="none")
    sample, source, other = torch.randn(3, 2, 1, 8, 8)
    assert not torch.allclose(network(sample, source), network(sample, other))
    assert not torch.allclose(network(sample, source), network(other, source))


def test_dropout_is_a_function_of_the_latent_when_looking_and_is_drawn_in_training():
    torch.manual_seed(0)
    network = UNetGenerator((1, 8, 8), (1, 8, 8), channels=4)
    source, latents = torch.randn(4, 1, 8, 8), torch.randn(4, 5)
    network(latents, source)  # statistics of BatchNorm
    network.eval()
    first = network(latents, source)
    state = torch.get_rng_state()
    assert torch.equal(network(latents, source), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network(latents[2:], source[2:])[0], first[2])  # of its own latent, wherever it stands
    assert not torch.allclose(network(latents + 1, source), first)
    network.train()
    assert not torch.equal(network(latents, source), network(latents, source))


def test_a_generator_that_translates_nothing_is_refused():
    made = players(generator=nn.Linear(2, 3), discriminator=Both())
    with pytest.raises(ConfigError) as refused:
        Pix2Pix(**made, loss=Recipe(Nothing()), **settings(made))
    assert str(refused.value) == (
        "model.generator: Linear translates no images; expected such as model=unet with algorithm=pix2pix"
    )
    assert Pix2Pix.needs_pairs
