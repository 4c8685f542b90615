"""The configuration's promises, sentence by sentence (DESIGN.md §4, "Recipe")."""

import pytest
from conftest import CONF, options
from hydra.errors import ConfigCompositionException
from hydra.utils import instantiate

from gan_lab.errors import ConfigError
from gan_lab.schema import check

RECIPES = {  # LITERATURE.md §3: optimizer, learning rate, further settings of the optimizer, n_critic
    "non_saturating": ("Adam", 2e-4, {"betas": [0.5, 0.999]}, 1),
    "lsgan": ("Adam", 2e-4, {"betas": [0.5, 0.999]}, 1),
    "rsgan": ("Adam", 2e-4, {"betas": [0.5, 0.999]}, 1),
    "wgan": ("RMSprop", 5e-5, {}, 5),
    "wgan_gp": ("Adam", 1e-4, {"betas": [0.0, 0.9]}, 5),
}


@pytest.mark.parametrize("loss", options("loss"))
def test_a_recipe_alone_runs_as_published(composed, loss):
    name, rate, settings, n_critic = RECIPES[loss]
    config = composed(f"loss={loss}")
    for player in ("generator", "discriminator"):
        optimizer = config.optimizer[player]
        assert (optimizer._target_, optimizer.lr) == (f"torch.optim.{name}", rate)
        assert settings.items() <= dict(optimizer).items()
    assert config.n_critic == n_critic


def test_published_weights_of_the_math(composed):
    assert composed("loss=wgan").loss.constraint.bound == 0.01
    assert composed("loss=wgan_gp").loss.penalties.gradient_penalty.weight == 10


def test_the_command_line_wins_over_the_recipe(composed):
    assert composed("loss=wgan", "optimizer.generator.lr=1e-4").optimizer.generator.lr == 1e-4
    assert composed("loss=wgan", "optimizer.generator.lr=1e-4").optimizer.discriminator.lr == 5e-5
    assert composed("loss=wgan", "optimizer=adam").optimizer.generator._target_ == "torch.optim.Adam"
    assert composed("loss=wgan", "n_critic=1").n_critic == 1
    assert composed("n_critic=1", "loss=wgan").n_critic == 1  # in any order
    assert (
        composed("loss=wgan_gp", "loss.penalties.gradient_penalty.weight=1").loss.penalties.gradient_penalty.weight == 1
    )


@pytest.mark.parametrize("loss", options("loss"))
def test_matched_levels_every_recipe_and_the_command_line_wins_over_it(composed, loss):
    matched, baseline = composed(f"loss={loss}", "protocol=matched"), composed("protocol=matched")
    assert matched.optimizer == baseline.optimizer
    assert (matched.n_critic, matched.n_generator) == (1, 1)
    assert composed(f"loss={loss}", "protocol=matched", "n_critic=3").n_critic == 3
    assert "RMSprop" in composed(f"loss={loss}", "protocol=matched", "optimizer=rmsprop").optimizer.generator._target_


def test_a_dataset_brings_its_model_and_the_command_line_wins(composed):
    assert "DCGAN" in composed("dataset=mnist").model.generator._target_
    assert "MLP" in composed("dataset=ring8").model.generator._target_
    assert "MLP" in composed("dataset=digits", "model=mlp").model.generator._target_
    assert composed("dataset=ring8", "model=mlp").model.generator.hidden == [256, 512, 1024]
    assert composed("dataset=ring8", "model.generator.hidden=[9]").model.generator.hidden == [9]
    assert composed("dataset=ring8", "iterations=7").iterations == 7


def test_an_experiment_overrides_groups_and_what_those_bring_applies(composed, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "study.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: ring8\n  - override /loss: wgan\nseed: 5\n"
    )
    with_study = ("experiment=study", f"hydra.searchpath=[file://{tmp_path}]")
    config = composed(*with_study)
    assert (config.seed, config.latent_dim, config.n_critic) == (5, 2, 5)
    assert "MLP" in config.model.generator._target_
    assert "RMSprop" in config.optimizer.generator._target_
    assert composed(*with_study, "loss=lsgan").n_critic == 1
    assert composed(*with_study, "seed=6").seed == 6


def test_penalties_and_constraint_can_be_swapped_on_any_objective(composed):
    penalty = "{_target_:gan_lab.losses.GradientPenalty,weight:3}"
    config = composed(
        "loss=lsgan", f"+loss.penalties.gp={penalty}", "loss.constraint={_target_:gan_lab.losses.WeightClip}"
    )
    recipe = instantiate(config.loss)
    assert recipe.penalties["gp"].weight == 3
    assert recipe.constraint.bound == 0.01
    assert instantiate(composed("loss=wgan_gp", "~loss.penalties.gradient_penalty").loss).penalties == {}


@pytest.mark.parametrize(
    "overrides", [["sede=3"], ["seed=abc"], ["loss.objective.foo=1"], ["evaluation.evry=1"], ["n_critic=1.5"]]
)
def test_a_mistyped_key_or_value_is_an_error_at_compose(composed, overrides):
    with pytest.raises(ConfigCompositionException):
        composed(*overrides)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("iterations=0", "iterations=0: expected a whole number of at least 1"),
        ("iterations=-5", "iterations=-5: expected a whole number of at least 1"),
        ("batch_size=0", "batch_size=0: expected a whole number of at least 1"),
        ("n_critic=0", "n_critic=0: expected a whole number of at least 1"),
        ("n_generator=0", "n_generator=0: expected a whole number of at least 1"),
        ("latent_dim=0", "latent_dim=0: expected a whole number of at least 1"),
        ("seed=-1", "seed=-1: expected a whole number of at least 0"),
        ("optimizer.generator.lr=-1", "optimizer.generator.lr=-1: expected a number above 0"),
        ("optimizer.generator.lr=abc", "optimizer.generator.lr=abc: expected a number above 0"),
        ("optimizer.discriminator.lr=true", "optimizer.discriminator.lr=True: expected a number above 0"),
        ("latent_prior=cauchy", "latent_prior=cauchy: expected one of normal, uniform"),
        ("lr_schedule=step", "lr_schedule=step: expected one of constant, linear, cosine"),
        ("clip_grad.generator=0", "clip_grad.generator=0.0: expected a number above 0"),
        ("ema_decay=1", "ema_decay=1.0: expected null or a number from 0 to below 1"),
        ("evaluation.every=0", "evaluation.every=0: expected a whole number of at least 1"),
        ("trainer.precision=8", "trainer.precision=8: expected one of 32-true, 64-true, bf16-mixed, 16-mixed"),
        ("+speed=3", "speed: there is no key 'speed' in the configuration; did you mean 'seed'"),
    ],
)
def test_a_value_out_of_range_is_one_sentence(composed, override, sentence):
    with pytest.raises(ConfigError) as error:
        check(composed(override))
    assert str(error.value).startswith(sentence)


def test_what_is_shipped_is_in_range(composed):
    check(composed())


def test_every_knob_of_the_root_is_explained():
    for line in (CONF / "train.yaml").read_text().split("\nhydra:")[0].splitlines():
        key = line.strip()
        if key and not key.startswith(("#", "-", "_target_")) and not key.endswith(":") and ": null" not in key:
            assert "#" in key, f"train.yaml: {key}"
