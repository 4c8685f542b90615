"""A run that is stopped and goes on is, bit for bit, the run that nobody stopped (clocks aside)."""

import os
import pickle
import random
import resource
import shutil
import signal
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import options
from filelock import FileLock
from training_runs import SMALL, train_in

from gan_lab.adversary import AdversarialModule
from gan_lab.errors import ConfigError
from gan_lab.run_folder import RunFolder
from gan_lab.saved import load_checkpoint

sys.path.append(str(Path(__file__).parent.parent / "scripts"))
from torture import differences

DCGAN = [
    "model=dcgan",
    "model.generator.channels=4",
    "model.discriminator.channels=4",
    *(word for word in SMALL if not word.startswith("model")),
]
OFTEN = ["iterations=11", "log_every=4", "checkpoint.every=3", "evaluation.every=5", "pictures.every=4"]


class Killed(BaseException):
    """What ends a run in the test's own process, at once."""


@contextmanager
def killed(at: int, method: str = "update_generator"):
    """Inside, a run ends in the middle of the iteration that follows so many."""
    original = getattr(AdversarialModule, method)

    def until(self, *arguments):
        if self.trainer.global_step == at:
            raise Killed
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AdversarialModule, method, until)
        with pytest.raises(Killed):
            yield


def shift_every_generator():
    """What else a process may have drawn by the time it goes on."""
    torch.manual_seed(random.randrange(2**31))
    np.random.seed(random.randrange(2**31))
    random.seed(random.randrange(2**31))


def stopped_and_resumed(path, config, *iterations):
    for number, at in enumerate(iterations):
        shift_every_generator()
        with killed(at):
            train_in(path, config, resume=number > 0)
    shift_every_generator()
    return train_in(path, config, resume=True)


def same(composed, tmp_path, overrides, *iterations):
    config = composed(*overrides)
    calm = train_in(tmp_path / "calm", config)
    broken = stopped_and_resumed(tmp_path / "broken", config, *iterations)
    assert differences(calm.path, broken.path) == []
    return calm, broken


@pytest.mark.parametrize("loss", options("loss"))
def test_every_recipe(composed, tmp_path, loss):
    same(composed, tmp_path, [*SMALL, *OFTEN, f"loss={loss}"], 4, 10)


@pytest.mark.parametrize(
    "overrides",
    [
        [*DCGAN, "model.discriminator.norm=batch"],
        [*DCGAN, "loss=sngan", "ema_decay=0.9"],
        [*DCGAN, "loss=ragan_attention"],
        [*SMALL, "model.generator.norm=batch", "ema_decay=0.9", "n_generator=2", "n_critic=2", "loss=ralsgan"],
        [*SMALL, "penalty=[r1,dragan]", "loss.penalties.r1.every=4", "loss.penalties.dragan.every=3"],
        [*SMALL, "lr_schedule=cosine", "lr_warmup=5", "clip_grad.generator=0.1", "latent_prior=uniform"],
        [*SMALL, "dataset=ring8", "model=mlp", "optimizer=rmsprop"],
        [*SMALL, "trainer.precision=bf16-mixed", "lr_schedule=linear"],
        [*SMALL, "trainer.precision=64-true", "on_divergence=skip_update"],
    ],
    ids=lambda overrides: "-".join(overrides[-2:]),
)
def test_every_part_that_has_a_state(composed, tmp_path, overrides):
    same(composed, tmp_path, [*overrides, *OFTEN], 4, 10)


def test_wherever_it_is_killed(composed, tmp_path):
    """Before the first checkpoint, on both sides of a checkpoint, of an evaluation and of the end of an epoch."""
    overrides = [*SMALL, *OFTEN, "iterations=30", "batch_size=64", "dataset.max_samples=700", "penalty=dragan"]
    same(composed, tmp_path, overrides, 0, 1, 2, 3, 4, 5, 6, 10, 10, 11, 12, 21, 22, 29)


def test_a_run_killed_after_its_last_iteration_is_completed(composed, tmp_path, monkeypatch):
    from gan_lab import training

    config = composed(*SMALL, *OFTEN)
    calm = train_in(tmp_path / "calm", config)
    with monkeypatch.context() as patch:
        patch.setattr(training, "print_summary", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            train_in(tmp_path / "run", config)
    run = train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, run.path) == []
    assert run.status()["state"] == "done"


def test_curves_do_not_depend_on_what_else_happens(composed, tmp_path):
    """Checkpoints, evaluations and pictures between two points do not move the points."""
    rows = []
    for name, every in (("seldom", 100), ("often", 1)):
        extra = [f"{key}.every={every}" for key in ("checkpoint", "pictures", "evaluation")]
        folder = train_in(tmp_path / name, composed(*SMALL, "iterations=10", "log_every=4", *extra))
        lines = folder.metrics_file.read_text().splitlines()
        rows.append([line for line in lines if ",metric/" not in line and ",signal/" not in line])
    assert rows[0] == rows[1]
    assert {line.split(",")[0] for line in rows[0][1:]} == {"0", "4", "8", "10"}


def test_counts_and_times_add_up(composed, tmp_path, monkeypatch):
    from gan_lab.callbacks import stopwatch

    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])
    original = AdversarialModule.training_step

    def second(self, *arguments):
        now[0] += 1
        return original(self, *arguments)

    monkeypatch.setattr(AdversarialModule, "training_step", second)
    _, run = same(composed, tmp_path, [*SMALL, *OFTEN, "n_critic=2"], 4, 10)
    assert run.result()["budget"] == {
        "iterations": 11,
        "discriminator_updates": 22,
        "generator_updates": 11,
        "real_images": 176,
        "train_seconds": 11.0,  # those that were done twice count once
    }
    times = [line.split(",") for line in run.times_file.read_text().splitlines()[1:]]
    assert [(int(i), float(value)) for i, name, value in times if name == "time/train_seconds"] == [
        (4, 4.0), (8, 8.0), (11, 11.0),
    ]  # fmt: skip
    assert {float(value) for _, name, value in times if name == "time/iterations_per_second"} == {1.0}


def test_what_was_written_after_the_checkpoint_is_taken_back(tmp_path):
    folder = RunFolder(tmp_path)
    for name in ("samples", "checkpoints"):
        (tmp_path / name).mkdir()
    before, after = "iteration,name,value\n0,a,1.0\n6,a,2.0\n6,b,2.0\n", "7,a,3.0\n10,a,4.0\n1"
    folder.metrics_file.write_text(before + after)
    folder.times_file.write_text(before)
    names = ["samples/iteration_0000006.png", "samples/final.png", "checkpoints/iteration_0000006.ckpt"]
    later = ["samples/iteration_0000007.png", "checkpoints/iteration_0000009.ckpt"]
    half = [".status.json.x.half", "checkpoints/.iteration_0000009.ckpt.x.half"]
    for name in [*names, *later, *half]:
        (tmp_path / name).write_text("x")
    folder.cut_back(6)
    assert folder.metrics_file.read_text() == folder.times_file.read_text() == before
    assert {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*") if file.is_file()} == {
        *names, "checkpoints/iteration_0000009.broken", "metrics.csv", "times.csv",
    }  # fmt: skip
    folder.cut_back(-1)
    assert folder.metrics_file.read_text() == "iteration,name,value\n"


def test_status_keeps_when_the_run_started(composed, tmp_path):
    config = composed(*SMALL, *OFTEN)
    with killed(5):
        train_in(tmp_path / "run", config)
    folder = RunFolder(tmp_path / "run")
    folder.update_status(started="2020-01-01T00:00:00+00:00")
    assert folder.status()["state"] == "interrupted"
    with killed(8):
        train_in(tmp_path / "run", config, resume=True)
    assert (folder.status()["started"], folder.status()["iteration"]) == ("2020-01-01T00:00:00+00:00", 6)


# ---- checkpoints ----


def test_the_last_and_so_many_more_are_kept(composed, tmp_path):
    for keep, expected in ((0, [11]), (1, [9, 11]), (2, [6, 9, 11])):
        folder = train_in(tmp_path / str(keep), composed(*SMALL, *OFTEN, f"checkpoint.keep={keep}"))
        assert folder.saved_iterations() == expected
        assert folder.last_checkpoint.resolve() == folder.checkpoint(11).resolve()


def test_minutes_make_checkpoints_and_change_nothing_else(composed, tmp_path):
    often = train_in(tmp_path / "often", composed(*SMALL, *OFTEN, "checkpoint.minutes=1e-9", "checkpoint.keep=100"))
    assert often.saved_iterations() == list(range(1, 12))
    calm = train_in(tmp_path / "calm", composed(*SMALL, *OFTEN, "checkpoint.minutes=1000", "checkpoint.keep=100"))
    assert calm.saved_iterations() == [3, 6, 9, 11]
    assert differences(calm.path, often.path) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "replaced"])
def test_a_broken_checkpoint_is_passed_over_and_said(composed, tmp_path, caplog, damage):
    config = composed(*SMALL, *OFTEN)
    calm = train_in(tmp_path / "calm", config)
    with killed(8):
        train_in(tmp_path / "run", config)
    folder = RunFolder(tmp_path / "run")
    content = bytearray(folder.last_checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    folder.checkpoint(6).write_bytes(
        {"truncated": content[: len(content) // 2], "empty": b"", "flipped": bytes(content), "replaced": b"hello"}[
            damage
        ]
    )
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, folder.path) == []
    assert "iteration_0000006.ckpt: not a checkpoint of gan-lab, or a broken one" in caplog.text
    assert "going on from iteration 3 instead: 3 are done again" in caplog.text


def test_a_flipped_bit_is_noticed_wherever_it_matters(composed, tmp_path):
    file = train_in(tmp_path / "run", composed(*SMALL, "iterations=1")).last_checkpoint
    content = file.read_bytes()
    intact = load_checkpoint(file)
    from torture import _unequal

    draw, noticed = random.Random(0), 0
    for _ in range(100):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (tmp_path / "flipped.ckpt").write_bytes(flipped)
        try:
            assert _unequal(load_checkpoint(tmp_path / "flipped.ckpt"), intact) == []  # it was padding
        except ConfigError:
            noticed += 1
    assert noticed > 80


def test_if_all_are_broken_nothing_is_begun_anew(composed, tmp_path):
    config = composed(*SMALL, *OFTEN)
    folder = train_in(tmp_path / "run", config)
    for iteration in folder.saved_iterations():
        folder.checkpoint(iteration).write_bytes(b"hello")
    rows = folder.metrics_file.read_bytes()
    with pytest.raises(ConfigError, match=r"like all others; delete .*checkpoints to start over"):
        train_in(tmp_path / "run", config, resume=True)
    assert folder.metrics_file.read_bytes() == rows


class Payload:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_a_checkpoint_that_would_run_code_runs_none(composed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = composed(*SMALL, *OFTEN)
    folder = train_in(tmp_path / "run", config)
    torch.save({"state_dict": {}, "payload": Payload()}, folder.checkpoint(20))
    with zipfile.ZipFile(folder.checkpoint(21), "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload()))
    folder.checkpoint(22).write_bytes(pickle.dumps(Payload()))
    for iteration in (20, 21, 22):
        with pytest.raises(ConfigError, match="not a checkpoint of gan-lab"):
            load_checkpoint(folder.checkpoint(iteration))
    train_in(tmp_path / "run", config, resume=True)
    assert not (tmp_path / "owned").exists()
    torch.load(tmp_path / "run" / "checkpoints" / "iteration_0000020.broken", weights_only=False)  # it would have
    assert (tmp_path / "owned").exists()


def test_other_data_are_refused(composed, tmp_path, monkeypatch):
    from gan_lab import training

    config = composed(*SMALL, *OFTEN)
    with killed(8):
        train_in(tmp_path / "run", config)
    original = training.build_dataset
    monkeypatch.setattr(training, "build_dataset", lambda config: replace(original(config), checksum="another"))
    with pytest.raises(ConfigError, match="dataset: the checksum of its data is another: expected"):
        train_in(tmp_path / "run", config, resume=True)


# ---- disks, folders, processes ----


@pytest.mark.parametrize("victim", ["checkpoint", "metrics", "picture"])
def test_a_full_disk_loses_nothing(composed, tmp_path, victim):
    """Files may be no larger than what one of each kind needs: the system itself refuses to write on."""
    config = composed(*SMALL, *OFTEN, "pictures.samples=64")
    calm = train_in(tmp_path / "calm", config)
    largest = {
        "checkpoint": calm.checkpoint(9).stat().st_size - 1000,
        "metrics": calm.metrics_file.stat().st_size - 100,
        "picture": max(file.stat().st_size for file in calm.samples.iterdir()) - 100,
    }[victim]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def in_the_way():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))

    with killed(4):
        train_in(tmp_path / "run", config)
    in_the_way()
    try:
        with pytest.raises(ConfigError, match=r"it cannot be written: File too large; resume=.*run goes on from iter"):
            train_in(tmp_path / "run", config, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder = RunFolder(tmp_path / "run")
    assert folder.status()["state"] == "failed"
    assert "File too large" in folder.status()["error"]
    assert load_checkpoint(folder.last_checkpoint)["global_step"] >= 3
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, folder.path) == []
    assert not list(folder.path.rglob("*.half"))


def test_two_processes_do_not_share_a_run(composed, tmp_path):
    config = composed(*SMALL, *OFTEN)
    with killed(5):
        train_in(tmp_path / "run", config)
    before = RunFolder(tmp_path / "run").status()
    with (
        FileLock(tmp_path / "run" / ".lock"),
        pytest.raises(ConfigError, match="another process is at work on this run; wait for it or stop it"),
    ):
        train_in(tmp_path / "run", config, resume=True)
    assert RunFolder(tmp_path / "run").status() == before
    train_in(tmp_path / "run", config, resume=True)


def test_a_folder_that_moved_goes_on_where_it_is(composed, tmp_path):
    config = composed(*SMALL, *OFTEN)
    calm = train_in(tmp_path / "calm", config)
    with killed(8):
        train_in(tmp_path / "here", config)
    (tmp_path / "deeper").mkdir()
    shutil.move(tmp_path / "here", tmp_path / "deeper" / "there=1, 'x'")
    run = train_in(tmp_path / "deeper" / "there=1, 'x'", config, resume=True)
    assert differences(calm.path, run.path) == []
    assert not (tmp_path / "here").exists()


# ---- signals, and what is not finite ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_the_iteration_and_saves(composed, tmp_path, monkeypatch, number):
    config = composed(*SMALL, *OFTEN)
    calm = train_in(tmp_path / "calm", config)
    original = AdversarialModule.update_generator

    def signalled(self, *arguments):
        if self.trainer.global_step == 7:
            os.kill(os.getpid(), number)
        return original(self, *arguments)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(AdversarialModule, "update_generator", signalled)
        with pytest.raises(SystemExit) as stop:
            train_in(tmp_path / "run", config)
    assert stop.value.code == 128 + number
    assert signal.getsignal(number) == before
    folder = RunFolder(tmp_path / "run")
    assert (folder.status()["state"], folder.status()["iteration"]) == ("interrupted", 8)
    assert folder.status()["error"] == f"stopped by {number.name}"
    assert folder.saved_iterations() == [6, 8]
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, folder.path) == []


def test_a_second_interrupt_stops_at_once(composed, tmp_path, monkeypatch):
    original = AdversarialModule.update_generator

    def impatient(self, *arguments):
        if self.trainer.global_step == 7:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *arguments)

    monkeypatch.setattr(AdversarialModule, "update_generator", impatient)
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL, *OFTEN))
    assert stop.value.code == 130
    assert RunFolder(tmp_path / "run").saved_iterations() == [3, 6]
    assert RunFolder(tmp_path / "run").status()["error"] == "stopped by SIGINT"


def test_a_signal_before_training_is_recorded(composed, tmp_path, monkeypatch):
    from gan_lab import training

    monkeypatch.setattr(training, "build_dataset", lambda config: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL))
    assert stop.value.code == 143
    assert RunFolder(tmp_path / "run").status()["state"] == "interrupted"


@pytest.fixture
def bad_fourth_loss(monkeypatch):
    """The generator's loss of every fourth update is not a number."""
    from gan_lab.losses import NonSaturating

    original, calls = NonSaturating.generator, []

    def generator(self, real, fake):
        calls.append(1)
        return original(self, real, fake) * (float("nan") if len(calls) % 4 == 0 else 1.0)

    monkeypatch.setattr(NonSaturating, "generator", generator)


def test_bad_updates_can_be_skipped_and_are_counted(composed, tmp_path, bad_fourth_loss):
    overrides = [
        "iterations=10",
        "log_every=5",
        "checkpoint.every=1",
        "checkpoint.keep=20",
        "on_divergence=skip_update",
    ]
    folder = train_in(tmp_path / "run", composed(*SMALL, *overrides))
    result = folder.result()
    assert result["skipped_updates"] == {"generator": 2, "discriminator": 0}
    curves = folder.curves()
    assert curves["skipped/generator"] == {5: 0.2, 10: 0.2}
    assert curves["skipped/discriminator"] == {5: 0.0, 10: 0.0}

    def generator(iteration):
        state = load_checkpoint(folder.checkpoint(iteration))["state_dict"]
        return torch.cat([state[key].flatten() for key in state if key.startswith("generator.")])

    unchanged = [i for i in range(2, 11) if torch.equal(generator(i), generator(i - 1))]
    assert unchanged == [4, 8]


def test_skipped_updates_add_up(composed, tmp_path, bad_fourth_loss):
    config = composed(*SMALL, *OFTEN, "on_divergence=skip_update")
    with killed(6, method="update_discriminator"):
        train_in(tmp_path / "run", config)  # the generator's losses 1 to 6, the fourth is bad
    assert train_in(tmp_path / "run", config, resume=True).result()["skipped_updates"] == {
        "generator": 1 + 1,  # 7 to 11, of which the eighth
        "discriminator": 0,
    }


def test_bad_updates_end_the_run_unless_skipped(composed, tmp_path, bad_fourth_loss):
    from gan_lab.errors import Diverged

    with pytest.raises(Diverged, match="diverged at iteration 4"):
        train_in(tmp_path / "run", composed(*SMALL, "iterations=10", "log_every=5"))


@pytest.mark.parametrize("buffer", [False, True])
def test_no_checkpoint_holds_what_is_not_finite(composed, tmp_path, monkeypatch, buffer):
    """Weights that an update ruined though its loss and gradient were finite; buffers, which no curve shows."""
    from gan_lab.errors import Diverged

    original = AdversarialModule.update_generator

    def ruining(self, *arguments):
        original(self, *arguments)
        if self.trainer.global_step == 5:
            tensors = self.generator.buffers() if buffer else self.generator.parameters()
            next(iter(tensors)).data.fill_(float("inf"))

    monkeypatch.setattr(AdversarialModule, "update_generator", ruining)
    config = composed(*SMALL, "model.generator.norm=batch", *OFTEN, "evaluation.every=100", "pictures.every=100")
    with pytest.raises(Diverged, match=r"iteration 6: \S+ is inf"):
        train_in(tmp_path / "run", config)
    assert RunFolder(tmp_path / "run").saved_iterations() == [3]
