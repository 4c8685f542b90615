"""``hydra/launcher=vectorized``: which runs are stacked, which are refused, and what a sweep leaves."""

import json

import pytest
import torch
from command_runs import refusal
from omegaconf import OmegaConf
from training_runs import weights_of

from gan_lab.cli.train import main
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.sweeps.stacks import stacks
from gan_lab.sweeps.worker import Job

LINE = ["gan-lab", "-m", "hydra/launcher=vectorized", "trainer=debug", "seed=0,1", "hydra.sweep.dir=sweep"]
OTHERS = "with hydra/launcher=vectorized, or another launcher"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dataset=digits"], "model.generator._target_=gan_lab.models.DCGANGenerator: it cannot be stacked; expected "),
        (["model.discriminator._target_=torch.nn.Linear"], "model.discriminator._target_=torch.nn.Linear: it cannot"),
        (["trainer.precision=bf16-mixed"], f"trainer.precision=bf16-mixed: it cannot be stacked; expected 32-true or "
         f"64-true {OTHERS}"),
        (["trainer.devices=2"], f"trainer.devices=2: it cannot be stacked; expected 1 {OTHERS}"),
        (["compile=true"], f"compile=true: it cannot be stacked; expected false or iteration {OTHERS}"),
        (["+trainer.detect_anomaly=true"], "trainer.detect_anomaly=true: it cannot be stacked; expected null or false"),
        (["conditional=auxiliary", "loss.penalties.classification.every=2", "dataset=digits", "loss=non_saturating",
          "model=mlp"], "loss.penalties.classification.every=2: it cannot be stacked; expected 1 "),
        (["conditional=auxiliary", "loss.penalties.classification.weight=0", "dataset=digits", "loss=non_saturating",
          "model=mlp"], "loss.penalties.classification.weight=0: it cannot be stacked; expected a number above 0 "),
        (["on_divergence=skip_update"], f"on_divergence=skip_update: it cannot be stacked; expected stop {OTHERS}"),
        (["checkpoint.minutes=1"], f"checkpoint.minutes=1.0: it cannot be stacked; expected null {OTHERS}"),
        (["callbacks=lr_monitor"], f"callbacks=lr_monitor: it cannot be stacked; expected none {OTHERS}"),
        (["penalty=[lecam]"], "loss.penalties.lecam._target_=gan_lab.losses.LeCam: it cannot be stacked; expected "),
        (["term=[feature_matching]"], "loss.terms.feature_matching._target_=gan_lab.losses.FeatureMatching: it cannot"),
        (["optimizer.generator._target_=torch.optim.Adagrad"], "optimizer.generator._target_=torch.optim.Adagrad: it "),
        (["loss=lsgan,hinge", "augmentation=none,ada"], "augmentation._target_=gan_lab.augmentations.ADA: it cannot"),
    ],
)  # fmt: skip
def test_what_cannot_be_stacked_is_refused_by_name(monkeypatch, tmp_path, words, sentence):
    dataset = [] if "dataset=digits" in words else ["dataset=ring8"]
    assert refusal(monkeypatch, tmp_path, main, *LINE, *dataset, *words).startswith(f"gan-lab: {sentence}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("saved", "start"),
    [(([100, 200, 300], [100, 200]), 200), (([200, 300], [300]), 300), (([100], [200]), None), (([], []), None)],
)
def test_a_stack_goes_on_from_the_newest_iteration_that_all_have_saved(tmp_path, saved, start):
    jobs = []
    for seed, iterations in enumerate(saved):
        folder = RunFolder(tmp_path / str(seed))
        folder.checkpoints.mkdir(parents=True)
        for iteration in iterations:
            folder.checkpoint(iteration).touch()
        jobs.append(Job(folder, None, RunRequest(OmegaConf.create({"seed": seed}), folder, {}), None))
    assert [[job.request.latest_start for job in stack] for stack in stacks(jobs)] == [[start] * 2]


def test_a_sweep_stacks_what_differs_in_the_seed_alone_and_goes_on_so(warm_gan_lab, tmp_path):
    """From the newest iteration that both saved: the process was killed after it had saved the second one alone."""
    words = ["dataset=ring8", "evaluation.samples=100", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]"]
    line = [*LINE[1:], *words, "loss=lsgan,wgan_gp"]
    done = warm_gan_lab(*line)
    assert done.returncode == 0, done.stderr
    results = [json.loads(file.read_text()) for file in sorted(tmp_path.glob("sweep/*/result.json"))]
    assert [(one["seed"], one["stacked"]) for one in results] == [(0, 2), (1, 2)] * 2
    assert json.loads((tmp_path / "sweep/sweep.json").read_text())["counts"] == {"done": 4}
    assert (tmp_path / "sweep/report/index.html").is_file()

    runs = [RunFolder(tmp_path / "sweep" / f"loss=lsgan,seed={seed}") for seed in (0, 1)]
    before = [(weights_of(run), run.metrics_file.read_bytes()) for run in runs]
    for run in runs:
        run.result_file.unlink()
        run.update_status(state="running", ended=None)
    runs[0].last_checkpoint.resolve().unlink()
    again = warm_gan_lab(*line)
    assert again.returncode == 0, again.stderr
    assert "2 runs, loss=lsgan,seed=0 first, train as one program" in again.stdout
    for run, (weights, curves) in zip(runs, before, strict=True):
        found = weights_of(run)
        assert all(torch.equal(found[name], value) for name, value in weights.items())
        assert run.metrics_file.read_bytes() == curves
        assert run.result()["stacked"] == 2
