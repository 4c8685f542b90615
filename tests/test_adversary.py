"""The algorithm: who is updated, how often, from what, and what of it is counted."""

from itertools import product

import pytest
import torch
from conftest import options
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.optim import Optimizer
from training_runs import checkpoint, train_in

from gan_lab.errors import Diverged
from gan_lab.run_folder import RunFolder
from gan_lab.training import build_module

SMALL = [
    "model=mlp",
    "model.generator.hidden=[16]",
    "model.discriminator.hidden=[16]",
    "batch_size=8",
    "evaluation.samples=100",
    "pictures.samples=4",
    "trainer=cpu",
]


@pytest.mark.parametrize(("n_critic", "n_generator"), list(product([1, 2, 5], [1, 2])))
def test_updates_are_counted_exactly_and_everything_counts_iterations(
    composed, tmp_path, monkeypatch, n_critic, n_generator
):
    steps: dict[int, int] = {}
    original = torch.optim.Adam.step

    def step(self: Optimizer, closure=None):
        size = sum(p.numel() for group in self.param_groups for p in group["params"])
        steps[size] = steps.get(size, 0) + 1
        return original(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    overrides = [
        "iterations=7",
        f"n_critic={n_critic}",
        f"n_generator={n_generator}",
        "log_every=1",
        "checkpoint.every=3",
    ]
    config = composed(*SMALL, *overrides)
    folder = train_in(tmp_path / "run", config)

    module = build_module(config, (1, 8, 8))
    sizes = [sum(p.numel() for p in net.parameters()) for net in (module.discriminator, module.generator)]
    assert steps == {sizes[0]: 7 * n_critic, sizes[1]: 7 * n_generator}
    budget = folder.result()["budget"]
    assert budget.pop("train_seconds") > 0
    assert budget == {
        "iterations": 7,
        "discriminator_updates": 7 * n_critic,
        "generator_updates": 7 * n_generator,
        "real_images": 7 * n_critic * 8,
    }
    assert checkpoint(folder)["global_step"] == 7
    assert folder.last_checkpoint.resolve().name == "iteration_0000007.ckpt"
    events = EventAccumulator(str(folder.path)).Reload()
    assert [event.step for event in events.Scalars("loss/discriminator")] == [1, 2, 3, 4, 5, 6, 7]
    assert folder.status()["iteration"] == 7


def module_after_start(composed, *overrides):
    config = composed(*SMALL, *overrides)
    return build_module(config, (1, 8, 8))


@pytest.mark.parametrize("loss", options("loss"))
def test_equal_seeds_share_initial_weights(composed, loss):
    """Up to what a recipe adds: a second head's weights; the names that PyTorch's parametrization gives."""

    def weights(*overrides):
        state = module_after_start(composed, *overrides).named_parameters()
        return {name.replace("parametrizations.", "").replace(".original", ""): p for name, p in state}

    first, second, other = weights(), weights(f"loss={loss}"), weights(f"loss={loss}", "seed=1")
    assert first.keys() <= second.keys()
    assert all(torch.equal(p, second[name]) for name, p in first.items())
    assert any(not torch.equal(p, other[name]) for name, p in first.items())


def recorded_inputs(composed, tmp_path, monkeypatch, loss):
    """Real batches, evaluation latents and training noise of a short run."""
    from gan_lab import adversary
    from gan_lab.metrics import evaluator

    real, latents, noise = [], [], []
    update, generate, draw = (
        adversary.AdversarialModule.update_discriminator,
        evaluator.generate,
        adversary.draw_latents,
    )

    def spy_update(self, batch):
        real.append(batch.clone())
        return update(self, batch)

    def spy_generate(generator, z):
        latents.append(z.clone())
        return generate(generator, z)

    def spy_draw(*arguments):
        noise.append(draw(*arguments))
        return noise[-1]

    with monkeypatch.context() as patch:
        patch.setattr(adversary.AdversarialModule, "update_discriminator", spy_update)
        patch.setattr(evaluator, "generate", spy_generate)
        patch.setattr(adversary, "draw_latents", spy_draw)
        train_in(
            tmp_path / loss, composed(*SMALL, f"loss={loss}", "protocol=paper", "iterations=10", "evaluation.every=5")
        )
    return real, latents, noise


@pytest.mark.parametrize("loss", options("loss"))
def test_equal_seeds_share_batches_and_evaluation_noise(composed, tmp_path, monkeypatch, loss):
    if loss == "non_saturating":
        pytest.skip("the one compared with")
    real, latents, noise = recorded_inputs(composed, tmp_path, monkeypatch, "non_saturating")
    other_real, other_latents, _ = recorded_inputs(composed, tmp_path, monkeypatch, loss)
    assert len(real) == 10
    assert all(torch.equal(a, b) for a, b in zip(real, other_real, strict=False))  # n_critic may draw more
    assert len(latents) == len(other_latents) == 2
    assert all(torch.equal(a, latents[0]) for a in latents + other_latents)
    assert len({z.sum().item() for z in noise}) == len(noise) == 20  # fresh for every update of either player


def weights_of(folder: RunFolder) -> dict[str, torch.Tensor]:
    return checkpoint(folder)["state_dict"]


@pytest.mark.parametrize(
    "overrides", [["model=dcgan", "model.generator.channels=4"], ["loss=wgan_gp", "ema_decay=0.9"]]
)
def test_equal_everything_is_bit_equal_and_evaluation_changes_nothing(composed, tmp_path, overrides):
    setups = {
        "once": [],
        "again": [],
        "evaluated": ["evaluation.every=2", "pictures.every=3", "checkpoint.every=4", "log_every=1"],
    }
    small = [word for word in SMALL if "hidden" not in word] if "model=dcgan" in overrides else SMALL
    small = [word for word in small if word != "model=mlp" or "model=dcgan" not in overrides]
    once, again, evaluated = (
        weights_of(train_in(tmp_path / name, composed(*small, *overrides, "iterations=12", *extra)))
        for name, extra in setups.items()
    )
    assert once.keys() == again.keys() == evaluated.keys()
    assert all(torch.equal(once[key], again[key]) for key in once)
    assert all(torch.equal(once[key], evaluated[key]) for key in once)


def test_ema_is_the_recursion_on_the_generator(composed, tmp_path):
    """θ̄ ← decay·θ̄ + (1 − decay)·θ after each generator update, from the first update's weights."""
    folders = [train_in(tmp_path / str(n), composed(*SMALL, f"iterations={n}", "ema_decay=0.6")) for n in (1, 2)]
    first, second = (weights_of(folder) for folder in folders)
    key = "1.weight" if "generator.1.weight" in first else "0.weight"
    assert torch.equal(first[f"ema.module.{key}"], first[f"generator.{key}"])
    expected = 0.6 * first[f"generator.{key}"] + 0.4 * second[f"generator.{key}"]
    assert torch.allclose(second[f"ema.module.{key}"], expected, atol=1e-7)


def test_clipping_limits_the_step_of_its_network_alone(composed, tmp_path):
    """With SGD at rate 1 a step is as long as the gradient."""
    sgd = "{_target_:torch.optim.SGD,_partial_:true,lr:1.0}"
    config = composed(
        *SMALL,
        "iterations=1",
        f"++optimizer.generator={sgd}",
        f"++optimizer.discriminator={sgd}",
        "clip_grad.generator=1e-3",
    )
    for player in ("generator", "discriminator"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 1.0}
    start = build_module(config, (1, 8, 8)).state_dict()
    end = weights_of(train_in(tmp_path / "run", config))
    lengths = {
        player: sum((end[k] - start[k]).square().sum().item() for k in start if k.startswith(player)) ** 0.5
        for player in ("generator", "discriminator")
    }
    assert lengths["generator"] == pytest.approx(1e-3, rel=1e-2)
    assert lengths["discriminator"] > 1e-2


def test_weight_clip_holds_after_training(composed, tmp_path):
    state = weights_of(train_in(tmp_path / "run", composed(*SMALL, "loss=wgan", "iterations=2")))
    assert max(state[key].abs().max() for key in state if key.startswith("discriminator")) <= 0.01
    assert max(state[key].abs().max() for key in state if key.startswith("generator")) > 0.02


def test_penalty_weight_is_applied_once(composed, tmp_path):
    """The logged L_D is objective + weight · penalty, the penalty logged unweighted."""
    overrides = [
        "loss=wgan_gp",
        "n_critic=1",
        "iterations=1",
        "log_every=1",
        "loss.penalties.gradient_penalty.weight=7",
    ]
    folder = train_in(tmp_path / "run", composed(*SMALL, *overrides))
    rows = dict(line.split(",")[1:] for line in folder.metrics_file.read_text().splitlines()[1:])
    objective = float(rows["logits/fake"]) - float(rows["logits/real"])
    expected = objective + 7 * float(rows["loss/gradient_penalty"])
    assert float(rows["loss/discriminator"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_latent_prior(composed, prior):
    module = module_after_start(composed, f"latent_prior={prior}")
    module.on_fit_start()
    latents = module.draw_latents(2000)
    assert latents.shape == (2000, 100)
    assert (latents.abs().max() <= 1) == (prior == "uniform")
    # 200 000 draws: the sample deviation is within 1 % of 1, or of √(1/3)
    assert latents.std().item() == pytest.approx(1.0 if prior == "normal" else 3**-0.5, rel=0.01)


def test_the_learning_rate_follows_its_schedule_by_iterations(composed, tmp_path):
    overrides = ["iterations=8", "lr_schedule=linear", "lr_warmup=3", "n_critic=2"]
    states = checkpoint(train_in(tmp_path / "run", composed(*SMALL, *overrides)))["lr_schedulers"]
    assert [state["last_epoch"] for state in states] == [8, 8]
    assert [state["_last_lr"] for state in states] == [[0.0], [0.0]]


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
@pytest.mark.parametrize("loss", ["rsgan", "wgan_gp"])
def test_precisions(composed, tmp_path, precision, loss):
    folder = train_in(
        tmp_path / "run", composed(*SMALL, f"loss={loss}", f"trainer.precision={precision}", "iterations=3")
    )
    dtype = torch.float64 if precision == "64-true" else torch.float32
    assert {value.dtype for value in weights_of(folder).values()} == {dtype}


def test_divergence_ends_the_run_at_its_iteration_with_the_last_finite_checkpoint(composed, tmp_path):
    config = composed(
        *SMALL, "loss=lsgan", "iterations=400", "checkpoint.every=5", "log_every=50", "evaluation.every=400"
    )
    for player in ("generator", "discriminator"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 300.0}
    with pytest.raises(Diverged) as error:
        train_in(tmp_path / "run", config)
    folder = RunFolder(tmp_path / "run")
    status = folder.status()
    assert status["state"] == "diverged"
    assert status["iteration"] == error.value.iteration > 1
    assert f"diverged at iteration {error.value.iteration}: {error.value.term} is" in status["error"]
    assert not folder.result_file.exists()
    if folder.last_checkpoint.exists():
        assert all(value.isfinite().all() for value in weights_of(folder).values())


def test_the_first_value_that_is_not_finite_is_named(composed, tmp_path, monkeypatch):
    from gan_lab.losses import NonSaturating

    calls = []
    original = NonSaturating.generator

    def generator(self, real, fake):
        calls.append(1)
        return original(self, real, fake) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(NonSaturating, "generator", generator)
    with pytest.raises(Diverged, match=r"diverged at iteration 4: (loss/generator|grad_norm/generator) is nan"):
        train_in(tmp_path / "run", composed(*SMALL, "iterations=20", "checkpoint.every=2", "log_every=10"))
    folder = RunFolder(tmp_path / "run")
    assert folder.last_checkpoint.resolve().name == "iteration_0000002.ckpt"


def test_curves_are_means_over_all_iterations_since_the_point_before(composed, tmp_path):
    every = train_in(tmp_path / "every", composed(*SMALL, "iterations=6", "log_every=1"))
    third = train_in(tmp_path / "third", composed(*SMALL, "iterations=6", "log_every=3"))

    def values(folder):
        rows = [line.split(",") for line in folder.metrics_file.read_text().splitlines()]
        return {int(row[0]): float(row[2]) for row in rows if row[1] == "loss/generator"}

    single = values(every)
    assert values(third) == pytest.approx(
        {3: sum(single[i] for i in (1, 2, 3)) / 3, 6: sum(single[i] for i in (4, 5, 6)) / 3}
    )


def test_neither_player_takes_gradients_in_the_others_update(composed, tmp_path, monkeypatch):
    from gan_lab.adversary import AdversarialModule

    seen = []

    def spy(self, optimizer):
        seen.append(
            {name for name in self.updates if any(p.grad is not None for p in getattr(self, name).parameters())}
        )

    monkeypatch.setattr(AdversarialModule, "on_before_optimizer_step", spy)
    train_in(tmp_path / "run", composed(*SMALL, "n_critic=2", "iterations=1"))
    assert seen == [{"discriminator"}, {"discriminator"}, {"generator"}]


def test_curves_tags(composed, tmp_path):
    folder = train_in(tmp_path / "run", composed(*SMALL, "loss=wgan_gp", "iterations=2"))
    tags = set(EventAccumulator(str(folder.path)).Reload().Tags()["scalars"])
    assert tags >= {
        "loss/discriminator",
        "loss/generator",
        "loss/gradient_penalty",
        "logits/real",
        "logits/fake",
        "grad_norm/discriminator",
        "grad_norm/generator",
        "metric/fd",
        "time/iterations_per_second",
    }
    assert "samples" in EventAccumulator(str(folder.path)).Reload().Tags()["images"]


def test_a_lazy_penalty_comes_every_so_often_with_as_many_times_its_weight(composed, tmp_path):
    overrides = [
        "loss=wgan",
        "constraint=none",
        "penalty=r1",
        "loss.penalties.r1.every=3",
        "loss.penalties.r1.weight=2",
    ]
    overrides += ["n_critic=1", "iterations=7", "log_every=1"]
    folder = train_in(tmp_path / "run", composed(*SMALL, *overrides))
    rows: dict[int, dict[str, float]] = {}
    for line in folder.metrics_file.read_text().splitlines()[1:]:
        iteration, name, value = line.split(",")
        rows.setdefault(int(iteration), {})[name] = float(value)
    assert [i for i, row in rows.items() if "loss/r1" in row] == [1, 4, 7]
    for row in rows.values():
        objective = row["logits/fake"] - row["logits/real"]
        assert row["loss/discriminator"] == pytest.approx(objective + 2 * 3 * row.get("loss/r1", 0), rel=1e-4, abs=1e-6)


def test_spectral_norm_holds_in_training(composed, tmp_path):
    state = weights_of(train_in(tmp_path / "run", composed(*SMALL, "loss=sngan", "iterations=3")))
    normed = [
        key for key in state if key.startswith("discriminator") and key.endswith("parametrizations.weight.original")
    ]
    assert len(normed) == 2


FITS = [("mlp", "ring8"), ("mlp", "digits"), ("dcgan", "digits")]


@pytest.mark.parametrize("loss", options("loss"))
@pytest.mark.parametrize("fit", FITS, ids="-".join)
def test_fifty_iterations_of_every_recipe_on_every_model_move_all_weights(composed, tmp_path, loss, fit):
    """Finite losses are what a run ends without: `Curves` looks at every value of every iteration."""
    model, dataset = fit
    small = {"mlp": ["model.generator.hidden=[32,32]", "model.discriminator.hidden=[32,32]"]}
    small["dcgan"] = ["model.generator.channels=8", "model.discriminator.channels=8"]
    overrides = [f"dataset={dataset}", f"model={model}", f"loss={loss}", *small[model], "trainer=cpu", "iterations=50"]
    config = composed(
        *overrides, "batch_size=16", "evaluation.samples=100", "pictures.samples=4", "dataset.max_samples=500"
    )
    start = build_module(config, (2,) if dataset == "ring8" else (1, 8, 8)).state_dict()
    end = weights_of(train_in(tmp_path / "run", config))
    assert start.keys() == end.keys()
    # a shift of all logits changes no relativistic loss: the critic's bias is free of gradient there
    still = [key for key in start if key.endswith(("weight", "original")) and torch.equal(start[key], end[key])]
    assert still == []


def test_the_relativistic_generator_compares_fake_with_real_samples(composed, tmp_path, monkeypatch):
    """In G's update D is what it is after the run's only D update: its logits can be had again from the checkpoint."""
    from gan_lab.datasets import BatchStream, digits
    from gan_lab.losses import Relativistic

    seen = []
    original = Relativistic.generator

    def spy(self, real, fake):
        seen.append((real.detach().clone(), fake.detach().clone()))
        return original(self, real, fake)

    monkeypatch.setattr(Relativistic, "generator", spy)
    config = composed(*SMALL, "loss=rsgan", "iterations=1")
    state = weights_of(train_in(tmp_path / "run", config))
    module = build_module(config, (1, 8, 8))
    prefix = "discriminator."
    module.discriminator.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    (batch,) = BatchStream(digits().train, 8, 1, config.seed)
    module.on_fit_start()
    module.draw_latents(8)  # D's
    with torch.no_grad():
        assert torch.allclose(seen[0][0], module.discriminator(batch), atol=1e-6)
        assert torch.allclose(seen[0][1], module.discriminator(module.generator(module.draw_latents(8))), atol=1e-6)


def test_latents_leave_the_global_generator_alone(composed):
    module = module_after_start(composed)
    module.on_fit_start()
    before = torch.random.get_rng_state()
    module.draw_latents(5)
    assert torch.equal(before, torch.random.get_rng_state())


def test_best_is_kept_beside_final_and_the_floor_is_real_against_real(composed, tmp_path):
    folder = train_in(tmp_path / "run", composed(*SMALL, "dataset=ring8", "iterations=12", "evaluation.every=2"))
    result = folder.result()
    curves: dict[str, dict[int, float]] = {}
    for line in folder.metrics_file.read_text().splitlines()[1:]:
        iteration, name, value = line.split(",")
        curves.setdefault(name, {})[int(iteration)] = float(value)
    for name, better in (("fd", min), ("reverse_kl", min), ("modes", max), ("high_quality", max)):
        curve = curves[f"metric/{name}"]
        assert list(curve) == [2, 4, 6, 8, 10, 12]
        assert result["metrics"][name] == curve[12]
        best = better(curve.values())
        assert result["best"][name] == {"value": best, "iteration": next(i for i in curve if curve[i] == best)}
    from gan_lab.datasets import ring
    from gan_lab.metrics import Gaussian, frechet_distance

    data = ring()
    expected = frechet_distance(Gaussian.fit(data.train[:100]), Gaussian.fit(data.test[:100]))
    assert result["floor"]["fd"] == pytest.approx(expected, rel=1e-9)


def test_hyperparameters_are_entered_with_the_final_metrics(composed, tmp_path):
    folder = train_in(tmp_path / "run", composed(*SMALL, "iterations=2", "seed=7"))
    events = EventAccumulator(str(folder.path)).Reload()
    entry = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"some_loss" in entry
    assert b"seed" in entry
    assert "_hparams_/session_end_info" in events.summary_metadata


def test_training_seconds_leave_out_evaluation(composed, tmp_path, monkeypatch):
    """A clock that moves by itself only inside evaluation shows none of it."""
    from gan_lab.callbacks import stopwatch
    from gan_lab.metrics import Evaluator

    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now.__setitem__(0, now[0] + 1e-6) or now[0])
    original = Evaluator.evaluate

    def slow(self, generator):
        now[0] += 1000
        return original(self, generator)

    monkeypatch.setattr(Evaluator, "evaluate", slow)
    result = train_in(tmp_path / "run", composed(*SMALL, "iterations=4", "evaluation.every=1")).result()
    assert 0 < result["budget"]["train_seconds"] < 1


@pytest.mark.parametrize("rate", [1e30, 1e20])
def test_a_generator_that_explodes_has_diverged(composed, tmp_path, rate):
    config = composed(*SMALL, "dataset=ring8", "model=mlp", "iterations=30", "evaluation.every=1")
    config.optimizer.generator = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": rate}
    with pytest.raises(Diverged):
        train_in(tmp_path / "run", config)
    assert RunFolder(tmp_path / "run").status()["state"] == "diverged"


def test_threads_are_those_of_the_run_alone(composed, tmp_path):
    before = torch.get_num_threads()
    result = train_in(tmp_path / "run", composed(*SMALL, "iterations=1", f"threads={before + 1}")).result()
    assert result["environment"]["threads"] == before + 1
    assert torch.get_num_threads() == before
