"""Sweeps: whatever becomes of one run, the others finish, and the same line again does what is missing alone."""

import json
import math
import os
import signal
import textwrap
import time
from contextlib import suppress

import psutil
import pytest
import yaml
from command_runs import forked, printed, refusal

from gan_lab.cli.train import main
from gan_lab.config.resolvers import job_folder
from gan_lab.hydra_plugin.tuned_sweeper import _best
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.sweep_folder import SweepFolder

RING = ["dataset=ring8", "trainer=cpu", "threads=1", "log_every=5", "evaluation.every=20", "checkpoint.every=10"]
RING += ["evaluation.samples=200", "pictures.samples=20", "pictures.every=1000"]

FAULTS = """
    import os, signal, time
    from gan_lab.losses import NonSaturating

    class Raises(NonSaturating):
        def generator(self, real, fake):
            raise RuntimeError("planted: this loss raises")

    class Infinite(NonSaturating):
        def generator(self, real, fake):
            return super().generator(real, fake) * float("inf")

    class Slow(NonSaturating):
        def generator(self, real, fake):
            time.sleep(0.1 * os.path.exists("slow"))
            return super().generator(real, fake)

    class Killed(NonSaturating):
        updates = 0
        def generator(self, real, fake):
            Killed.updates += 1
            if Killed.updates == 15 and not os.path.exists("spared"):
                os.kill(os.getpid(), signal.SIGKILL)
            return super().generator(real, fake)
"""


@pytest.fixture
def faults(tmp_path):
    """Losses that raise, are infinite, take long, and kill their process, in a user's own files."""
    (tmp_path / "faults.py").write_text(textwrap.dedent(FAULTS))
    (tmp_path / "own" / "loss").mkdir(parents=True)
    for name in ("Raises", "Infinite", "Slow", "Killed"):
        (tmp_path / "own" / "loss" / f"{name.lower()}.yaml").write_text(
            f"# @package _global_\nloss:\n  objective:\n    _target_: faults.{name}\n"
        )
    return ["--config-dir", "own", "allowed_targets=[faults]"]


def states(folder):
    return {run.path.name: run.status()["state"] for run in SweepFolder(folder).runs()}


def figures(run):
    """What must not depend on how often a sweep was disturbed."""
    return run.result()["metrics"], run.result()["best"], run.metrics_file.read_text()


ENDED = {"raises": "failed", "infinite": "diverged", "killed": "failed", "lsgan": "done"}
AGAIN = ENDED | {"killed": "done"}


def test_planted_failures(gan_lab, warm_gan_lab, tmp_path, faults):
    """First side by side, two by each worker of joblib; then again, one after the other."""
    common = [*faults, *RING, "iterations=20", "seed=0"]
    line = [*common, "-m", "loss=infinite,raises,killed,lsgan", "hydra.sweep.dir=sweep"]
    done = warm_gan_lab(*line, "hydra/launcher=parallel", "hydra.launcher.n_jobs=2", "hydra.launcher.batch_size=2")
    assert done.returncode == 1, done.stderr
    assert states(tmp_path / "sweep") == {f"loss={loss},seed=0": state for loss, state in ENDED.items()}
    assert "1 of 4 done, 1 diverged, 2 failed" in done.stdout
    for reason in ("RuntimeError: planted: this loss raises", "grad_norm/generator is nan", "killed by SIGKILL"):
        assert reason in done.stderr
        assert reason in (tmp_path / "sweep" / "report" / "index.html").read_text()
    index = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert index["counts"] == {"failed": 2, "diverged": 1, "done": 1}
    assert index["runs"]["loss=killed,seed=0"]["error"] == "killed by SIGKILL"
    assert index["seconds_left"] is None

    before = {run.path.name: run.result_file.stat().st_mtime_ns for run in SweepFolder(tmp_path / "sweep").runs()
              if run.result_file.exists()}  # fmt: skip
    (tmp_path / "spared").touch()
    again = warm_gan_lab(*line)
    assert again.returncode == 1
    assert states(tmp_path / "sweep") == {f"loss={loss},seed=0": state for loss, state in AGAIN.items()}
    assert "2 of 4 done, 1 diverged, 1 failed" in again.stdout
    for name, written in before.items():
        assert (tmp_path / "sweep" / name / "result.json").stat().st_mtime_ns == written
    undisturbed = gan_lab(*common, "loss=killed", "hydra.run.dir=undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    killed = RunFolder(tmp_path / "sweep" / "loss=killed,seed=0")
    assert figures(killed) == figures(RunFolder(tmp_path / "undisturbed"))


def test_a_configuration_may_ask_for_a_sweep(warm_gan_lab, tmp_path):
    """Hydra's ``hydra.mode``; the command line then has no -m."""
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    sweep = "# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params: {seed: '0'}\n"
    (tmp_path / "own" / "experiment" / "two.yaml").write_text(sweep)
    line = ["--config-dir", "own", "experiment=two", *RING, "iterations=5", "hydra.sweep.dir=sweep"]
    assert warm_gan_lab(*line).returncode == 0
    assert states(tmp_path / "sweep") == {"seed=0": "done"}
    assert warm_gan_lab(*line, "loss=lsgan,rsgan", "hydra.sweep.dir=other").returncode == 0
    assert states(tmp_path / "other") == {"loss=lsgan,seed=0": "done", "loss=rsgan,seed=0": "done"}


def wait_until(condition, seconds=200):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_sweep_that_is_killed_goes_on_where_it_was(gan_lab, warm_gan_lab, tmp_path, faults):
    (tmp_path / "slow").touch()
    line, sweep = [*faults, *RING, "iterations=40", "seed=0"], ["-m", "loss=lsgan,slow", "hydra.sweep.dir=sweep"]
    process = forked(tmp_path, *line, *sweep)
    second = RunFolder(tmp_path / "sweep" / "loss=slow,seed=0")
    wait_until(second.last_checkpoint.exists)
    assert states(tmp_path / "sweep") == {"loss=lsgan,seed=0": "done", "loss=slow,seed=0": "running"}
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    # the run notices that its sweep is gone, and saves
    wait_until(lambda: second.status()["state"] == "interrupted")
    iteration = second.status()["iteration"]
    assert 0 < iteration < 40
    (tmp_path / "slow").unlink()
    written = (tmp_path / "sweep" / "loss=lsgan,seed=0" / "result.json").stat().st_mtime_ns
    again = warm_gan_lab(*line, *sweep)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "sweep" / "loss=lsgan,seed=0" / "result.json").stat().st_mtime_ns == written
    assert gan_lab(*line, "loss=slow", "hydra.run.dir=undisturbed").returncode == 0
    assert figures(second) == figures(RunFolder(tmp_path / "undisturbed"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_sweep_and_finished_runs_stay(tmp_path, number, code):
    process = forked(tmp_path, "-m", *RING, "iterations=100000", "loss=lsgan,rsgan", "seed=0", "hydra.sweep.dir=sweep")
    first = RunFolder(tmp_path / "sweep" / "loss=lsgan,seed=0")
    wait_until(first.metrics_file.exists)
    if number == signal.SIGINT:  # Ctrl-C reaches the run as well, which the server has forked, too
        for one in psutil.Process(process.pid).parent().children():
            with suppress(psutil.NoSuchProcess):  # the sweep tells the run as well, which may have ended by now
                one.send_signal(number)
    else:  # which a batch system sends to the process it knows
        os.kill(process.pid, number)
    process.join(120)
    assert process.exitcode == code
    # the signal reaches the run as well, which saves in its own time
    wait_until(lambda: states(tmp_path / "sweep") == {"loss=lsgan,seed=0": "interrupted"})
    said = printed(tmp_path, "stderr").read_text()
    assert "gan-lab: 0 of 2 done, 1 interrupted; go on with the same line and hydra.sweep.dir=sweep\n" in said


def test_a_sweep_may_grow_but_not_change(warm_gan_lab, tmp_path, monkeypatch):
    line = ["-m", *RING, "iterations=10", "hydra.sweep.dir=sweep"]
    done = warm_gan_lab(*line, "loss=lsgan", "seed=0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("gan-lab: sweep: 0 of 1 done\n")
    grown = warm_gan_lab(*line, "loss=lsgan", "seed=0,1")
    assert grown.returncode == 0, grown.stderr
    assert grown.stdout.startswith("gan-lab: sweep: 1 of 2 done\n")
    assert "2 of 2 done" in grown.stdout
    assert list(states(tmp_path / "sweep")) == ["loss=lsgan,seed=0", "loss=lsgan,seed=1"]
    for change, words in [
        (["loss=rsgan", "seed=0,1"], "the sweep in it has loss=lsgan, and this one loss=rsgan; "),
        (["loss=lsgan", "seed=0,1", "n_critic=2"], "the sweep in it holds dataset=ring8, "),
    ]:
        sentence = refusal(monkeypatch, tmp_path, main, "gan-lab", *line, *change)
        assert sentence.startswith(f"gan-lab: hydra.sweep.dir=sweep: {words}")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    sentence = refusal(monkeypatch, tmp_path, main, "gan-lab", "-m", "seed=0,1", "hydra.sweep.dir=mine")
    assert sentence == "gan-lab: hydra.sweep.dir=mine: the folder is not empty (notes.txt); name another folder"
    sentence = refusal(monkeypatch, tmp_path, main, "gan-lab", "-m", "loss=glob(zz*)", "hydra.sweep.dir=none")
    assert sentence == "gan-lab: loss: the sweep has no runs, its glob matches nothing"
    assert not (tmp_path / "none").exists()


def test_folder_names_are_short_and_unique():
    assert job_folder(3, "loss=wgan,seed=0") == "loss=wgan,seed=0"
    assert job_folder(3, "") == "003"
    one, other = job_folder(0, "model.generator.hidden=[1,2]"), job_folder(0, "model.generator.hidden=(1,2)")
    assert one != other
    assert one.startswith("model.generator.hidden=-1,2-")
    long = [job_folder(0, "x" * 300 + end) for end in "ab"]
    assert long[0] != long[1]
    assert max(map(len, long)) < 100


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["seed=0,1"], "seed: protocol=tuned has seeds of its own; expected hydra.sweeper.seeds=[...] instead"),
        (["hydra.sweeper.trials=0"], "hydra.sweeper.trials=0: expected a whole number of at least 1"),
        (["hydra.sweeper.seeds=[1000]"], "hydra.sweeper.seeds=[1000]: expected some, and none of tuning_seeds=[1000]"),
        (["hydra.sweeper.seeds=[0,0]"], "hydra.sweeper.seeds=[0, 0]: expected different whole numbers"),
        (["hydra.sweeper.tuning_seeds=[-1]"], "hydra.sweeper.tuning_seeds=[-1]: expected different whole numbers"),
        (["n_critic=3"], "n_critic: protocol=tuned draws it for each trial; expected hydra.sweeper.space={n_critic:'c"),
        (["optimizer.generator.lr=1e-2,1e-3"], "optimizer.generator.lr: protocol=tuned draws it for each trial"),
        (["hydra.sweeper.metric=fdd"], "hydra.sweeper.metric=fdd: there is no metric of this name"),
        (["evaluation.validation=false"], "evaluation.validation=false: expected true with protocol=tuned"),
        (["hydra.sweeper.space.n_critic=3"], "hydra.sweeper.space.n_critic=3: expected interval(a, b), tag(log, "),
    ],
)
def test_bad_tuning(monkeypatch, tmp_path, words, sentence):
    line = ["gan-lab", "-m", "protocol=tuned", "dataset=ring8", "loss=lsgan,rsgan", "hydra.sweep.dir=sweep"]
    assert refusal(monkeypatch, tmp_path, main, *line, *words).startswith(f"gan-lab: {sentence}")


def test_a_loss_whose_trials_all_failed_is_not_repeated():
    assert _best([[{"fd": 3.0}], [{"fd": 2.0}], [{}]], "fd") == 1
    assert _best([[{"fd": math.nan}], [{}]], "fd") is None


def test_submitit_runs_without_a_cluster(warm_gan_lab, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    done = warm_gan_lab("-m", *RING, "iterations=10", "seed=7", "hydra/launcher=slurm_local", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    assert states(tmp_path / "sweep") == {"seed=7": "done"}


def test_optuna_searches(warm_gan_lab, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    space = ["optimizer.generator.lr=tag(log,interval(1e-4,1e-3))", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2"]
    space += ["evaluation.validation=true", "hydra.sweeper.n_jobs=1", "hydra.sweep.dir=sweep"]
    for _ in range(2):  # the same line searches the same trials, and finds them there
        done = warm_gan_lab("-m", *RING, "iterations=10", *space)
        assert done.returncode == 0, done.stderr
        assert "2 of 2 done" in done.stdout
    found = yaml.safe_load((tmp_path / "sweep" / "optimization_results.yaml").read_text())["best_value"]
    results = [run.result() for run in SweepFolder(tmp_path / "sweep").runs()]
    assert found == min(one["validation"]["metrics"]["reverse_kl"] for one in results)


def test_ray_runs_on_this_machine(gan_lab, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="hydra-ray-launcher is not installed")
    done = gan_lab("-m", *RING, "iterations=10", "seed=0,1", "hydra/launcher=ray_local", "hydra.sweep.dir=sweep")
    assert done.returncode == 0, done.stderr
    assert states(tmp_path / "sweep") == {"seed=0": "done", "seed=1": "done"}
