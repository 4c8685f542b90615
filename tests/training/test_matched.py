"""Matched randomness: what two runs share that differ in loss alone, and two that do not differ at all."""

from typing import NamedTuple

import pytest
import torch
from configurations import composed_of, options
from training_runs import SMALL, train_in, weights_of

from gan_lab.training.build import build_module


def module_after_start(composed, *overrides):
    config = composed(*SMALL, *overrides)
    return build_module(config, (1, 8, 8))


def initial_weights(*overrides):
    state = module_after_start(composed_of, *overrides).named_parameters()
    return {name.replace("parametrizations.", "").replace(".original", ""): p for name, p in state}


@pytest.fixture(scope="module")
def plain():
    """The initial weights of loss=non_saturating, with which the others are compared."""
    return initial_weights()


@pytest.mark.parametrize("loss", options("loss"))
def test_equal_seeds_share_initial_weights(plain, loss):
    """Up to what a recipe adds: a second head's weights; the names that PyTorch's parametrization gives."""
    found = initial_weights(f"loss={loss}")
    assert plain.keys() <= found.keys()
    assert all(torch.equal(p, found[name]) for name, p in plain.items())


@pytest.mark.parametrize("loss", ["non_saturating", "sngan", "ragan_attention"])  # as it is, normed, with two heads
def test_other_seeds_have_other_initial_weights(plain, loss):
    other = initial_weights(f"loss={loss}", "seed=1")
    assert any(not torch.equal(p, other[name]) for name, p in plain.items())


class Inputs(NamedTuple):
    """What a short run was given: real batches, evaluation latents and training latents, in order."""

    real: list[torch.Tensor]
    evaluation: list[torch.Tensor]
    training: list[torch.Tensor]


def inputs_of(folder, loss):
    """What a run of four iterations is given."""
    from gan_lab.algorithms.gan import GAN
    from gan_lab.metrics import evaluator

    found = Inputs([], [], [])
    update, generate, draw = (
        GAN.update_discriminator,
        evaluator.generate,
        GAN.draw_latents,
    )

    def spy_update(self, batch):
        found.real.append(batch.samples.clone())
        return update(self, batch)

    def spy_generate(generator, request):
        found.evaluation.append(request.latents.clone())
        return generate(generator, request)

    def spy_draw(*arguments):
        found.training.append(draw(*arguments))
        return found.training[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GAN, "update_discriminator", spy_update)
        patch.setattr(evaluator, "generate", spy_generate)
        patch.setattr(GAN, "draw_latents", spy_draw)
        words = ["evaluation/extractor=pixels", "protocol=paper", "iterations=4", "evaluation.every=2"]
        train_in(folder, composed_of(*SMALL, f"loss={loss}", *words))
    return found


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """The inputs of loss=non_saturating, with which the others are compared."""
    return inputs_of(tmp_path_factory.mktemp("baseline") / "run", "non_saturating")


@pytest.mark.parametrize("loss", [loss for loss in options("loss") if loss != "non_saturating"])
def test_equal_seeds_share_batches_and_evaluation_latents(tmp_path, baseline, loss):
    other = inputs_of(tmp_path / "run", loss)
    assert len(baseline.real) == 4
    assert all(torch.equal(a, b) for a, b in zip(baseline.real, other.real, strict=False))  # n_critic may draw more
    assert len(baseline.evaluation) == len(other.evaluation) == 2
    assert all(torch.equal(a, baseline.evaluation[0]) for a in baseline.evaluation + other.evaluation)


def test_latents_are_fresh_for_every_update_of_either_player(baseline):
    assert len({z.sum().item() for z in baseline.training}) == len(baseline.training) == 8


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=dcgan", "model.generator.channels=4", "model.discriminator.channels=4"],
        ["loss=wgan_gp", "ema_decay=0.9"],
    ],
)
def test_equal_everything_is_bit_equal_and_evaluation_changes_nothing(composed, tmp_path, overrides):
    setups = {
        "once": [],
        "again": [],
        "evaluated": ["evaluation.every=2", "pictures.every=3", "checkpoint.every=4", "log_every=1"],
    }
    small = [word for word in SMALL if "hidden" not in word] if "model=dcgan" in overrides else SMALL
    small = [word for word in small if word != "model=mlp" or "model=dcgan" not in overrides]
    small = [*small, *overrides, "evaluation/extractor=pixels", "iterations=12"]
    once, again, evaluated = (
        weights_of(train_in(tmp_path / name, composed(*small, *extra))) for name, extra in setups.items()
    )
    assert once.keys() == again.keys() == evaluated.keys()
    assert all(torch.equal(once[key], again[key]) for key in once)
    assert all(torch.equal(once[key], evaluated[key]) for key in once)


def test_latents_leave_the_global_generator_alone(composed):
    module = module_after_start(composed)
    before = torch.random.get_rng_state()
    module.draw_latents(5)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_latent_prior(composed, prior):
    module = module_after_start(composed, f"latent_prior={prior}")
    latents = module.draw_latents(2000)
    assert latents.shape == (2000, 100)
    assert (latents.abs().max() <= 1) == (prior == "uniform")
    # 200 000 draws: the sample deviation is within 1 % of 1, or of √(1/3)
    assert latents.std().item() == pytest.approx(1.0 if prior == "normal" else 3**-0.5, rel=0.01)


class Noisy(torch.nn.Linear):
    """A user's extractor that draws weights when it is made and noise when it runs."""

    def __init__(self):
        super().__init__(64, 3)

    def forward(self, samples):
        return super().forward(samples.flatten(1) / 255 + torch.rand(64))


def test_no_extractor_changes_training(composed, tmp_path):
    """wgan_gp draws its interpolation from the global generator, which an extractor could shift."""
    found = {}
    for name in ("classifier", "pixels", "whitened_conv", "noisy"):
        chosen = "pixels" if name == "noisy" else name
        config = composed(
            *SMALL, "loss=wgan_gp", "iterations=6", "evaluation.every=2", f"evaluation/extractor={chosen}"
        )
        if name == "classifier":
            config.evaluation.extractor.steps = 20
        if name == "noisy":
            config.evaluation.extractor = {"_target_": "test_matched.Noisy"}
            config.allowed_targets = ["test_matched"]
        folder = train_in(tmp_path / name, config)
        assert any(metric.endswith(f"_{name}") for metric in folder.result()["metrics"])
        found[name] = weights_of(folder)
    for name in ("pixels", "whitened_conv", "noisy"):
        assert all(torch.equal(found["classifier"][key], found[name][key]) for key in found["classifier"]), name
