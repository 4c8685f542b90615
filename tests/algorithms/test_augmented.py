"""What the discriminator sees is augmented in both updates, and what the generator draws is not."""

from typing import ClassVar

import pytest
import torch
from linear_games import Nothing, descents, players, settings
from torch import nn

from gan_lab.algorithms.cyclegan import CycleGAN
from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.pix2pix import Pix2Pix
from gan_lab.algorithms.view import View
from gan_lab.augmentations import ADA, APA, Augmentation, DiffAugment, Flip
from gan_lab.datasets import Batch, Draw
from gan_lab.losses import (
    R1,
    R2,
    Consistency,
    FeatureMatching,
    GradientPenalty,
    LeastSquares,
    Recipe,
    Relativistic,
    Wasserstein,
)
from gan_lab.models.packing import pack, unpack

SHAPE = (1, 4, 4)


class Raised(Augmentation):
    """Adds 100, so that one sees what has passed through; and a number of each sample's own."""

    def operations(self):
        return [lambda images, draws, channels: images + 100 + draws.uniform(images, 1, 1, 1)]


class Picture(nn.Module):
    """A generator that always draws the same picture, which it learns."""

    def __init__(self, shape=SHAPE):
        super().__init__()
        self.picture = nn.Parameter(torch.linspace(-0.9, 0.8, 16).view(shape))

    def forward(self, latents):
        return self.picture.expand(len(latents), *self.picture.shape)


class Linear(nn.Module):
    """A discriminator that keeps what it is given."""

    def __init__(self, count=16):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(count, 1)
        self.seen = []

    def forward(self, samples):
        self.seen.append(samples.detach())
        return self.layer(samples.flatten(1))[:, 0].tanh()


def game_of(augmentation, recipe=None, discriminator=None, kind=GAN, **changes):
    made = players(generator=Picture(), discriminator=discriminator or Linear())
    game = kind(**made, loss=recipe or Recipe(Wasserstein()), **settings(made) | changes).double()
    game.augmentation = augmentation.double()
    return game


def real(count=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, *SHAPE, dtype=torch.float64, generator=generator) * 2 - 1


def draw(count=4, seed=0):
    return Draw(Batch(real(count, seed)), Batch(real(count, seed + 50)))


EVERYTHING = Recipe(
    Relativistic(),
    {"r1": R1(), "gp": GradientPenalty(), "cr": Consistency(transform=Flip(), fake=1.0)},
    None,
    {"matching": FeatureMatching()},
)


@pytest.mark.parametrize("joint_batch", [False, True])
def test_the_discriminator_sees_nothing_else(joint_batch):
    game = game_of(Raised(), EVERYTHING, joint_batch=joint_batch)
    game.iterate(draw())
    seen = game.discriminator.seen
    assert sum(map(len, seen)) == 4 * (2 + 1 + 1 + 2 + 2 + 2)
    assert all(samples.min() > 90 for samples in seen)
    assert all(samples.max() < 110 for samples in seen)  # once


def test_real_and_generated_samples_are_augmented_alike_in_one_pass_as_in_two():
    seen = []
    for joint_batch in (False, True):
        game = game_of(Raised(), joint_batch=joint_batch)
        game.update_discriminator(Batch(real()))
        seen.append(torch.cat(game.discriminator.seen))
    assert torch.equal(*seen)
    numbers = (seen[0] - torch.cat([real(), Picture()(torch.zeros(4, 1)).detach().double()]) - 100).flatten(1)
    assert torch.allclose(numbers, numbers[:, :1].expand_as(numbers), atol=1e-9)
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert len({round(number, 6) for number in numbers[:, 0].tolist()}) == 8  # one of its own for each


def test_losses_change_nothing_of_what_all_of_them_show():
    """Real samples in the discriminator's updates, and generated ones in either player's, as the weights are equal."""
    shown = []
    for recipe in (Recipe(LeastSquares()), Recipe(Nothing(), EVERYTHING.penalties, None, EVERYTHING.terms)):
        game = game_of(Raised(), recipe)
        for player in game.players.values():
            player.optimizer.param_groups[0]["lr"] = 0.0
        uses_real = game.generator_uses_real
        for seed in range(2):
            game.iterate(draw(seed=seed))
        seen = game.discriminator.seen
        of_iteration = len(seen) // 2
        for first in (0, of_iteration):
            in_generator = first + of_iteration - (1 + 2 if uses_real else 1)  # the terms' two come last
            shown.append(torch.cat([seen[first], seen[first + 1], seen[in_generator]]))
    assert torch.equal(shown[0], shown[2])
    assert torch.equal(shown[1], shown[3])
    assert not torch.equal(shown[0][4:], shown[1][4:])


def test_gradient_penalties_are_taken_at_the_sample_through_the_augmentation():
    """‖∂ tanh(w · T x + b)/∂x‖ of the T that the second stream draws; T x's own gradient would lack T's Jacobian."""

    class Scaled(Augmentation):
        def operations(self):
            return [lambda images, draws, channels: images * (1 + draws.uniform(images, 1, 1, 1))]

    game = game_of(Scaled(), Recipe(Nothing(), {"r1": R1(), "r2": R2()}))
    game.update_discriminator(Batch(real()))
    view = game_of(Scaled()).view("discriminator")  # of the first update
    discriminator = Linear().double()
    fake = Picture().double()(torch.zeros(4, 1)).detach()
    for name, samples in (("r1", real()), ("r2", fake)):
        factor = 1 + view.of_loss.uniform(samples)
        slope = 1 - discriminator(samples * factor.view(-1, 1, 1, 1)).square()
        norms = (factor * slope * discriminator.layer.weight.norm()).square()
        assert game.curves[f"loss/{name}"].item() == pytest.approx(norms.mean().item() / 2, rel=1e-9)


def test_gradients_reach_the_generators_own_samples():
    """Mirrored samples, a linear discriminator: −E w · T g descends along T w, which lies mirrored to w."""
    game = game_of(Flip(1.0))
    moved = descents(game, lambda: game.update_generator(Batch(torch.empty(4, 0, dtype=torch.float64))))[
        "generator.picture"
    ]
    picture = Picture().double().picture.detach()
    slope = 1 - Linear().double()(picture[None].flip(3)).square()
    expected = -(slope * Linear().double().layer.weight.view(SHAPE)).flip(2)
    assert torch.allclose(moved, expected, rtol=1e-9)
    assert torch.equal(game.sampler(torch.zeros(2, 2))[0], picture)


@pytest.mark.parametrize(
    ("augmentation", "leaks"),
    [
        (ADA(["blit"], p=0.5, most=1.0), False),
        (ADA(["blit"], p=1.0, most=1.0), True),
        (DiffAugment(["cutout"]), False),
    ],
    ids=["turned by half", "turned", "cut"],
)
def test_the_generator_learns_the_picture_and_not_what_is_made_of_it(augmentation, leaks):
    """Mirrored and turned with p = ½ the picture can be told from its turns; with p = 1 it cannot.

    A linear discriminator under R1 compares means. With p = 1 any picture of the same mean over its turns will do.
    Of pictures that are always cut somewhere, only the whole one has the mean of its cuts.
    """

    class Mean(Linear):
        def forward(self, samples):
            return self.layer(samples.flatten(1))[:, 0]

    game = game_of(augmentation, Recipe(Wasserstein(), {"r1": R1(weight=1.0)}), Mean())
    for player in game.players.values():
        player.optimizer.param_groups[0]["lr"] = 0.7
    picture = torch.zeros(SHAPE, dtype=torch.float64)
    picture[:, 0] = 1  # bright above
    for _ in range(100):
        batch = picture.expand(16, *SHAPE)
        game.iterate(Draw(Batch(batch), Batch(torch.empty(16, 0, dtype=torch.float64))))
    with torch.no_grad():
        learned = game.sampler(torch.zeros(1, 2))[0]
    assert ((learned - picture).abs().max() > 0.5) == leaks
    assert ((learned - picture).abs().max() < 0.25) != leaks


def test_each_member_of_a_pack_is_augmented_by_itself():
    game = game_of(Flip(), discriminator=Linear(32), packing=2)
    game.update_discriminator(Batch(real(8)))
    packs = game.discriminator.seen[0]
    members = Flip()(real(8), View(Flip(), 2, False, 0, "discriminator/0").draws)
    assert torch.equal(packs, pack(members, 2))
    assert torch.equal(unpack(packs, 2), members)
    assert len({torch.equal(one, other) for one, other in zip(members, real(8), strict=True)}) == 2


def test_features_that_are_compared_are_transformed_alike():
    view = game_of(Raised()).view("generator")
    first, again = (view.to_loss.alike(real(), {})[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(view.to_loss.afresh(real(), {})[0], view.to_loss.afresh(real(), {})[0])


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(2, 1, 2)
        self.seen = []

    def forward(self, samples, source):
        self.seen.append((samples.detach(), source.detach()))
        return self.layer(torch.cat([samples, source], 1))


class Copies(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(1.0))

    def forward(self, latents, source):
        return self.factor * source


@pytest.mark.parametrize("joint_batch", [False, True])
def test_a_sample_and_its_source_move_together(joint_batch):
    """Samples are their sources here, and G copies: each pair is mirrored as one, and not all alike."""
    made = players(generator=Copies(), discriminator=Both())
    recipe = Recipe(Relativistic(), {"r1": R1()})
    game = Pix2Pix(**made, loss=recipe, joint_batch=joint_batch, **settings(made)).double()
    game.augmentation = Flip()
    batch = Batch(real(), None, real())
    game.iterate(Draw(batch, batch))
    seen = game.discriminator.seen
    assert all(torch.equal(samples, source) for samples, source in seen)
    whole = torch.cat([samples for samples, _ in seen])
    assert len(whole) == 4 * (2 + 1 + 2)
    mirrored = [not torch.equal(one, other) for one, other in zip(whole, real().repeat(5, 1, 1, 1), strict=True)]
    assert 0 < sum(mirrored) < len(mirrored)


def test_both_domains_are_augmented_and_r_t_is_of_both():
    class Translate(nn.Module):
        def __init__(self):
            super().__init__()
            self.to_sample, self.to_source = self._part(), self._part()

        @staticmethod
        def _part():
            layer = nn.Conv2d(1, 1, 1)
            layer.forward = lambda latents, source: nn.functional.conv2d(source, layer.weight, layer.bias)
            return layer

    judges = nn.Module()
    judges.of_sample, judges.of_source = Linear(), Linear()
    made = players(generator=Translate(), discriminator=judges)
    game = CycleGAN(
        **made, loss=Recipe(Relativistic(), {"r1": R1()}), sample_shape=SHAPE, source_shape=SHAPE, history=0,
        **settings(made),
    ).double()  # fmt: skip
    game.augmentation = Raised()
    game.augmentation.adapts = True
    heard = []
    game.augmentation.observe = lambda *told: heard.append(told) or {}
    batch = Batch(real(), None, real(seed=1))
    game.iterate(Draw(batch, batch))
    for judge in (game.discriminator.of_sample, game.discriminator.of_source):
        assert sum(map(len, judge.seen)) == 4 * (2 + 1 + 2)
        assert all(90 < samples.min() < samples.max() < 110 for samples in judge.seen)
    ((of_real, of_fake, undecided, samples),) = heard
    assert (of_real.shape, of_fake.shape, undecided, samples) == ((8,), (8,), None, 4)


def test_replaced_samples_are_real_to_objective_and_penalties():
    given = []

    class Recorded(R1):
        per_sample_gradient: ClassVar[bool] = False

        def __call__(self, judge, real, fake):
            given.append((real.clone(), judge.real.clone()))
            return super().__call__(judge, real, fake)

    game = game_of(APA(SHAPE, 4, p=1.0, most=1.0), Recipe(LeastSquares(), {"r1": Recorded()}))
    game.iterate(draw())
    drawn = game.augmentation.kept.clone()
    game.update_discriminator(Batch(real()))
    assert torch.equal(given[0][0], real())
    assert torch.equal(given[1][0], drawn)
    assert torch.equal(game.discriminator.seen[-3], drawn)  # then the generated ones, then the penalty's


def test_the_augmentation_hears_of_every_update_of_the_discriminator():
    game = game_of(ADA(p=0.3), Recipe(LeastSquares()))
    curves = game.iterate(draw())
    assert curves["augmentation/p"].item() == pytest.approx(0.3)
    logits = curves["logits/real"]
    assert curves["augmentation/r_t"].item() == pytest.approx((logits - 0.5).sign().mean().item())
    assert game.augmentation.probability.done == 1
