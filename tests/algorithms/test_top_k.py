"""Top-k training: how many samples are kept, which gradient they leave, and where it is not defined."""

import pytest
import torch
from linear_games import descents, players, settings
from omegaconf import OmegaConf
from torch import nn

from gan_lab.algorithms.gan import GAN
from gan_lab.config.hashing import hash_of
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.losses import Hinge, NonSaturating, Recipe, TopK
from gan_lab.training.build import build_module


@pytest.mark.parametrize(
    ("updates", "batch", "expected"),
    [(0, 64, 64), (9, 64, 64), (10, 64, 32), (19, 64, 32), (20, 64, 16), (1000, 64, 16), (20, 10, 2), (20, 3, 1)],
)
def test_k_is_halved_in_each_epoch_down_to_a_quarter(updates, batch, expected):
    """k = B · max(½^⌊updates / 10⌋, ¼), rounded down, and 1 at least."""
    assert TopK(every=10, decay=0.5, floor=0.25).count(batch, updates) == expected


def test_k_does_not_suffer_from_rounding():
    assert TopK(every=1, decay=0.29, floor=0).count(100, 1) == 29  # 100 · 0.29 is 28.999999999999996
    assert TopK(every=1, decay=1).count(100, 10**6) == 100


@pytest.mark.parametrize("updates", [0, 1, 2, 9])
def test_the_generator_descends_the_mean_over_its_best_samples(updates):
    """G(z) = w z and D(x) = x: the hinge loss −E w z has the slope −mean of the k largest z."""
    networks = players(generator=nn.Linear(1, 1, bias=False), discriminator=nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        for player in networks.values():
            player.network.weight.fill_(2.0)
    loss = Recipe(Hinge(), top_k=TopK(every=1, decay=0.5, floor=0.25))
    game = GAN(**networks, loss=loss, **settings(networks, dim=1)).double()
    networks["generator"].updates = updates
    latents = game.draw_latents(8).flatten()
    game.noise.manual_seed(0)
    batch = Batch(torch.zeros(8, 1, dtype=torch.float64))
    found = descents(game, lambda: game.update_generator(batch))["generator.weight"].item()
    k = {0: 8, 1: 4, 2: 2, 9: 2}[updates]
    assert found == pytest.approx(-2 * latents.sort().values[-k:].mean().item(), abs=1e-12)


def test_without_top_k_all_logits_are_kept():
    logits = torch.randn(5)
    assert Recipe(NonSaturating()).kept(logits, 3) is logits


def test_an_iteration_and_the_hash_of_runs_from_before(composed):
    config = composed("top_k=decaying", "loss.top_k.every=1", "model=mlp", "batch_size=4")
    module = build_module(config, (1, 8, 8))
    real = Batch(torch.rand(4, 1, 8, 8))
    for _ in range(3):
        assert all(value.isfinite().all() for value in module.iterate(Draw(real, real)).values())
    asked = OmegaConf.to_container(composed("model=mlp"), resolve=True)
    before = asked | {"loss": {key: value for key, value in asked["loss"].items() if key != "top_k"}}
    assert hash_of(asked) == hash_of(before) != hash_of(OmegaConf.to_container(config, resolve=True))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["loss=rasgan"], r"^loss.top_k: expected null with Relativistic, which rates samples against real ones"),
        (["loss=ragan_attention"], r"^loss.top_k: expected null with RelativisticAttention, which rates"),
        (["trainer.devices=2"], r"^loss.top_k: expected null in 2 processes, which share a batch$"),
        (["compile=cudagraph"], r"^loss.top_k: expected null with compile=cudagraph, as k falls while it trains$"),
        (["loss.top_k.decay=1.5"], r"TopK.decay=1.5: expected a number from 0 to 1"),
        (["loss.top_k.floor=-1"], r"TopK.floor=-1.0: expected a number from 0 to 1"),
        (["loss.top_k.every=0"], r"TopK.every=0: expected a whole number of at least 1"),
    ],
)
def test_refusals(composed, words, message):
    with pytest.raises(ConfigError, match=message) as raised:
        build_module(composed("top_k=decaying", *words), (1, 16, 16))
    assert len(str(raised.value).splitlines()) == 1


def test_pairs_are_refused(composed):
    words = ["model=unet", "dataset=digits_edges", "top_k=decaying", "model.generator.channels=8"]
    with pytest.raises(ConfigError, match=r"^loss.top_k: expected null with Pix2Pix, each of whose sources needs"):
        build_module(composed(*words), (1, 8, 8), source_shape=(1, 8, 8))


def test_maps_of_logits_are_refused(composed):
    config = composed("top_k=decaying")
    config.model.discriminator = {"_target_": "gan_lab.models.PatchGANDiscriminator", "channels": 4}
    with pytest.raises(
        ConfigError, match=r"^loss.top_k: expected null, as model.discriminator gives logits \[B, 1, \d"
    ):
        build_module(config, (1, 16, 16))
