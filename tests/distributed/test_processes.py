"""Processes that share every batch train as one process does."""

import json
import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
from command_runs import forked, refusal
from training_runs import checkpoint, train_in, weights_of

from gan_lab.cli.assistant import assist_the_first
from gan_lab.cli.command_line import CommandLine
from gan_lab.cli.train import main
from gan_lab.distributed.batchnorm import GlobalBatchNorm, over_all_processes
from gan_lab.errors import ConfigError, Diverged
from gan_lab.runs.folder import RunFolder

TINY = [
    "dataset=ring8",
    "model.generator.hidden=[16,16]",
    "model.discriminator.hidden=[16,16]",
    "batch_size=16",
    "evaluation.samples=101",
    "evaluation.every=5",
    "pictures.samples=4",
    "trainer=cpu",
    "trainer.precision=64-true",
    "iterations=10",
    "log_every=3",
]


def plain(config, lr=0.05):
    """Gradient descent, which hides no difference of scale."""
    for player in ("generator", "discriminator"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": lr}
    return config


def largest_difference(one, two) -> float:
    first, second = weights_of(one), weights_of(two)
    assert first.keys() == second.keys()
    return max((first[key] - second[key]).abs().max().item() for key in first)


CASES = {
    "non_saturating": [],
    "wgan_gp": ["loss.penalties.gradient_penalty.weight=0.1"],
    "dragan": ["loss.penalties.dragan.weight=0.1", "model.packing=2"],
    "rasgan": ["n_critic=2", "clip_grad.discriminator=0.1", "ema_decay=0.9"],
    "ralsgan": ["model.generator.norm=batch", "on_divergence=skip_update"],
    "hinge": ["conditional=projection", "penalty=r1", "loss.penalties.r1.weight=0.1"],
    "r3gan": ["loss.penalties.r1.weight=0.1", "loss.penalties.r2.weight=0.1", "micro_batch=4"],
}


@pytest.mark.parametrize("loss", CASES)
def test_weights_curves_and_metrics_are_those_of_one_process(composed, tmp_path, loss):
    overrides = [*TINY, "checkpoint.every=5", f"loss={loss}", *CASES[loss]]
    one = train_in(tmp_path / "one", plain(composed(*overrides)))
    two = train_in(tmp_path / "two", plain(composed(*overrides, "trainer.devices=2")))
    assert largest_difference(one, two) < 1e-12
    halfway = torch.load(one.checkpoints / "iteration_0000005.ckpt", weights_only=True)["state_dict"]
    assert max((halfway[key] - value).abs().max() for key, value in weights_of(two).items()) > 1e-3
    curves = [folder.curves() for folder in (one, two)]
    assert curves[0].keys() == curves[1].keys()
    for name, curve in curves[0].items():
        assert curves[1][name] == pytest.approx(curve, rel=1e-5, abs=1e-6), name
    assert two.result()["budget"]["real_images"] == one.result()["budget"]["real_images"]
    assert two.result()["metrics"] == pytest.approx(one.result()["metrics"], abs=1e-9)
    assert sorted(file.name for file in two.samples.iterdir()) == sorted(file.name for file in one.samples.iterdir())


def test_pix2pix_is_that_of_one_process(composed, tmp_path):
    """Without dropout, whose masks each process draws itself. BatchNorm and feature matching see the whole batch."""
    overrides = [
        "dataset=digits_edges",
        "model=unet",
        "model.generator.channels=2",
        "model.generator.dropout=0",
        "model.discriminator.channels=2",
        "loss=rsgan",
        "term=[l1,feature_matching]",
        "batch_size=4",
        "iterations=3",
        "evaluation/extractor=pixels",
        "evaluation.samples=20",
        "evaluation.metrics=[fd]",
        "pictures.samples=4",
        "trainer=cpu",
        "trainer.precision=64-true",
    ]
    one = train_in(tmp_path / "one", plain(composed(*overrides)))
    two = train_in(tmp_path / "two", plain(composed(*overrides, "trainer.devices=2")))
    assert largest_difference(one, two) < 1e-12
    start = train_in(tmp_path / "start", plain(composed(*overrides, "iterations=1")))
    assert largest_difference(start, two) > 1e-3
    assert two.result()["metrics"] == pytest.approx(one.result()["metrics"], abs=1e-9)


def test_bfloat16_comes_near_one_process(composed, tmp_path):
    """With BatchNorm: what differs is how bfloat16 rounds the halves of a batch, which 4 iterations let grow."""
    overrides = [
        "model.generator.channels=4",
        "model.discriminator.channels=4",
        "batch_size=16",
        "evaluation/extractor=pixels",
        "evaluation.samples=100",
        "evaluation.kid_subset_size=50",
        "pictures.samples=4",
        "trainer=cpu",
        "trainer.precision=bf16-mixed",
        "iterations=4",
    ]
    one = train_in(tmp_path / "one", plain(composed(*overrides)))
    two = train_in(tmp_path / "two", plain(composed(*overrides, "trainer.devices=2")))
    for name in ("loss/discriminator", "loss/generator", "logits/real", "grad_norm/discriminator"):
        assert two.curves()[name][4] == pytest.approx(one.curves()[name][4], rel=0.15), name
    statistics = [key for key in weights_of(one) if "running_" in key]
    assert len(statistics) == 4
    for key in statistics:
        assert torch.allclose(weights_of(two)[key], weights_of(one)[key], rtol=1e-2, atol=1e-4), key


def test_a_run_goes_on_in_as_many_processes_or_in_one(composed, tmp_path):
    overrides = [*TINY, "loss=wgan_gp", "checkpoint.every=4", "trainer.devices=2"]
    whole = train_in(tmp_path / "whole", plain(composed(*overrides)))
    part = train_in(tmp_path / "part", plain(composed(*overrides, "iterations=6")))
    shutil.copytree(part.path, tmp_path / "alone", symlinks=True)
    train_in(part.path, plain(composed(*overrides)), resume=True)
    assert largest_difference(whole, part) == 0
    assert checkpoint(part)["global_step"] == 10
    alone = train_in(tmp_path / "alone", plain(composed(*overrides, "trainer.devices=1")), resume=True)
    assert largest_difference(whole, alone) < 1e-12
    assert checkpoint(alone)["global_step"] == 10


def test_divergence_is_everybodys(composed, tmp_path):
    with pytest.raises(Diverged):
        train_in(tmp_path / "run", plain(composed(*TINY, "loss=lsgan", "trainer.devices=2"), lr=1e9))
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "diverged"


ODD = """
import multiprocessing
import os
import signal
import torch
import torch.distributed as dist
from gan_lab.models import MLPGenerator

class IsKilled(MLPGenerator):
    def forward(self, latents):
        if not self.training and dist.is_initialized() and dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(latents)

class Dies(MLPGenerator):
    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        if multiprocessing.parent_process() is not None:
            os._exit(3)

class OddInOne(MLPGenerator):
    def forward(self, latents):
        samples = super().forward(latents)
        alone = not self.training and dist.is_initialized() and dist.get_rank() == 1
        return samples * float("nan") if alone else samples
"""


@pytest.fixture
def odd(tmp_path, monkeypatch, composed):
    """A configuration for two processes, with one of the generators above."""
    (tmp_path / "odd.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)

    def with_generator(name):
        return composed(*TINY, "trainer.devices=2", "allowed_targets=[odd]", f"model.generator._target_=odd.{name}")

    return with_generator


def test_an_assistant_that_dies_before_they_have_met_ends_the_run(tmp_path, odd):
    with pytest.raises(RuntimeError, match="process 1 of the run ended with exit status 3"):
        train_in(tmp_path / "run", odd("Dies"))
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "failed"


def test_an_assistant_that_is_killed_is_told_of_in_a_sentence_and_leaves_nothing(tmp_path, odd, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    before = os.environ.copy()
    with pytest.raises(
        ConfigError, match=r"^process 1 of the run was ended by SIGKILL, .*; resume= goes on with the run$"
    ):
        train_in(tmp_path / "run", odd("IsKilled"))
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "failed"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert os.environ.copy() == before


def test_samples_that_one_process_alone_finds_odd_are_everybodys(tmp_path, odd):
    with pytest.raises(Diverged, match="diverged at iteration 5: a generated sample is nan"):
        train_in(tmp_path / "run", odd("OddInOne"))
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "diverged"


def test_batchnorm_over_one_process_is_batchnorm():
    """In training and in evaluation, gradients and running statistics included."""
    torch.manual_seed(0)
    samples = torch.randn(6, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    ours = over_all_processes(torch.nn.Sequential(torch.nn.BatchNorm2d(3))).double()
    theirs = torch.nn.Sequential(torch.nn.BatchNorm2d(3)).double()
    assert isinstance(ours[0], GlobalBatchNorm)
    weights = torch.randn(3, 4, 4, dtype=torch.float64)
    for _ in range(3):
        results = [network(samples) for network in (ours, theirs)]
        assert torch.allclose(*results, atol=1e-12)
        gradients = [torch.autograd.grad((result * weights).sum(), samples)[0] for result in results]
        assert torch.allclose(*gradients, atol=1e-12)
    for key, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[key], value, atol=1e-12), key
    assert torch.allclose(ours.eval()(samples), theirs.eval()(samples), atol=1e-12)


def test_batchnorm_takes_statistics_of_bfloat16_in_float32():
    """As F.batch_norm does: the same result up to one rounding, 2⁻⁸, in the input's type, and the same statistics."""
    torch.manual_seed(0)
    samples = 5 + torch.randn(64, 3, 4, 4)  # a variance of 1 at a mean of 5 is lost in bfloat16's sums
    ours = over_all_processes(torch.nn.Sequential(torch.nn.BatchNorm2d(3)))
    theirs = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    results = [network(samples.bfloat16()) for network in (ours, theirs)]
    assert results[0].dtype == results[1].dtype == torch.bfloat16
    assert torch.allclose(*results, rtol=2**-7, atol=2**-8)
    for key, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[key], value, rtol=1e-5), key


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize(
    "environment",
    [{"RANK": "0", "WORLD_SIZE": "3"}, {"SLURM_PROCID": "0", "SLURM_NTASKS": "3"}],
    ids=["torchrun", "srun"],
)
def test_as_many_processes_as_were_asked_for(monkeypatch, tmp_path, environment, devices):
    """Fewer would train the whole run in each of them, more would wait for the rest."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    words = [*TINY, f"trainer.devices={devices}", "hydra.run.dir=run"]
    assert refusal(monkeypatch, tmp_path, main, "gan-lab", *words) == (
        f"gan-lab: trainer.devices={devices}, trainer.num_nodes=1: expected 3 as their product, the number of "
        "processes that srun or torchrun has started"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("accelerator", "devices"), [("auto", [1]), ("gpu", [1]), ("cpu", [])])
@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"},
        {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NTASKS": "4"},
    ],
    ids=["torchrun", "srun"],
)
def test_an_assistant_builds_on_its_own_gpu_if_on_any(monkeypatch, accelerator, devices, environment):
    chosen, at_building = [], []
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr("gan_lab.training.run.assist", lambda *_: at_building.extend(chosen))
    assist_the_first(CommandLine.parse(["dataset=ring8", f"trainer.accelerator={accelerator}", "hydra.run.dir=x"]))
    assert at_building == chosen == devices


def test_three_processes_with_unequal_parts_of_the_evaluation(composed, tmp_path):
    overrides = [*TINY, "batch_size=15", "loss=rasgan_gp"]
    one = train_in(tmp_path / "one", plain(composed(*overrides)))
    three = train_in(tmp_path / "three", plain(composed(*overrides, "trainer.devices=3")))
    assert largest_difference(one, three) < 1e-12
    assert three.result()["metrics"] == pytest.approx(one.result()["metrics"], abs=1e-9)


def test_curves_do_not_depend_on_when_they_were_looked_at(composed, tmp_path):
    """Of three processes: a sum of two is the same in any order."""
    overrides = [*TINY, "trainer.precision=32-true", "batch_size=15", "loss=rasgan", "trainer.devices=3"]
    rare, often = (
        train_in(tmp_path / every, composed(*overrides, f"checkpoint.every={every}")) for every in ("1000", "1")
    )
    assert rare.metrics_file.read_text() == often.metrics_file.read_text()


@pytest.mark.long
def test_processes_that_torchrun_has_started(composed, tmp_path):
    """With its environment, less the agent that would start them again."""
    words = [*TINY, "trainer.devices=2", "threads=1", f"hydra.run.dir={tmp_path}/two"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    common |= {"LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "some"}
    folder = tmp_path / "work"
    folder.mkdir()
    processes = [forked(folder, *words, RANK=rank, LOCAL_RANK=rank, **common) for rank in ("0", "1")]
    for process in processes:
        process.join(200)
    assert [process.exitcode for process in processes] == [0, 0]
    one = train_in(tmp_path / "one", composed(*TINY))
    assert largest_difference(one, RunFolder(tmp_path / "two")) < 1e-12
    assert not any(folder.iterdir())


def test_a_sweep_of_runs_in_two_processes(warm_gan_lab, tmp_path):
    done = warm_gan_lab("-m", *TINY, "trainer.devices=2", "threads=1", "seed=5", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 done" in done.stdout
    assert RunFolder(tmp_path / "sweep" / "seed=5").result()["budget"]["real_images"] == 10 * 16


@pytest.mark.long
def test_a_signal_ends_all_processes_at_a_checkpoint(tmp_path):
    words = [*TINY, "trainer.devices=2", "threads=1", "iterations=100000", f"hydra.run.dir={tmp_path}/run"]
    run = forked(tmp_path, *words)
    metrics: Path = tmp_path / "run" / "metrics.csv"
    while not (metrics.exists() and len(metrics.read_text().splitlines()) > 30):
        assert run.is_alive()
        time.sleep(0.2)
    os.kill(run.pid, signal.SIGTERM)
    run.join(60)
    assert run.exitcode == 143
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert status["state"] == "interrupted"
    saved = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == status["iteration"] > 0
