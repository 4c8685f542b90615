"""What a run records of itself, and how one ends that is no longer finite."""

import math
import re
from importlib.metadata import version

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from training_runs import NAMES, SMALL, train_in, weights_of

from gan_lab.algorithms.gan import GAN
from gan_lab.config.checks import check
from gan_lab.errors import ConfigError, Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.runs.status import recorded
from gan_lab.training.run import execute


def test_divergence_ends_the_run_at_its_iteration_with_the_last_finite_checkpoint(composed, tmp_path):
    config = composed(
        *SMALL, "loss=lsgan", "iterations=400", "checkpoint.every=1", "log_every=50", "evaluation.every=400"
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
    assert folder.last_checkpoint.resolve().name == f"iteration_{error.value.iteration - 1:07d}.ckpt"
    assert all(value.isfinite().all() for value in weights_of(folder).values())


def test_the_first_value_that_is_not_finite_is_named(composed, tmp_path, monkeypatch):
    from gan_lab.losses import NonSaturating

    calls = []
    original = NonSaturating.generator

    def generator(self, real, fake):
        if fake.is_leaf:  # before training the objective is tried with logits of no network
            return original(self, real, fake)
        calls.append(1)
        return original(self, real, fake) * (float("nan") if len(calls) == 4 else 1.0)

    monkeypatch.setattr(NonSaturating, "generator", generator)
    with pytest.raises(Diverged, match=r"diverged at iteration 4: (loss/generator|grad_norm/generator) is nan"):
        train_in(tmp_path / "run", composed(*SMALL, "iterations=20", "checkpoint.every=2", "log_every=10"))
    folder = RunFolder(tmp_path / "run")
    assert folder.last_checkpoint.resolve().name == "iteration_0000002.ckpt"


@pytest.mark.parametrize("rate", [1e30, 1e20])
def test_a_generator_that_explodes_has_diverged(composed, tmp_path, rate):
    config = composed(*SMALL, "dataset=ring8", "model=mlp", "iterations=30", "evaluation.every=1")
    config.optimizer.generator = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": rate}
    with pytest.raises(Diverged):
        train_in(tmp_path / "run", config)
    assert RunFolder(tmp_path / "run").status()["state"] == "diverged"


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


def test_what_is_told_of_logits(composed, tmp_path, monkeypatch):
    """Means, and how many of the pairs (1, 1), (2, 3), (6, 2) have the higher logit on the real side, ties half."""
    original = GAN.iterate

    def iterate(self, batch):
        return original(self, batch) | {
            "logits/real": torch.tensor([1.0, 2, 6]),
            "logits/fake": torch.tensor([1.0, 3, 2]),
        }

    monkeypatch.setattr(GAN, "iterate", iterate)
    curves = train_in(tmp_path / "run", composed(*SMALL, "iterations=4", "log_every=2")).curves()
    names = ("logits/real", "logits/fake", "logits/gap", "accuracy/discriminator")
    assert [curves[name] for name in names] == [{2: v, 4: v} for v in (3, 2, 1, 0.5)]


def test_an_update_that_was_skipped_has_no_accuracy(composed, tmp_path, monkeypatch):
    original = GAN.iterate
    real = iter([torch.tensor([2.0, 2.0]), torch.tensor([math.nan, 2.0])] * 2)

    def iterate(self, batch):
        return original(self, batch) | {"logits/real": next(real), "logits/fake": torch.tensor([1.0, 1.0])}

    monkeypatch.setattr(GAN, "iterate", iterate)
    config = composed(*SMALL, "iterations=4", "log_every=2", "on_divergence=skip_update")
    assert train_in(tmp_path / "run", config).curves()["accuracy/discriminator"] == {2: 1.0, 4: 1.0}


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
        "metric/fd_classifier",
        "signal/diversity",
        "signal/duplicates",
        "signal/realistic",
        "logits/gap",
        "accuracy/discriminator",
        "weight_norm/discriminator",
        "weight_norm/generator",
        "time/train_seconds",
        "time/iterations_per_second",
    }
    assert "samples" in EventAccumulator(str(folder.path)).Reload().Tags()["images"]


def test_best_is_kept_beside_final_and_the_floor_is_real_against_real(composed, tmp_path):
    folder = train_in(tmp_path / "run", composed(*SMALL, "dataset=ring8", "iterations=12", "evaluation.every=2"))
    result = folder.result()
    curves: dict[str, dict[int, float]] = {}
    for line in folder.metrics_file.read_text().splitlines()[1:]:
        iteration, name, value = line.split(",")
        curves.setdefault(name, {})[int(iteration)] = float(value)
    for name, better in (("fd_points", min), ("reverse_kl", min), ("modes", max), ("high_quality", max)):
        curve = curves[f"metric/{name}"]
        assert list(curve) == [2, 4, 6, 8, 10, 12]
        assert result["metrics"][name] == curve[12]
        best = better(curve.values())
        assert result["best"][name] == {"value": best, "iteration": next(i for i in curve if curve[i] == best)}
    from gan_lab.datasets import ring
    from gan_lab.metrics import Moments, RealSets, frechet_distance

    real = RealSets.of(ring(), 100, learns=False)
    expected = frechet_distance(Moments.of(real.others), Moments.of(real.reference))
    assert result["floor"]["fd_points"] == pytest.approx(expected, rel=1e-9)


def test_hyperparameters_are_entered_with_the_final_metrics(composed, tmp_path):
    folder = train_in(tmp_path / "run", composed(*SMALL, "iterations=2", "seed=7"))
    events = EventAccumulator(str(folder.path)).Reload()
    entry = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"some_loss" in entry
    assert b"seed" in entry
    assert "_hparams_/session_end_info" in events.summary_metadata


def test_tensorboard_has_the_swept_keys_and_charts_by_group(composed, tmp_path):
    overrides = ["loss=lsgan", "penalty=r1", "loss.penalties.r1.weight=0.125"]
    config = composed(*SMALL, *overrides, "iterations=2")
    folder = RunFolder(tmp_path / "run")
    folder.create()
    (folder.path / ".hydra").mkdir()
    (folder.path / ".hydra" / "overrides.yaml").write_text("".join(f"- {word}\n" for word in overrides))
    execute(RunRequest(check(config), folder, NAMES))
    events = EventAccumulator(str(folder.path)).Reload()
    entry = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"loss.penalties.r1.weight" in entry
    layout = layout_pb2.Layout.FromString(events.Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0])
    charts = {chart.title: list(chart.multiline.tag) for chart in layout.category[0].chart}
    tags = [*folder.curves(), "metric/modes", "metric/kid_pixels", "metric/reverse_kl", "metric/own", "metric/fid"]
    on = {tag: [title for title, (pattern,) in charts.items() if re.match(pattern, tag)] for tag in tags}
    assert all(len(titles) == 1 for tag, titles in on.items() if not tag.startswith("skipped/")), on
    assert on["metric/modes"] == ["modes and classes reached"]
    assert on["loss/generator"] == ["losses"]
    assert on["loss/r1"] == ["penalties and terms"]
    assert on["metric/own"] == ["other metrics"]


def test_training_seconds_leave_out_evaluation(composed, tmp_path, monkeypatch):
    """A clock that moves by itself only inside evaluation shows none of it."""
    from gan_lab.callbacks import clock
    from gan_lab.metrics import Evaluator

    now = [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now.__setitem__(0, now[0] + 1e-6) or now[0])
    original = Evaluator.evaluate

    def slow(self, generator, encoder=None):
        now[0] += 1000
        return original(self, generator)

    monkeypatch.setattr(Evaluator, "evaluate", slow)
    result = train_in(tmp_path / "run", composed(*SMALL, "iterations=4", "evaluation.every=1")).result()
    assert 0 < result["budget"]["train_seconds"] < 1


def test_of_two_that_begin_at_once_one_begins(composed, tmp_path):
    """The second one may have looked before the first one's first record, and get the lock after its last."""
    config = composed(*SMALL, "iterations=2")
    folder = train_in(tmp_path / "run", config)
    before = folder.metrics_file.read_bytes(), folder.status_file.read_bytes()
    with pytest.raises(ConfigError, match="run: the folder already holds a run; give every"), recorded(folder, config):
        pytest.fail("it began")
    assert (folder.metrics_file.read_bytes(), folder.status_file.read_bytes()) == before


def test_the_environment_is_that_of_the_run_alone(composed, tmp_path):
    before = torch.get_num_threads()
    result = train_in(tmp_path / "run", composed(*SMALL, "iterations=1", f"threads={before + 1}")).result()
    assert result["environment"]["threads"] == before + 1
    assert result["environment"]["gan_lab"] == version("gan-loss-lab")
    assert re.fullmatch(r"[0-9a-f]{16}", result["environment"]["source"])
    assert torch.get_num_threads() == before


def test_the_bar_fits_into_80_columns():
    from tqdm import tqdm

    from gan_lab.callbacks import progress

    title = "fashion_mnist ragan_attention"[: progress._LONGEST]
    postfix = "D=0.693 G=0.711"
    bar = tqdm.format_meter(
        1125, 2500, 5.3, ncols=80, prefix=title, unit="it", bar_format=progress._FORMAT, postfix=postfix
    )
    assert len(bar) <= 80
    assert bar.endswith(postfix)
