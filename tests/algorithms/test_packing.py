"""Packing: the discriminator, and every loss, is given packs; everything else goes on as without."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from training_runs import SMALL, checkpoint, train_in, weights_of

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.player import Player
from gan_lab.datasets import BatchStream, digits
from gan_lab.datasets.batch import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.losses import GradientPenalty, Recipe, Wasserstein
from gan_lab.losses.penalties import Penalty
from gan_lab.models.latents import Prior
from gan_lab.models.packing import pack, packed_shape
from gan_lab.training.build import build_module

# networks that have BatchNorm, or can have it, and the shape of their samples
NETWORKS = {
    "sngan_cnn": (["model.generator.channels=2", "model.discriminator.channels=2"], (1, 8, 16)),
    "sngan_resnet": (["model.generator.channels=2", "model.discriminator.channels=2"], (1, 32, 32)),
    "infogan": ([], (1, 8, 8)),
    "pacgan_dcgan": (["model.generator.channels=2", "model.discriminator.channels=2"], (3, 8, 12)),
}


def test_a_pack_is_consecutive_samples_side_by_side():
    points = torch.tensor([[1, 2], [3, 4], [5, 6], [7, 8]])
    assert pack(points, 2).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert pack(points, 1) is points
    images = torch.randn(6, 2, 4, 5)
    packs = pack(images, 3)
    assert packs.shape == (2, *packed_shape((2, 4, 5), 3)) == (2, 6, 4, 5)
    assert torch.equal(packs[1, 2:4], images[4])
    assert torch.equal(torch.cat([pack(images[:3], 3), pack(images[3:], 3)]), packs)
    assert pack(torch.empty(6, 0), 3).shape == (2, 0)  # a batch whose samples nobody needs


SEEN = []


class Recorded(Penalty):
    """A penalty that keeps what it is given."""

    def __call__(self, judge, real, fake):
        SEEN.append((real, fake, judge.real, judge.fake))
        return judge(real).mean()


def test_losses_and_penalties_are_given_packs_and_gradients_reach_every_member():
    torch.manual_seed(0)
    generator = nn.Linear(2, 2)
    discriminator = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0))
    players = {
        name: Player(name, network, torch.optim.SGD(network.parameters(), 0.0))
        for name, network in (("generator", generator), ("discriminator", discriminator))
    }
    turns = {"generator": 1, "discriminator": 1}
    recipe = Recipe(Wasserstein(), {"recorded": Recorded(1.0)})
    game = GAN(**players, loss=recipe, prior=Prior("normal", 2), noise_seed=0, turns=turns, packing=3)
    SEEN.clear()
    real, drawn = torch.randn(12, 2), []
    generator.register_forward_hook(lambda module, inputs, output: drawn.append(output))
    curves = game.iterate(Draw(Batch(real), Batch(torch.empty(12, 0))))
    ((packs, fakes, real_logits, fake_logits),) = SEEN
    assert torch.equal(packs, real.view(4, 6))
    assert torch.equal(fakes, drawn[0].view(4, 6))
    assert real_logits.shape == fake_logits.shape == (4,)
    # L_G = −mean of 4 logits: a member's gradient is its part of the discriminator's weights
    samples = drawn[1].detach().requires_grad_()
    loss = -discriminator(samples.view(4, 6)).mean()
    assert curves["loss/generator"].item() == pytest.approx(loss.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, samples)
    assert torch.allclose(gradient[:3].flatten(), -discriminator[0].weight[0] / 4)


def test_a_pack_has_one_epsilon_and_one_norm():
    """A linear discriminator w·x of packs: ‖∇‖ = ‖w‖ over all members, so the penalty is (‖w‖ − 1)²."""
    weight = torch.tensor([3.0, 0.0, 0.0, 4.0])
    real, fake = torch.zeros(8, 2), torch.ones(8, 2)
    asked = []

    def judge(samples):
        asked.append(samples.detach())
        return samples @ weight

    value = GradientPenalty()(judge, pack(real, 2), pack(fake, 2))
    assert value.item() == pytest.approx((5 - 1) ** 2, rel=1e-6)
    (points,) = asked
    assert points.shape == (4, 4)
    assert all(len(set(row)) == 1 for row in points.tolist())  # one ε for all numbers of a pack
    assert len(set(points[:, 0].tolist())) == 4  # and another for the next


def test_batchnorm_of_packs_is_refused_with_a_penalty(composed):
    for model, (small, shape) in NETWORKS.items():
        norm = "model.discriminator.norm=batch"
        with pytest.raises(ConfigError, match=r"loss.penalties \(gradient_penalty\) .* BatchNorm in the discriminator"):
            build_module(composed(f"model={model}", "loss=wgan_gp", *small, norm, "model.packing=2"), shape)


def test_packs_are_counted_and_drawn_as_batches(composed, tmp_path):
    """batch_size packs an update: m · batch_size reals, all different, in the stream's order."""
    config = composed(*SMALL, "evaluation/extractor=pixels", "iterations=3", "n_critic=2", "model.packing=3")
    seen = []
    original = GAN.update_discriminator

    def update(self, batch):
        seen.append(batch.samples.clone())
        return original(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GAN, "update_discriminator", update)
        folder = train_in(tmp_path / "run", config)
    data = digits()
    expected = BatchStream(data.train, 24, 6, config.seed)
    assert all(torch.equal(found, batch.samples) for found, batch in zip(seen, expected, strict=True))
    budget = folder.result()["budget"]
    assert budget["real_images"] == 3 * 2 * 8 * 3
    assert (budget["discriminator_updates"], budget["generator_updates"]) == (6, 3)
    assert weights_of(folder)["discriminator.1.weight"].shape == (16, 3 * 64)


def test_packs_of_one_are_no_packs(composed, tmp_path):
    """model.packing=1 is the default: the same weights, latents' generator and curves, and the same hash."""
    runs = [
        train_in(
            tmp_path / str(n), composed(*SMALL, "evaluation/extractor=pixels", "iterations=4", "loss=rsgan_gp", *asked)
        )
        for n, asked in enumerate(([], ["model.packing=1"]))
    ]
    first, second = map(checkpoint, runs)
    assert all(torch.equal(first["state_dict"][key], second["state_dict"][key]) for key in first["state_dict"])
    assert torch.equal(first["noise"][1], second["noise"][1])
    assert runs[0].metrics_file.read_bytes() == runs[1].metrics_file.read_bytes()
    assert runs[0].result()["config_hash"] == runs[1].result()["config_hash"]


def test_networks_without_packs_are_those_with_packs_of_one_but_for_the_first_layer(composed):
    config = composed("model=mlp", "model.packing=1")
    one = build_module(config, (1, 8, 8)).state_dict()
    config = OmegaConf.merge(config, {"model": {"packing": 4}})
    four = build_module(config, (1, 8, 8)).state_dict()
    assert one.keys() == four.keys()
    grown = {key for key in one if one[key].shape != four[key].shape}
    assert grown == {"discriminator.1.weight"}
    assert all(torch.equal(one[key], four[key]) for key in one if key.startswith("generator"))


def test_labels_are_refused(composed):
    for player, model in (("generator", []), ("discriminator", ["model.discriminator.conditioning=concat"])):
        config = composed("model=mlp", "model.packing=2", *model, f"+model.{player}.classes=10")
        with pytest.raises(ConfigError, match=rf"model.packing=2: expected 1, as model.{player} takes labels"):
            build_module(config, (1, 8, 8))


def test_too_few_samples_for_packs(composed, tmp_path):
    config = composed(*SMALL, "batch_size=700", "model.packing=2")
    with pytest.raises(
        ConfigError, match=r"batch_size=700 with model.packing=2: the dataset has 1297 training samples"
    ):
        train_in(tmp_path / "run", config)


def test_batchnorm_wants_two_packs(composed):
    """The generator's BatchNorm sees the members, the discriminator's the packs."""
    overrides = ["batch_size=1", "model.packing=2", "model.generator.channels=2", "model.discriminator.channels=2"]
    build_module(composed(*overrides), (1, 8, 8))
    with pytest.raises(ConfigError, match=r"batch_size=1: expected at least 2, as model.discriminator has BatchNorm"):
        build_module(composed(*overrides, "model.discriminator.norm=batch"), (1, 8, 8))
