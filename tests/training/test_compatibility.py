"""Combinations that go wrong are said, each in a sentence, and others are not."""

import logging
import sys
import types

import pytest
import torch
from configurations import options
from torch import nn

from gan_lab.config.checks import resolved
from gan_lab.errors import ConfigError
from gan_lab.losses import NonSaturating, Recipe
from gan_lab.training.build import build_module
from gan_lab.training.compatibility import check_networks
from gan_lab.training.runtime import check_devices, check_main

NARROW = [f"model.{role}.channels=4" for role in ("generator", "discriminator")]


def warnings_of(composed, caplog, *overrides):
    """Of a DCGAN: few channels, as drawing the weights of many takes most of the time."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, "gan_lab.training.dangers"):
        build_module(composed(*NARROW, *overrides), (1, 8, 8))
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("loss", options("loss"))
def test_no_recipe_is_warned_of_as_shipped(composed, caplog, loss):
    assert warnings_of(composed, caplog, f"loss={loss}") == []


@pytest.mark.parametrize("loss", [loss for loss in options("loss") if loss not in ("wgan", "sngan")])
def test_batchnorm_with_a_penalty_is_an_error_that_can_be_overridden(composed, caplog, loss):
    overrides = [f"loss={loss}", "penalty=r1", "model.discriminator.norm=batch"]
    with pytest.raises(ConfigError, match=r"loss.penalties \(r1\) .* BatchNorm .* allow_batchnorm_penalty=true"):
        warnings_of(composed, caplog, *overrides)
    assert warnings_of(composed, caplog, *overrides, "allow_batchnorm_penalty=true") == []
    without = warnings_of(composed, caplog, *overrides[:1], "penalty=[]", "model.discriminator.norm=batch")
    assert not any("BatchNorm" in sentence for sentence in without)


def test_unbounded_wasserstein(composed, caplog):
    (sentence,) = warnings_of(composed, caplog, "loss=wgan", "constraint=none")
    assert "loss.objective=Wasserstein has no penalty and no constraint" in sentence
    assert warnings_of(composed, caplog, "loss=wgan", "constraint=none", "penalty=r1") == []
    without_weight = ["loss=wgan_gp", "loss.penalties.gradient_penalty.weight=0"]
    assert len(warnings_of(composed, caplog, *without_weight)) == 1
    assert warnings_of(composed, caplog, "loss=wgan", "constraint=spectral_norm", "model.discriminator.norm=none") == []


def test_settings_that_change_nothing(composed, caplog):
    for penalty, told in (((), True), (("penalty=r1",), False)):  # no warning: a sweep has one weight for all losses
        caplog.clear()
        with caplog.at_level(logging.INFO, "gan_lab.training.dangers"):
            build_module(composed(*NARROW, "loss=lsgan", "penalty_weight=5", *penalty), (1, 8, 8))
        assert ("note: penalty_weight=5.0 changes nothing, as the recipe has no penalty" in caplog.text) == told
        assert warnings_of(composed, caplog, "loss=lsgan", "penalty_weight=5", *penalty) == []
    own = "+loss.penalties.mine={_target_:gan_lab.losses.R1}"
    (sentence,) = warnings_of(composed, caplog, "loss=lsgan", own, "penalty_weight=5")
    assert sentence.endswith(
        "the weight of loss.penalties.mine does not follow it; expected weight: ${or:${penalty_weight},1} in its "
        "block, or null"
    )
    own = own.replace("R1", "R1,weight:'${or:${penalty_weight},1}'")
    assert warnings_of(composed, caplog, "loss=lsgan", own, "penalty_weight=5") == []
    (sentence,) = warnings_of(composed, caplog, "lr_warmup=100", "iterations=100")
    assert sentence.endswith(
        "lr_warmup=100: the learning rates stay below their full value, as training has 100 iterations; expected more "
        "iterations, or a shorter warm-up"
    )
    assert warnings_of(composed, caplog, "lr_warmup=100", "iterations=101") == []
    held = ["lr_schedule=linear", "lr_warmup=40", "lr_hold=60"]
    (sentence,) = warnings_of(composed, caplog, *held, "iterations=100")
    assert "lr_hold=60: the learning rates do not decay, as training has 100 iterations" in sentence
    assert warnings_of(composed, caplog, *held, "iterations=101") == []


def test_a_penalty_that_begins_after_the_last_update(composed, caplog):
    (sentence,) = warnings_of(composed, caplog, "penalty=lecam", "iterations=1000")
    assert (
        "loss.penalties.lecam adds nothing: it begins after 1000 updates of the discriminator, and training has"
        in sentence
    )
    for enough in (
        ["iterations=1001"],
        ["iterations=334", "n_critic=3"],
        ["loss.penalties.lecam.start=9", "iterations=10"],
    ):
        assert warnings_of(composed, caplog, "penalty=lecam", *enough) == []
    every = ["penalty=lecam", "loss.penalties.lecam.every=16"]  # computed at updates 992 and 1008, counted from 0
    assert len(warnings_of(composed, caplog, *every, "iterations=1008")) == 1
    assert warnings_of(composed, caplog, *every, "iterations=1009") == []
    assert warnings_of(composed, caplog, "penalty=lecam", "iterations=9", "loss.penalties.lecam.weight=0") == []


def test_clipping_with_momentum(composed, caplog):
    (sentence,) = warnings_of(composed, caplog, "loss=wgan", "optimizer=adam")
    assert "loss.constraint=WeightClip with Adam of momentum 0.5" in sentence
    assert warnings_of(composed, caplog, "loss=wgan", "optimizer=adam_beta0") == []
    (sentence,) = warnings_of(composed, caplog, "loss=wgan", "++optimizer.discriminator.momentum=0.9")
    assert "loss.constraint=WeightClip with RMSprop of momentum 0.9" in sentence


@pytest.mark.parametrize("norm", ["batch", "layer", "instance"])
def test_spectral_norm_with_normalised_layers(composed, caplog, norm):
    (sentence,) = warnings_of(composed, caplog, "loss=sngan", f"model.discriminator.norm={norm}")
    assert "loss.constraint=SpectralNorm with normalised layers" in sentence


def test_half_precision_with_a_penalty(composed, caplog):
    (sentence,) = warnings_of(composed, caplog, "loss=wgan_gp", "trainer.precision=16-mixed")
    assert "loss.penalties (gradient_penalty) in trainer.precision=16-mixed" in sentence
    assert warnings_of(composed, caplog, "loss=wgan_gp", "trainer.precision=bf16-mixed") == []
    assert warnings_of(composed, caplog, "loss=lsgan", "trainer.precision=16-mixed") == []


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["loss=ragan_attention", "model.discriminator.attention=false"],
            r"it gives logits \[B\], and .* takes \[B, 2\]",
        ),
        (["loss=rasgan", "model.discriminator.attention=true"], r"it gives logits \[B, 2\], and .* takes \[B\]"),
    ],
)
@pytest.mark.parametrize("model", ["mlp", "dcgan"])
def test_logits_that_the_objective_does_not_take(composed, model, overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        build_module(composed(f"model={model}", *overrides), (1, 8, 8))


def test_a_generator_of_another_shape():
    judge = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    with pytest.raises(ConfigError, match=r"^model.generator: it draws samples \[B, 3\] .* expected \[B, 1, 8, 8\]"):
        check_networks(Recipe(NonSaturating()), nn.Linear(100, 3), judge, 100, (1, 8, 8), 4)


@pytest.mark.parametrize("accelerator", ["gpu", "auto"])
def test_more_devices_than_gpus_are_refused_before_anything_is_built(composed, monkeypatch, accelerator):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    trainer = composed("trainer=auto", f"trainer.accelerator={accelerator}", "trainer.devices=2").trainer
    check_devices(trainer, False, 6)
    trainer.devices = 3
    with pytest.raises(ConfigError, match=r"trainer.devices=3: expected at most 2, the GPUs of this machine"):
        check_devices(trainer, False, 6)


def test_classes_of_a_notebook_are_for_one_process(composed, monkeypatch):
    config = composed("trainer.devices=2", "allowed_targets=[__main__]")
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    with pytest.raises(
        ConfigError, match=r"^trainer.devices=2: expected 1 with allowed_targets=\[__main__\] of a note"
    ):
        check_main(config)
    main.__file__ = "script.py"
    check_main(config)


def test_a_penalty_beside_minibatch_deviation_is_noted_and_never_refused(composed, caplog):
    narrow = ["model=stylegan2", *NARROW, "latent_dim=4"]
    with caplog.at_level("INFO"):
        build_module(composed(*narrow, "loss=stylegan2"), (1, 8, 8))
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "note: loss.penalties (r1): the logits of 4 samples depend on each other" in record.getMessage()
    caplog.clear()
    with caplog.at_level("INFO"):
        build_module(composed(*narrow, "loss=hinge"), (1, 8, 8))
    assert caplog.records == []


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam"])
def test_an_optimizer_that_cannot_make_the_step_is_refused(composed, name):
    config = composed("dataset=ring8", "optimizer=adam")
    config.optimizer.generator = {"_target_": f"torch.optim.{name}", "_partial_": True, "lr": 0.1}
    with pytest.raises(ConfigError, match=f"optimizer.generator: {name} cannot train these networks; expected"):
        build_module(config, (2,))


@pytest.mark.parametrize(("model", "ignored"), [("dcgan", True), ("vae_gan", True), ("unet", False)])
def test_a_model_that_ignores_the_sources_of_pairs_is_warned_of(composed, caplog, model, ignored):
    build_module(resolved(composed("dataset=digits_edges", f"model={model}")), (1, 8, 8), source_shape=(1, 8, 8))
    assert ("its sources are ignored, as model.generator takes none" in caplog.text) is ignored
