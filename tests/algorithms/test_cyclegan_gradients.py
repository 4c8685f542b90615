"""CycleGAN on small networks: both losses beside the formulas of Zhu et al. 2017 written out here."""

import pytest
import torch
from cyclegan_game import Discriminators, Generators, batch, game_of
from linear_games import Nothing, descents, gradients, of, players, same, settings
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_lab.algorithms.cyclegan import CycleGAN
from gan_lab.datasets import Batch, Draw
from gan_lab.losses import (
    L1,
    R1,
    R2,
    Cycle,
    FeatureMatching,
    GradientPenalty,
    Hinge,
    Identity,
    LeastSquares,
    NonSaturating,
    Recipe,
    Relativistic,
    SpectralNorm,
    Wasserstein,
    WeightClip,
)


def logits(game, detached=False) -> list[tuple[Tensor, Tensor]]:
    """Those of real pictures and of translations, in the samples' domain and in the sources'."""
    generators, judges, one = game.generator, game.discriminator, batch()
    fakes = generators.to_sample(None, one.source), generators.to_source(None, one.samples)
    fake, back = (made.detach() for made in fakes) if detached else fakes
    return [
        (judges.of_sample(one.samples).flatten(), judges.of_sample(fake).flatten()),
        (judges.of_source(one.source).flatten(), judges.of_source(back).flatten()),
    ]


OBJECTIVES = {  # L_D and L_G of real logits r and fake ones f, as the papers print them
    "non_saturating": (
        NonSaturating(),
        lambda r, f: softplus(-r).mean() + softplus(f).mean(),
        lambda r, f: softplus(-f).mean(),
    ),
    "lsgan": (
        LeastSquares(),
        lambda r, f: (r - 1).square().mean() + f.square().mean(),
        lambda r, f: (f - 1).square().mean(),
    ),
    "wgan": (Wasserstein(), lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "hinge": (Hinge(), lambda r, f: (1 - r).relu().mean() + (1 + f).relu().mean(), lambda r, f: -f.mean()),
    "rsgan": (Relativistic(), lambda r, f: softplus(f - r).mean(), lambda r, f: softplus(r - f).mean()),
}


@pytest.mark.parametrize("joint_batch", [False, True])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_discriminator_descends_half_the_sum_of_both_domains(name, joint_batch):
    objective, of_discriminator, _ = OBJECTIVES[name]
    game = game_of(objective, {"cycle": Cycle(), "identity": Identity()}, joint_batch=joint_batch)
    found = descents(game, lambda: game.update_discriminator(batch()))
    loss = sum(of_discriminator(*pair) for pair in logits(game, detached=True)) / 2
    assert same(of("discriminator", found), of("discriminator", gradients(game, loss)))
    assert not of("generator", found).any()
    assert game.curves["loss/discriminator"].item() == pytest.approx(loss.item(), rel=1e-9)
    (real, fake), (real_source, fake_source) = logits(game)
    assert torch.allclose(game.curves["logits/real"], real)
    assert torch.allclose(game.curves["logits/fake"], fake)
    assert game.curves["logits/real_source"].item() == pytest.approx(real_source.mean().item())
    assert game.curves["logits/fake_source"].item() == pytest.approx(fake_source.mean().item())


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_generator_descends_the_sum_of_both_domains_and_the_weighted_terms(name):
    """L_G(to_sample) + L_G(to_source) + 10 · cycle + 5 · identity: the paper's equation 3, and §5.2."""
    objective, _, of_generator = OBJECTIVES[name]
    game = game_of(objective, {"cycle": Cycle(), "identity": Identity(every=2)})
    found = descents(game, lambda: game.update_generator(batch()))
    to_sample, to_source = (lambda one, part=part: part(None, one) for part in game.generator.children())
    a, b = batch().source, batch().samples
    cycle = (to_source(to_sample(a)) - a).abs().mean() + (to_sample(to_source(b)) - b).abs().mean()
    identity = (to_sample(b) - b).abs().mean() + (to_source(a) - a).abs().mean()
    loss = sum(of_generator(*pair) for pair in logits(game)) + 10 * cycle + 2 * 5 * identity
    assert same(of("generator", found), of("generator", gradients(game, loss)))
    assert not of("discriminator", found).any()
    assert game.curves["loss/generator"].item() == pytest.approx(loss.item(), rel=1e-9)
    assert game.curves["loss/cycle"].item() == pytest.approx(cycle.item(), rel=1e-9)
    assert game.curves["loss/identity"].item() == pytest.approx(identity.item(), rel=1e-9)


def test_a_term_alone_moves_the_generators_alone():
    """cycle moves both translators; so does identity, each by its own domain's pictures."""
    for term, name in ((Cycle(), "cycle"), (Identity(), "identity")):
        game = game_of(terms={name: term})
        found = descents(game, lambda game=game: game.iterate(Draw(batch(), batch())))
        assert not of("discriminator", found).any()
        assert all(of(f"generator.{part}", found).abs().max() > 0 for part in ("to_sample", "to_source"))


def test_penalties_are_of_each_domain_and_half_their_sum_counts():
    """A linear discriminator's gradient is its weight everywhere: (‖w‖ − 1)² in each domain."""
    game = game_of(penalties={"gradient_penalty": GradientPenalty(weight=4.0)})
    found = descents(game, lambda: game.update_discriminator(batch()))
    values = [(judge.weight.norm() - 1).square() for judge in game.discriminator.children()]
    assert same(of("discriminator", found), of("discriminator", gradients(game, 4.0 * sum(values) / 2)))
    assert game.curves["loss/gradient_penalty"].item() == pytest.approx(values[0].item(), rel=1e-9)
    assert game.curves["loss/gradient_penalty_source"].item() == pytest.approx(values[1].item(), rel=1e-9)


def test_a_penalty_is_given_each_domains_real_and_generated_pictures():
    """R1 and R2 where the slope differs from picture to picture."""

    class Curved(Discriminators):
        def __init__(self):
            super().__init__()
            self.of_sample, self.of_source = (
                nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)) for _ in range(2)
            )

    made = players(generator=Generators(), discriminator=Curved())
    recipe = Recipe(Nothing(), {"r1": R1(), "r2": R2()})
    game = CycleGAN(**made, loss=recipe, sample_shape=(2,), source_shape=(2,), history=0, **settings(made)).double()
    one = batch()
    fakes = game.generator.to_sample(None, one.source), game.generator.to_source(None, one.samples)
    descents(game, lambda: game.update_discriminator(one))
    for side, real, fake in zip(game.sides, (one.samples, one.source), fakes, strict=True):
        for name, pictures in (("r1", real), ("r2", fake)):
            looked = pictures.detach().requires_grad_()
            (slope,) = torch.autograd.grad(side.judge(looked).sum(), looked)
            expected = slope.square().sum(1).mean().item() / 2
            assert game.curves[f"loss/{name}{side.suffix}"].item() == pytest.approx(expected, rel=1e-9)


def test_curves_have_no_graph():
    game = game_of(LeastSquares(), {"cycle": Cycle()}, {"r1": R1()}, history=3)
    game.iterate(Draw(batch(), batch()))
    assert len(game.curves) == 11
    assert not any(value.requires_grad for value in game.curves.values())


def test_a_penalty_and_a_term_of_one_name_have_a_curve_each():
    game = game_of(terms={"one": Cycle(), "two": FeatureMatching()}, penalties={"one": R1(), "two": R2()})
    game.iterate(Draw(batch(), batch()))
    both = {"loss/one", "loss/two", "loss/one_source", "loss/two_source"}
    assert {tag for tag in game.curves if "one" in tag or "two" in tag} == both | {
        "loss/one_generator", "loss/two_generator", "loss/two_generator_source"
    }  # fmt: skip


def test_a_lazy_penalty_counts_the_discriminators_updates():
    game = game_of(penalties={"gradient_penalty": GradientPenalty(every=2)})
    found = []
    for _ in range(3):
        game.curves = {}
        game.update_discriminator(batch())
        found.append("loss/gradient_penalty_source" in game.curves)
    assert found == [True, False, True]


def test_a_constraint_holds_in_both_domains():
    game = game_of(LeastSquares(), constraint=WeightClip(bound=0.01))
    game.update_discriminator(batch())
    assert all(weight.abs().max() <= 0.01 for weight in game.discriminator.parameters())
    game = game_of(LeastSquares())
    SpectralNorm().attach(game.discriminator)
    assert game.sides[1].judge.weight is game.discriminator.of_source.weight or torch.equal(
        game.sides[1].judge.weight, game.discriminator.of_source.weight
    )


def test_feature_matching_is_of_both_domains():
    """A linear discriminator's features are its pictures: the squared distance of their means."""
    game = game_of(terms={"matching": FeatureMatching()})
    found = descents(game, lambda: game.update_generator(batch()))
    made = game.generator.to_sample(None, batch().source)
    back = game.generator.to_source(None, batch().samples)
    apart = (made.mean(0) - batch().samples.mean(0)).square().sum() + (
        back.mean(0) - batch().source.mean(0)
    ).square().sum()
    expected = gradients(game, apart)
    assert game.curves.keys() >= {"loss/matching", "loss/matching_source"}
    assert same(of("generator", found), of("generator", expected))


def test_the_discriminator_is_shown_the_history():
    """Its loss is of what the two histories show, with the noise of the run, in this order."""
    from gan_lab.algorithms.history import History

    game = game_of(LeastSquares(), history=2)
    histories, random = [History(2, (2,)).double() for _ in range(2)], torch.Generator().manual_seed(0)
    for seed in range(6):
        one = batch(seed)
        fakes = game.generator.to_sample(None, one.source), game.generator.to_source(None, one.samples)
        shown = [history.shown(fake, random) for history, fake in zip(histories, fakes, strict=True)]
        descents(game, lambda one=one: game.update_discriminator(one))
        assert torch.allclose(game.curves["logits/fake"], game.discriminator.of_sample(shown[0]).flatten())
        source = game.discriminator.of_source(shown[1]).mean().item()
        assert game.curves["logits/fake_source"].item() == pytest.approx(source)
    assert not torch.allclose(shown[0], fakes[0])
    assert game.state_dict().keys() >= {
        f"histories.{side}.{of}" for side in ("sample", "source") for of in ("kept", "count")
    }


def test_a_step_is_handed_what_the_update_has():
    """Terms get the translations into the samples' domain, fresh latents and the networks by name."""
    seen = []

    class Noted(L1):
        compared = None

        def __call__(self, step):
            seen.append(step)
            return 0 * step.fake.sum()

    game = game_of(terms={"noted": Noted()})
    game.update_generator(batch())
    (step,) = seen
    assert torch.equal(step.fake, game.generator.to_sample(None, batch().source))
    assert torch.equal(step.batch.samples, batch().samples)
    assert torch.equal(step.request.source, batch().source)
    assert torch.equal(step.request.latents, torch.randn(4, 2, generator=torch.Generator().manual_seed(0)).double())
    assert step.networks == {"generator": game.generator, "discriminator": game.discriminator}
    assert torch.equal(step.judge(step.fake), game.discriminator.of_sample(step.fake).flatten())
    assert step.compares.keys() == set(CycleGAN.compares)


def test_maps_of_logits_are_paired_patch_by_patch():
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.of_sample, self.of_source = (nn.Conv2d(1, 1, 2, stride=2) for _ in range(2))

        def forward(self, samples):
            return self.of_sample(samples)

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.5))

        def forward(self, latents, source):
            return self.scale * source

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.to_sample, self.to_source = Scaled(), Scaled()

    torch.manual_seed(0)
    made = players(generator=Both(), discriminator=Patches())
    shapes = {"sample_shape": (1, 4, 4), "source_shape": (1, 4, 4)}
    game = CycleGAN(**made, loss=Recipe(Relativistic()), **shapes, **settings(made), history=0).double()
    samples, source = torch.randn(2, 3, 1, 4, 4, dtype=torch.float64)
    game.update_discriminator(Batch(samples, None, source))
    game = CycleGAN(**made, loss=Recipe(Relativistic()), **shapes, **settings(made), history=0).double()
    found = descents(game, lambda: game.update_generator(Batch(samples, None, source)))
    loss = 0
    for judge, real, other in (
        (game.discriminator.of_sample, samples, source),
        (game.discriminator.of_source, source, samples),
    ):
        loss = loss + softplus(judge(real) - judge(0.5 * other)).mean()
    assert game.curves["loss/generator"].item() == pytest.approx(loss.item(), rel=1e-9)
    assert of("generator", found).abs().min() > 0
