"""gan-lab as a person uses it: in a process of its own and an empty folder."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from command_runs import ended, forked, printed, refusal
from PIL import Image

from gan_lab.cli.sample import main as sample_main
from gan_lab.cli.train import main as gan_lab_main
from gan_lab.runs.folder import RunFolder

TINY = ["trainer=debug", "evaluation.samples=100", "evaluation.kid_subset_size=50", "pictures.samples=9"]


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("arguments", [["--help"], ["--cfg", "job"], ["--info", "defaults"]])
def test_it_answers_without_importing_torch(arguments, tmp_path):
    """The time itself (below one second of CPU) is scripts' business; what costs it is torch."""
    program = textwrap.dedent(
        f"""
        import atexit, sys
        atexit.register(lambda: print("HEAVY", sorted({{"torch", "pytorch_lightning", "sklearn"}} & set(sys.modules))))
        sys.argv = ["gan-lab", *{arguments!r}]
        from gan_lab.cli.train import main
        main()
        """
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("HEAVY []")
    assert "iterations: 2500" in done.stdout or "dataset/digits" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_run_leaves_its_folder_complete_and_is_sampled_and_evaluated(gan_lab, tmp_path, monkeypatch):
    narrow = [f"model.{player}.channels=4" for player in ("generator", "discriminator")]
    done = gan_lab(*TINY, *narrow, "hydra.run.dir=run", "ema_decay=0.9")
    assert done.returncode == 0, done.stderr
    assert "tensorboard --logdir" in done.stdout
    assert "floor" in done.stdout
    names = files_in(tmp_path / "run")
    assert {name for name in names if not name.startswith("events.out.")} == {
        ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "gan-lab.log", "metrics.csv", "result.json",
        "status.json", "times.csv", "checkpoints/iteration_0000005.ckpt", "checkpoints/iteration_0000010.ckpt",
        "checkpoints/last.ckpt", ".lock", "samples/final.png", "samples/interpolations.png",
        "samples/iteration_0000005.png", "samples/iteration_0000010.png",
    }  # fmt: skip
    assert sum(name.startswith("events.out.") for name in names) == 1
    status, result = (json.loads((tmp_path / "run" / f"{name}.json").read_text()) for name in ("status", "result"))
    assert status.keys() == {"state", "config_hash", "iteration", "error", "started", "ended"}
    assert (status["state"], status["iteration"], status["error"]) == ("done", 10, None)
    assert result.keys() == {
        "schema", "config_hash", "loss", "model", "dataset", "protocol", "seed", "budget", "metrics", "best", "floor",
        "ceiling", "signals", "verdict", "fingerprint", "data", "skipped_updates", "evaluations",
        "environment",
    }  # fmt: skip
    assert result["config_hash"] == status["config_hash"]
    assert (result["loss"], result["model"], result["dataset"]) == ("nsgan_r1", "dcgan", "digits")
    assert result["floor"]["fd_classifier"] > 0
    assert result["fingerprint"]["ema"] is True
    header, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert header == "iteration,name,value"

    (row,) = (row for row in rows if row.startswith("10,metric/fd_classifier,"))
    assert float(row.split(",")[2]) == result["metrics"]["fd_classifier"]

    evaluated = gan_lab("run=run", module="cli.evaluate")
    assert json.loads(evaluated.stdout)["metrics"] == pytest.approx(result["metrics"], rel=1e-6)
    already, untrusted = evaluated.stderr.splitlines()
    assert already == "run: result.json has these metrics already"
    assert untrusted.startswith(
        "gan-lab: warning: precision_classifier, recall_classifier, density_classifier cannot be"
    )

    def sample(*arguments):
        assert ended(monkeypatch, tmp_path, sample_main, "gan-lab-sample", "run=run", *arguments) == 0

    sample("num=5", "out=grid.png")
    assert Image.open(tmp_path / "grid.png").size == (56, 38)  # 3 by 2 cells of 16 pixels, 2 between and around
    sample("num=3", "out=single", "weights=generator")
    assert sorted(path.name for path in (tmp_path / "single").iterdir()) == [f"00000{i}.png" for i in range(3)]
    sample("num=2", "interpolate=4", "out=path.npz")
    path = np.load(tmp_path / "path.npz")["samples"]
    assert (path.shape, path.dtype) == ((8, 8, 8, 1), np.uint8)

    for arguments, words in [
        (["run=run", "out=grid.png"], "out=grid.png: it exists"),
        (["run=run", "out=x.bmp"], "out=x.bmp: expected NAME.png"),
        (["run=run", "num=0", "out=y.png"], "num=0: expected a whole number"),
        (["run=run", "num=100000000000", "out=y.png"], "num=100000000000: expected a whole number"),
        (["run=run", "out=/proc/y.png"], "out=/proc/y.png: it cannot be written"),
        (["run=run", "out={x.bmp"], "out={x.bmp: expected NAME.png"),
        (["run=run", "num=abc"], "num=abc: expected a whole number"),
        (["run=run", "num={"], "num={: expected a whole number"),
        (
            ["run=run", "weights=best", "out=y.png"],
            "run=run: it has no checkpoints/best.ckpt yet; expected a run with",
        ),
        (["run=nowhere"], "run=nowhere: not a run folder"),
        (["rum=run"], "rum: there is no such key; did you mean 'run'"),
        ([], "run=...: missing"),
    ]:
        assert words in refusal(monkeypatch, tmp_path, sample_main, "gan-lab-sample", *arguments)
    broken = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    assert "not a checkpoint of gan-lab" in refusal(monkeypatch, tmp_path, sample_main, "gan-lab-sample", "run=run")
    broken.write_bytes(content)

    again = refusal(monkeypatch, tmp_path, gan_lab_main, "gan-lab", *TINY, "hydra.run.dir=run")
    assert again == "gan-lab: hydra.run.dir=run: the folder already holds a run; name another folder"
    assert files_in(tmp_path / "run") == names


def test_a_sweep_outlives_a_bad_job_and_says_so(warm_gan_lab, tmp_path, monkeypatch):
    own = tmp_path / "own" / "loss"
    own.mkdir(parents=True)
    (own / "broken.yaml").write_text(
        "# @package _global_\nloss:\n  objective:\n    _target_: gan_lab.losses.LeastSquares\n"
        "    a: ${oc.env:NOPE_NOPE}\n"
    )
    jobs = ["dataset=ring8", "batch_size=100001,8", "hydra.sweep.dir=sweep"]
    line = ["gan-lab", "--config-dir", "own", "-m", *TINY, *jobs, "loss=rsgan,broken"]
    assert "NOPE_NOPE" in refusal(monkeypatch, tmp_path, gan_lab_main, *line)
    assert not (tmp_path / "sweep").exists()  # what can be known before the first run refuses the sweep
    done = warm_gan_lab("-m", *TINY, *jobs, "loss=rsgan,hinge")
    assert done.returncode == 1
    states = {path.parent.name: json.loads(path.read_text()) for path in (tmp_path / "sweep").glob("*/status.json")}
    assert [states[name]["state"] for name in sorted(states)] == ["failed", "failed", "done", "done"]
    assert "batch_size=100001: the dataset has 100000 training samples" in done.stderr
    assert "2 of 4 done" in done.stdout
    line = ["gan-lab", "-m", *TINY, "dataset=ring8", "loss=rsgan,lsgan", "hydra.sweep.dir=sweep"]
    said = refusal(monkeypatch, tmp_path, gan_lab_main, *line)
    assert said.startswith("gan-lab: hydra.sweep.dir=sweep: the sweep in it sweeps batch_size, loss, and this one loss")


def test_users_extend_it_with_their_own_loss_and_model(gan_lab, tmp_path, monkeypatch):
    """Their class, in a module of the working directory; their YAML, in a folder given by --config-dir."""
    (tmp_path / "my_losses.py").write_text(
        textwrap.dedent(
            """
            import math
            import torch
            from gan_lab.losses import Objective

            class Cubic(Objective):
                def __init__(self, power):
                    self.power = power
                def discriminator(self, real, fake):
                    return (fake - real).mean() + 1e-3 * (real.abs() ** self.power + fake.abs() ** self.power).mean()
                def generator(self, real, fake):
                    return (real - fake).mean()

            class Tiny(torch.nn.Sequential):
                def __init__(self, latent_dim, sample_shape):
                    linear = torch.nn.Linear(latent_dim, math.prod(sample_shape))
                    super().__init__(linear, torch.nn.Tanh(), torch.nn.Unflatten(1, tuple(sample_shape)))
            """
        )
    )
    (tmp_path / "their_conf" / "loss").mkdir(parents=True)
    (tmp_path / "their_conf" / "loss" / "cubic.yaml").write_text(
        "# @package _global_\nloss:\n  objective:\n    _target_: my_losses.Cubic\n    power: 3\nn_critic: 2\n"
    )
    (tmp_path / "their_conf" / "model").mkdir()
    (tmp_path / "their_conf" / "model" / "tiny.yaml").write_text(
        "generator:\n  _target_: my_losses.Tiny\n"
        "discriminator:\n  _target_: gan_lab.models.MLPDiscriminator\n  hidden: [8]\n"
    )
    words = ["--config-dir", "their_conf", *TINY, "loss=cubic", "model=tiny", "hydra.run.dir=run"]
    said = refusal(monkeypatch, tmp_path, gan_lab_main, "gan-lab", *words)
    assert said.endswith("if you trust it, allowed_targets=[my_losses] lets it in")
    done = gan_lab(*words, "allowed_targets=[my_losses]")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["loss"], result["budget"]["discriminator_updates"]) == ("cubic", 20)
    sampled = gan_lab("run=run", "out=x.png", "allowed_targets=[my_losses]", module="cli.sample")
    assert sampled.returncode == 0, sampled.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_being_stopped_ends_the_iteration_and_saves(tmp_path, number, status):
    overrides = ["dataset=ring8", "iterations=1000000", "log_every=1", "threads=1", "hydra.run.dir=run", "trainer=cpu"]
    process = forked(tmp_path, *overrides)
    metrics = tmp_path / "run" / "metrics.csv"
    while not metrics.exists() or "\n1," not in metrics.read_text():
        assert process.is_alive()
        time.sleep(0.1)
    os.kill(process.pid, number)
    process.join(120)
    assert process.exitcode == status
    folder = RunFolder(tmp_path / "run")
    record = folder.status()
    assert record["state"] == "interrupted"
    assert record["error"] == f"stopped by {number.name}"
    last = int(metrics.read_text().splitlines()[-1].split(",")[0])
    assert record["iteration"] == last > 0
    assert folder.last_checkpoint.resolve().name == f"iteration_{last:07d}.ckpt"
    said = printed(tmp_path, "stderr").read_text()
    assert "Traceback" not in said
    assert f"gan-lab: saved at iteration {last:,}; go on with: gan-lab resume={folder.path}\n" in said


def test_options_may_stand_between_overrides(monkeypatch, tmp_path):
    words = ["seed=0,1", "-m", "loss=wgann", "--config-dir", ".", "hydra.sweep.dir=s"]
    assert refusal(monkeypatch, tmp_path, gan_lab_main, "gan-lab", *words).startswith(
        "gan-lab: loss=wgann: there is no"
    )
