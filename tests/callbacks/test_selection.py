"""The best weights and the end of a training, selected on samples that neither train nor report."""

import pytest
import torch
from configurations import composed_of
from omegaconf import OmegaConf
from training_runs import SMALL, checkpoint, differences, killed, train_in, unequal

from gan_lab.callbacks import Evaluation
from gan_lab.config.checks import check
from gan_lab.datasets import digits, ring
from gan_lab.errors import ConfigError
from gan_lab.metrics import RandomConv
from gan_lab.runs.checkpoints import load_checkpoint, load_generator
from gan_lab.runs.components import build_dataset
from gan_lab.runs.evaluate import evaluate_run
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.measuring import build_evaluator, check_selecting
from gan_lab.runs.request import RunRequest
from gan_lab.runs.resume import is_done
from gan_lab.runs.sample import sample
from gan_lab.runs.truncation_curve import truncation_curve
from gan_lab.training.selection import build_selection

RING = [
    *SMALL,
    "dataset=ring8",
    "model=mlp",
    "iterations=12",
    "evaluation.every=2",
    "log_every=4",
    "checkpoint.every=5",
]
BEST = [*RING, "checkpoint.best=fd_points"]


@pytest.mark.parametrize("make", [digits, ring])
def test_validation_samples_are_set_aside_from_those_to_train_on(make):
    whole = make(max_samples=400)
    split = make(max_samples=400).with_validation(0.1)
    assert (len(split.train), len(split.validation)) == (360, 40)
    assert torch.equal(split.test, whole.test)
    both = torch.cat([split.train, split.validation.samples]).flatten(1)
    order = lambda rows: rows[torch.unique(rows, dim=0, return_inverse=True)[1].argsort()]  # noqa: E731
    assert torch.equal(order(both), order(whole.train.flatten(1)))
    assert torch.equal(make(max_samples=400).with_validation(0.1).validation.samples, split.validation.samples)
    shares = [torch.bincount(labels) / len(labels) for labels in (split.validation.labels, whole.train_labels)]
    assert (shares[0] - shares[1]).abs().max() < 0.026  # each class alike, to a sample of 40
    checksums = {whole.checksum, split.checksum, split.to_select_by().checksum, whole.with_validation(0.2).checksum}
    assert len(checksums) == 4
    assert make(max_samples=300).with_validation(0.1).to_select_by().checksum not in checksums
    assert split.to_select_by().test is split.validation.samples


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = composed_of(*BEST, "checkpoint.keep=100", "checkpoint.every=2")
    folder = train_in(tmp_path_factory.mktemp("best") / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    return folder


def test_the_best_weights_are_those_of_their_iteration_to_the_bit(run):
    curve = run.curves()["validation/fd_points"]
    assert list(curve) == [2, 4, 6, 8, 10, 12]
    at = min(curve, key=curve.__getitem__)
    selected = run.result()["selected"]
    assert (selected["iteration"], selected["value"]) == (at, curve[at])
    assert selected["metrics"]["fd_points"] == run.curves()["metric/fd_points"][at]
    best, then = load_checkpoint(run.checkpoints / "best.ckpt"), load_checkpoint(run.checkpoint(at))
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "updates", "noise", "global_step"):
        assert unequal(best[part], then[part]) == []
    weights = load_generator(run, "best").state_dict()
    assert unequal(weights, {name.removeprefix("generator."): weight for name, weight in best["state_dict"].items()
                             if name.startswith("generator.")}) == []  # fmt: skip


def test_the_best_weights_are_drawn_from_and_measured(run):
    measured = evaluate_run(run, "best", [])
    selected = run.result()["selected"]
    assert measured["metrics"] == selected["metrics"]
    assert measured["fingerprint"]["selected"] == "best fd_points on validation samples"
    best = sample(run, 5, weights="best").values
    assert torch.equal(best, sample(run, 5, weights="auto").values) == (selected["iteration"] == 12)


def test_selecting_changes_nothing_but_the_samples_trained_on(run):
    result = run.result()
    assert result["data"] == {**result["data"], "train": 90_000, "test": 10_000, "validation": 10_000}
    assert result["validation"]["metrics"].keys() == result["metrics"].keys()
    assert result["validation"]["metrics"] != result["metrics"]


def test_what_is_generated_to_select_by_is_not_what_is_reported(composed, tmp_path):
    """Some metrics, as reverse_kl, look at generated points alone: the same ones would select and report."""
    request = RunRequest(check(composed(*BEST)), RunFolder(tmp_path), {"protocol": "paper"})
    dataset = build_dataset(request.config)
    evaluation = Evaluation(build_evaluator(request.config, dataset), 2, None, None)
    selecting, reporting = build_selection(request, dataset, evaluation).evaluator, evaluation.evaluator
    assert len(selecting.request.latents) == len(reporting.request.latents) == 100
    assert not torch.isin(selecting.request.latents, reporting.request.latents).any()


def test_a_run_that_is_killed_selects_the_same(composed, tmp_path):
    """Its best weights may be of an iteration after the checkpoint from which it goes on."""
    config = composed(*BEST)
    calm = train_in(tmp_path / "calm", config)
    for at in (4, 7, 9, 11):
        with killed(at):
            train_in(tmp_path / "broken", config, resume=(tmp_path / "broken").exists())
    train_in(tmp_path / "broken", config, resume=True)
    assert differences(calm.path, tmp_path / "broken") == []


def test_a_training_that_gets_no_better_ends(composed, tmp_path):
    stop = [
        "stop_early.metric=fd_points",
        "stop_early.patience=2",
        "stop_early.minimum_change=1e9",
        "pictures.every=50",
    ]
    config = composed(*RING, *stop)
    folder = train_in(tmp_path / "run", config)
    result = folder.result()
    assert result["budget"]["iterations"] == 6  # no improvement at 4 and 6
    assert list(folder.curves()["loss/discriminator"]) == [4, 6]  # no multiple of log_every, but the last
    assert list(folder.curves()["weight_norm/generator"]) == [0, 4, 6]
    assert result["stopped_early"] == {
        "metric": "fd_points", "iteration": 6,
        "best": {"iteration": 2, "value": folder.curves()["validation/fd_points"][2]},
    }  # fmt: skip
    assert folder.status()["state"] == "done"
    assert checkpoint(folder)["global_step"] == 6
    assert (folder.samples / "final.png").is_file()
    assert is_done(folder, config)
    with killed(5):
        train_in(tmp_path / "broken", config)
    assert differences(folder.path, train_in(tmp_path / "broken", config, resume=True).path) == []


def test_equal_budgets_and_early_stopping_do_not_go_together(composed, tmp_path, caplog, monkeypatch):
    monkeypatch.setitem(train_in.__globals__["NAMES"], "protocol", "matched")
    train_in(tmp_path / "run", composed(*RING, "stop_early.metric=fd_points", "iterations=2"))
    assert "stop_early.metric=fd_points: with protocol=matched runs are to have equal budgets" in caplog.text


def test_a_game_with_an_encoder_selects_and_is_measured_with_the_encoder_of_the_best_weights(composed, tmp_path):
    channels = [f"model.{role}.channels=4" for role in ("generator", "discriminator", "encoder")]
    small = ["dataset=digits", "model=vae_gan", *channels, *SMALL[3:], "evaluation/extractor=pixels"]
    config = composed(*small, "iterations=2", "evaluation.every=1", "checkpoint.best=fd_pixels", "checkpoint.every=1")
    folder = train_in(tmp_path / "run", config)
    (folder.path / ".hydra").mkdir()
    OmegaConf.save(config, folder.path / ".hydra" / "config.yaml")
    curves = folder.curves()
    (folder.checkpoints / "best.ckpt").unlink()
    (folder.checkpoints / "best.ckpt").symlink_to("iteration_0000001.ckpt")
    measured = evaluate_run(folder, "best", [])["metrics"]
    assert measured == {name: curves[f"metric/{name}"][1] for name in measured}
    assert measured["reconstruction_ssim"] != curves["metric/reconstruction_ssim"][2]
    whole = truncation_curve(folder, "generator", [], [0.5])["metrics"]
    assert whole == {name: curves[f"metric/{name}"][2] for name in whole}


def test_what_was_best_by_another_measure_is_dropped(composed, tmp_path):
    config = composed(*BEST, "stop_early.metric=fd_points")
    with killed(5):
        train_in(tmp_path / "run", config)
    saved = load_checkpoint(RunFolder(tmp_path / "run").last_checkpoint)
    name = next(key for key in saved["callbacks"] if "Selection" in key)
    selected = {"metric": "fd_points", "iteration": 4, "value": -1.0, "metrics": {}}
    saved["callbacks"][name] |= {"fingerprint": {"extractor": "another"}, "selected": selected}
    torch.save(saved, RunFolder(tmp_path / "run").last_checkpoint)
    assert train_in(tmp_path / "run", config, resume=True).result()["selected"]["iteration"] > 5


class Heights(torch.nn.Flatten):
    """An extractor of a user's own, which metrics call after its class, whatever name it has."""

    name = "something"


class Named(RandomConv):
    """One that is named once it is made."""

    @property
    def name(self):
        return "mine"


def test_a_metric_of_another_extractor_is_refused_before_anything_is_measured(composed):
    config = composed("checkpoint.best=fd_heights", "stop_early.metric=fd_classifier")
    check_selecting(composed("checkpoint.best=fd_classifier", "stop_early.metric=class_kl"))
    with pytest.raises(ConfigError, match=r"^checkpoint.best=fd_heights: .* expected .* such as fd_classifier$"):
        check_selecting(config)
    config.allowed_targets = ["test_selection"]
    for own in ("Heights", "Named"):
        config.evaluation.extractor = {"_target_": f"test_selection.{own}"}
        check_selecting(config)
