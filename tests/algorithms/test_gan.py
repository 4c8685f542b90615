"""The algorithm: who is updated, how often, from what, and what of it is counted."""

from itertools import product

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import SMALL, checkpoint, train_in, weights_of

from gan_lab.training.build import build_module


@pytest.mark.parametrize(("n_critic", "n_generator"), list(product([1, 2, 5], [1, 2])))
def test_updates_are_counted_exactly_and_everything_counts_iterations(composed, tmp_path, n_critic, n_generator):
    overrides = [
        "iterations=7",
        f"n_critic={n_critic}",
        f"n_generator={n_generator}",
        "log_every=1",
        "checkpoint.every=3",
    ]
    folder = train_in(tmp_path / "run", composed(*SMALL, "optimizer=adam", *overrides))
    steps = [of_player["state"][0]["step"] for of_player in checkpoint(folder)["optimizer_states"]]  # counted by Adam
    assert steps == [7 * n_generator, 7 * n_critic]
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


def test_ema_is_the_recursion_on_the_generator(composed, tmp_path):
    """θ̄ ← decay·θ̄ + (1 − decay)·θ after each generator update, from the first update's weights."""
    folders = [train_in(tmp_path / str(n), composed(*SMALL, f"iterations={n}", "ema_decay=0.6")) for n in (1, 2)]
    first, second = (weights_of(folder) for folder in folders)
    key = "1.weight" if "generator.1.weight" in first else "0.weight"
    assert torch.equal(first[f"ema.{key}"], first[f"generator.{key}"])
    expected = 0.6 * first[f"generator.{key}"] + 0.4 * second[f"generator.{key}"]
    assert torch.allclose(second[f"ema.{key}"], expected, atol=1e-7)


def test_clipping_limits_the_step_of_its_network_alone(composed, tmp_path):
    """With SGD at rate 1 a step is as long as the gradient."""
    config = composed(*SMALL, "iterations=1", "clip_grad.generator=1e-3")
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


def test_the_learning_rate_follows_its_schedule_by_iterations(composed, tmp_path):
    overrides = ["iterations=8", "lr_schedule=linear", "lr_warmup=3", "n_critic=2"]
    states = checkpoint(train_in(tmp_path / "run", composed(*SMALL, *overrides)))["lr_schedulers"]
    assert [state["last_epoch"] for state in states] == [8, 8]
    assert [state["_last_lr"] for state in states] == [[0.0], [0.0]]


def test_steps_are_fused_and_convolutions_have_channels_last(composed):
    module = build_module(composed("dataset=digits", "model=dcgan", "optimizer=adam"), (1, 8, 8))
    optimizers, _ = module.configure_optimizers()
    assert all(optimizer.defaults["fused"] for optimizer in optimizers)
    weights = [weight for weight in module.parameters() if weight.ndim == 4 and min(weight.shape[:2]) > 1]
    assert len(weights) >= 2
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
@pytest.mark.parametrize("loss", ["rsgan", "wgan_gp"])
def test_precisions(composed, tmp_path, precision, loss):
    folder = train_in(
        tmp_path / "run", composed(*SMALL, f"loss={loss}", f"trainer.precision={precision}", "iterations=3")
    )
    dtype = torch.float64 if precision == "64-true" else torch.float32
    assert {value.dtype for value in weights_of(folder).values()} == {dtype}


def test_neither_player_takes_gradients_in_the_others_update(composed, tmp_path, monkeypatch):
    from gan_lab.algorithms import player

    seen, players = [], []
    original = player.Player.__init__

    def spy(gradients):
        seen.append({one.name for one in players if any(weight.grad is not None for weight in one.weights)})

    def init(self, *arguments):
        players.append(self)
        original(self, *arguments)

    monkeypatch.setattr(player, "average", spy)
    monkeypatch.setattr(player.Player, "__init__", init)
    train_in(tmp_path / "run", composed(*SMALL, "n_critic=2", "iterations=1"))
    assert seen == [{"discriminator"}, {"discriminator"}, {"generator"}]


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
    for i in range(1, 8):
        row = rows[i]
        objective = row["logits/fake"] - row["logits/real"]
        assert row["loss/discriminator"] == pytest.approx(objective + 2 * 3 * row.get("loss/r1", 0), rel=1e-4, abs=1e-6)


def test_spectral_norm_holds_in_training(composed, tmp_path):
    state = weights_of(train_in(tmp_path / "run", composed(*SMALL, "loss=sngan", "iterations=3")))
    normed = [
        key for key in state if key.startswith("discriminator") and key.endswith("parametrizations.weight.original")
    ]
    assert len(normed) == 2


FITS = [("mlp", "ring8"), ("dcgan", "digits")]


@pytest.mark.parametrize("loss", ["wgan", "rahinge", "ragan_attention"])
@pytest.mark.parametrize("fit", FITS, ids="-".join)
def test_ten_iterations_move_all_weights(composed, tmp_path, loss, fit):
    """Those of the recipes that may leave some where they are for three iterations: the others are in test_pairwise.py.

    Finite losses are what a run ends without: `Curves` looks at every value of every iteration.
    """
    model, dataset = fit
    small = {"mlp": ["model.generator.hidden=[32,32]", "model.discriminator.hidden=[32,32]"]}
    small["dcgan"] = ["model.generator.channels=8", "model.discriminator.channels=8"]
    overrides = [f"dataset={dataset}", f"model={model}", f"loss={loss}", *small[model], "trainer=cpu", "iterations=10"]
    config = composed(
        *overrides,
        "batch_size=16",
        "evaluation.samples=100",
        "evaluation.kid_subset_size=50",
        "evaluation.kid_subsets=5",
        "pictures.samples=4",
        "dataset.max_samples=500",
        *(["evaluation/extractor=pixels"] if dataset == "digits" else []),  # a classifier would have to be trained
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
    _, (of_real, of_fake) = seen  # the first call is the objective's trial
    module = build_module(config, (1, 8, 8))
    prefix = "discriminator."
    module.discriminator.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    data = digits()
    (batch,) = BatchStream(data.train, 8, 1, config.seed, purpose="generator_batches")  # not those that D has seen
    module.draw_latents(8)  # D's
    with torch.no_grad():
        assert torch.allclose(of_real, module.discriminator(batch.samples), atol=1e-6)
        assert torch.allclose(of_fake, module.discriminator(module.generator(module.draw_latents(8))), atol=1e-6)


@pytest.mark.parametrize(("loss", "looked"), [("rsgan", 5 * 8 * (2 + 3)), ("lsgan", 5 * 8 * 2)])
def test_real_samples_that_the_generator_looks_at_count(composed, tmp_path, loss, looked):
    config = composed(*SMALL, f"loss={loss}", "n_critic=2", "n_generator=3", "iterations=5")
    assert train_in(tmp_path / "run", config).result()["budget"]["real_images"] == looked
