"""The configuration's promises, sentence by sentence (DESIGN.md §4, "Recipe")."""

import re

import pytest
import yaml
from configurations import CONF, composed_of, options
from hydra.errors import ConfigCompositionException
from hydra.utils import instantiate
from omegaconf import OmegaConf, open_dict

from gan_lab.config.checks import check
from gan_lab.config.hashing import config_hash
from gan_lab.errors import ConfigError
from gan_lab.losses import (
    DRAGAN,
    R1,
    R2,
    GradientPenalty,
    Hinge,
    LeastSquares,
    LipschitzPenalty,
    Minimax,
    NonSaturating,
    Recipe,
    Relativistic,
    RelativisticAttention,
    SpectralNorm,
    Wasserstein,
    WeightClip,
    ZeroCentered,
)

ADAM, ADAM_BETA0 = ("Adam", 2e-4, {"betas": [0.5, 0.999]}), ("Adam", 1e-4, {"betas": [0.0, 0.9]})
GP = {"gradient_penalty": GradientPenalty(weight=10.0, every=1, target=1.0)}
RECIPES = {  # LITERATURE.md §1 to §3: the mathematics; the optimizer, its rate and further settings; n_critic
    "minimax": (Recipe(Minimax(0.0)), ADAM, 1),
    "non_saturating": (Recipe(NonSaturating(0.0)), ADAM, 1),
    "lsgan": (Recipe(LeastSquares(0.0, 1.0, 1.0, 1.0)), ADAM, 1),
    "hinge": (Recipe(Hinge()), ADAM, 1),
    "wgan": (Recipe(Wasserstein(), {}, WeightClip(0.01)), ("RMSprop", 5e-5, {}), 5),
    "wgan_gp": (Recipe(Wasserstein(), GP), ADAM_BETA0, 5),
    "wgan_lp": (Recipe(Wasserstein(), {"lipschitz_penalty": LipschitzPenalty(10.0, 1, 1.0)}), ADAM_BETA0, 5),
    "dragan": (
        Recipe(NonSaturating(0.0), {"dragan": DRAGAN(10.0, 1, 1.0)}),
        ("Adam", 1e-4, {"betas": [0.5, 0.9]}),
        1,
    ),
    "sngan": (Recipe(Hinge(), {}, SpectralNorm()), ("Adam", 2e-4, {"betas": [0.0, 0.9]}), 5),
    "rsgan": (Recipe(Relativistic("logistic", "paired", 1.0)), ADAM, 1),
    "rasgan": (Recipe(Relativistic("logistic", "average", 1.0)), ADAM, 1),
    "ralsgan": (Recipe(Relativistic("least_squares", "average", 1.0)), ADAM, 1),
    "rahinge": (Recipe(Relativistic("hinge", "average", 1.0)), ADAM, 1),
    "rsgan_gp": (Recipe(Relativistic("logistic", "paired", 1.0), GP), ADAM, 1),
    "rasgan_gp": (Recipe(Relativistic("logistic", "average", 1.0), GP), ADAM, 1),
    # the authors' code: RMSprop at 1e-4 with alpha 0.99 and γ = 10
    "nsgan_r1": (Recipe(NonSaturating(0.0), {"r1": R1(10.0, 1)}), ("RMSprop", 1e-4, {"alpha": 0.99}), 1),
    "nsgan_r1_adam": (Recipe(NonSaturating(0.0), {"r1": R1(10.0, 1)}), ADAM, 1),
    "r3gan": (
        Recipe(Relativistic("logistic", "paired", 1.0), {"r1": R1(10.0, 1), "r2": R2(10.0, 1)}),
        ("Adam", 2e-4, {"betas": [0.0, 0.99]}),
        1,
    ),
    "stylegan2": (
        Recipe(NonSaturating(0.0), {"r1": R1(1.0, 16)}),
        ("Adam", 2e-3, {"betas": [0.0, 0.99]}),
        1,
    ),
    "ragan_attention": (Recipe(RelativisticAttention(1.0)), ADAM, 1),
}


@pytest.mark.parametrize("loss", RECIPES)
def test_a_recipe_alone_runs_as_published(composed, loss):
    recipe, (name, rate, settings), n_critic = RECIPES[loss]
    config = composed(f"loss={loss}")
    assert instantiate(config.loss) == recipe
    for player in ("generator", "discriminator"):
        optimizer = config.optimizer[player]
        assert (optimizer._target_, optimizer.lr) == (f"torch.optim.{name}", rate)
        assert settings.items() <= dict(optimizer).items()
    assert (config.n_critic, config.n_generator) == (n_critic, 1)


@pytest.mark.parametrize("loss", options("loss"))
def test_a_recipe_does_not_lean_on_the_defaults_of_the_root(loss):
    text = (CONF / "loss" / f"{loss}.yaml").read_text()
    assert "override /optimizer: " in text
    assert "\nn_critic: " in text


@pytest.mark.parametrize("loss", options("loss"))
def test_every_recipe_says_where_it_is_from_and_what_to_expect(loss):
    lines = (CONF / "loss" / f"{loss}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith("# ")
    assert lines[2].startswith("# ")
    assert not lines[3].startswith("#")
    assert re.search(r"arXiv|\b(19|20)\d\d\b", lines[1] + lines[2])  # or a year, of a paper that is not there


def test_the_command_line_wins_over_the_recipe(composed):
    assert composed("loss=wgan", "optimizer.generator.lr=1e-4").optimizer.generator.lr == 1e-4
    assert composed("loss=wgan", "optimizer.generator.lr=1e-4").optimizer.discriminator.lr == 5e-5
    assert composed("loss=wgan", "optimizer=adam").optimizer.generator._target_ == "torch.optim.Adam"
    assert composed("loss=wgan", "n_critic=1").n_critic == 1
    assert composed("n_critic=1", "loss=wgan").n_critic == 1  # in any order
    assert (
        composed("loss=wgan_gp", "loss.penalties.gradient_penalty.weight=1").loss.penalties.gradient_penalty.weight == 1
    )


def test_one_weight_for_the_penalties_of_any_recipe(composed):
    penalties = composed("loss=r3gan", "penalty_weight=0.3").loss.penalties
    assert (penalties.r1.weight, penalties.r2.weight) == (0.3, 0.3)
    penalties = composed("loss=r3gan", "penalty_weight=0.3", "loss.penalties.r2.weight=5").loss.penalties
    assert (penalties.r1.weight, penalties.r2.weight) == (0.3, 5)
    assert composed("loss=lsgan", "penalty_weight=0.3").loss.penalties == {}
    together, alone = ("penalty_weight=0.3",), ("loss.penalties.r1.weight=0.3", "loss.penalties.r2.weight=0.3")
    assert config_hash(composed("loss=r3gan", *together)) == config_hash(composed("loss=r3gan", *alone))


@pytest.mark.parametrize("penalty", [one for one in options("penalty") if one != "none"])
def test_every_penalty_takes_the_weight_of_all(composed, penalty):
    """And lets it move; runs of before these keys keep their hash."""
    config = composed(f"penalty=[{penalty}]", "penalty_weight=0.3")
    name = penalty.removesuffix("_lazy")
    now = config_hash(config)
    before = dict(config.loss.penalties[name])
    assert (before["weight"], before.pop("final_weight"), before.pop("until")) == (0.3, None, None)
    config.loss.penalties[name] = before
    assert config_hash(config) == now


@pytest.fixture(scope="module")
def matched_baseline():
    return composed_of("protocol=matched")


@pytest.mark.parametrize("loss", options("loss"))
def test_matched_levels_every_recipe(composed, loss, matched_baseline):
    matched = composed(f"loss={loss}", "protocol=matched")
    assert matched.optimizer == matched_baseline.optimizer
    assert (matched.n_critic, matched.n_generator) == (1, 1)


@pytest.mark.parametrize("loss", ["wgan_gp", "nsgan_r1"])
def test_the_command_line_wins_over_matched(composed, loss):
    config = composed(f"loss={loss}", "protocol=matched", "n_critic=3", "optimizer=rmsprop")
    assert config.n_critic == 3
    assert "RMSprop" in config.optimizer.generator._target_


def test_a_dataset_brings_its_model_and_the_command_line_wins(composed):
    assert "DCGAN" in composed("dataset=mnist").model.generator._target_
    assert "MLP" in composed("dataset=ring8").model.generator._target_
    assert "MLP" in composed("dataset=digits", "model=mlp").model.generator._target_
    assert composed("dataset=ring8", "model=mlp").model.generator.hidden == [256, 512, 1024]
    assert composed("dataset=ring8", "model.generator.hidden=[9]").model.generator.hidden == [9]
    assert composed("dataset=ring8", "iterations=7").iterations == 7
    # LITERATURE.md §5: 2 500 generated points are scored
    assert composed("dataset=grid25").evaluation.samples == 2500
    assert composed("dataset=grid25", "evaluation.samples=9").evaluation.samples == 9


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


@pytest.mark.parametrize("loss", options("loss"))
def test_penalties_and_constraint_are_choices_of_their_own_on_any_recipe(composed, loss):
    recipe = instantiate(composed(f"loss={loss}", "penalty=[r1,dragan]", "constraint=weight_clip").loss)
    assert list(recipe.penalties) == ["r1", "dragan"]
    assert recipe.constraint == WeightClip(0.01)
    bare = instantiate(composed(f"loss={loss}", "penalty=none", "constraint=none").loss)
    assert (bare.objective, bare.penalties, bare.constraint) == (recipe.objective, {}, None)


@pytest.mark.parametrize(
    ("overrides", "penalties", "constraint"),
    [
        (["penalty=zero_centered"], {"zero_centered": ZeroCentered(10.0, 1)}, None),
        (["penalty=[]"], {}, None),
        (["penalty=r2", "loss.penalties.r2.weight=3"], {"r2": R2(3, 1)}, None),
        (["penalty=[]", "constraint=spectral_norm"], {}, SpectralNorm()),
        (
            ["penalty=[]", "+loss.penalties.own={_target_:gan_lab.losses.GradientPenalty,weight:3}"],
            {"own": GradientPenalty(3, 1, 1.0)},
            None,
        ),
    ],
)
def test_ways_to_choose_them(composed, overrides, penalties, constraint):
    recipe = instantiate(composed("loss=wgan_gp", *overrides).loss)
    assert (recipe.penalties, recipe.constraint) == (penalties, constraint)


@pytest.mark.parametrize(
    "overrides", [["sede=3"], ["seed=abc"], ["loss.objective.foo=1"], ["evaluation.evry=1"], ["n_critic=1.5"]]
)
def test_a_mistyped_key_or_value_is_an_error_at_compose(composed, overrides):
    with pytest.raises(ConfigCompositionException):
        composed(*overrides)


@pytest.fixture(scope="module")
def composed_once():
    return composed_of()


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
        ("optimizer.discriminator.lr=true", "optimizer.discriminator.lr=true: expected a number above 0"),
        ("latent_prior=cauchy", "latent_prior=cauchy: expected one of normal, uniform"),
        ("lr_schedule=step", "lr_schedule=step: expected one of constant, linear, cosine"),
        ("clip_grad.generator=0", "clip_grad.generator=0.0: expected a number above 0"),
        ("ema_decay=1", "ema_decay=1.0: expected null or a number from 0 to below 1"),
        ("evaluation.every=0", "evaluation.every=0: expected a whole number of at least 1"),
        ("trainer.precision=8", "trainer.precision=8: expected 32-true, 64-true, bf16-mixed or 16-mixed"),
        ("speed=3", "speed: there is no key 'speed' in the configuration; did you mean 'seed'"),
    ],
)
def test_a_value_out_of_range_is_one_sentence(composed_once, override, sentence):
    key, _, value = override.partition("=")
    config = composed_once.copy()
    with open_dict(config):
        OmegaConf.update(config, key, yaml.safe_load(value))
    with pytest.raises(ConfigError) as error:
        check(config)
    assert str(error.value).startswith(sentence)


def test_what_is_shipped_is_in_range(composed):
    check(composed())


def test_every_knob_of_the_root_is_explained():
    for line in (CONF / "train.yaml").read_text().split("\nhydra:")[0].splitlines():
        key = line.strip()
        if key and not key.startswith(("#", "-", "_target_")) and not key.endswith(":") and ": null" not in key:
            assert "#" in key, f"train.yaml: {key}"


@pytest.mark.parametrize("kind", ["penalties", "terms"])
def test_a_graph_takes_nothing_that_comes_now_and_then(composed, kind):
    """A recorded iteration repeats: what it left out would be left out for ever."""
    part = f"+loss.{kind}.x={{_target_:gan_lab.losses.R1,every:%d}}"
    check(composed("compile=cudagraph", part % 1))
    with pytest.raises(ConfigError, match=rf"loss.{kind}.x.every=2: expected 1 with compile=cudagraph"):
        check(composed("compile=cudagraph", part % 2))
