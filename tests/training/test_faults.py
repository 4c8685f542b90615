"""Full disks, moved folders, second processes and values that are not finite: nothing is lost."""

import resource
import shutil
from contextlib import contextmanager

import pytest
import torch
from filelock import FileLock
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_runs import OFTEN, SMALL, differences, killed, train_in

from gan_lab.algorithms.gan import GAN
from gan_lab.callbacks import AtomicCheckpointIO, Curves, logger, pictures
from gan_lab.errors import ConfigError, Diverged
from gan_lab.runs.checkpoints import load_checkpoint
from gan_lab.runs.folder import RunFolder


@contextmanager
def full_disk(room):
    """Inside, the system itself refuses to let a file grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("victim", "file"),
    [
        ((AtomicCheckpointIO, "save_checkpoint"), "checkpoints/iteration_0000009.ckpt"),
        ((logger, "append_points"), "run/metrics.csv"),
        ((pictures, "save_picture"), "samples/iteration_0000008.png"),
    ],
)
@pytest.mark.parametrize("room", [0, 150])
def test_a_full_disk_loses_nothing(composed, calm, tmp_path, monkeypatch, victim, file, room):
    """Full as one file is written, and that one alone, after the seventh iteration: a part of it may still fit."""
    config = composed(*SMALL, *OFTEN)
    write = getattr(*victim)

    def refused(*arguments, **keywords):
        folder = RunFolder(tmp_path / "run")
        if 6 not in folder.saved_iterations():
            return write(*arguments, **keywords)
        with full_disk(room + (folder.metrics_file.stat().st_size if victim[0] is logger else 0)):
            return write(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(*victim, refused)
        with pytest.raises(ConfigError, match=rf"{file}: it cannot be written: File too large; resume=.*run goes on f"):
            train_in(tmp_path / "run", config)
    folder = RunFolder(tmp_path / "run")
    assert folder.status()["state"] == "failed"
    assert "File too large" in folder.status()["error"]
    assert load_checkpoint(folder.last_checkpoint)["global_step"] == 6
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, folder.path) == []
    assert not list(folder.path.rglob("*.half"))


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_disk_too_full_for_tensorboard_is_said_once(composed, tmp_path, monkeypatch):
    """Its writer is a thread, whose traceback nobody needs: the main thread raises the same."""
    monkeypatch.setattr("gan_lab.storage.pictures._PIXELS", 640)  # its file then outgrows every checkpoint
    config = composed(*SMALL, *OFTEN, "pictures.samples=64")
    calm = train_in(tmp_path / "calm", config)
    room = calm.checkpoint(11).stat().st_size + 1000
    with full_disk(room), pytest.raises(ConfigError, match="it cannot be written: File too large"):
        train_in(tmp_path / "run", config)
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, tmp_path / "run") == []


@pytest.mark.parametrize("torn", [b"9,lo", b"\0" * 40, b"\0" * 40 + b"\n", b"9,loss/generator,0.5\n9,", b"x,y,0.5\n"])
def test_rows_torn_by_a_power_failure_are_taken_back(composed, calm, part, torn):
    with part.metrics_file.open("ab") as rows:
        rows.write(torn)
    train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
    assert differences(calm.path, part.path) == []


@pytest.mark.parametrize("left", [b"", b"iteration,na"])
def test_a_file_of_curves_torn_at_its_first_row_is_begun_anew(composed, calm, tmp_path, left):
    config = composed(*SMALL, *OFTEN)
    with killed(2):
        train_in(tmp_path / "run", config)
    RunFolder(tmp_path / "run").metrics_file.write_bytes(left)
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, tmp_path / "run") == []


def test_a_disk_that_is_full_at_the_end_loses_nothing(composed, calm, tmp_path, monkeypatch):
    """result.json, which is smaller than all else: the system refuses files from the moment before it is written."""
    config = composed(*SMALL, *OFTEN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    original = Curves.write_hyperparameters

    def then_full(self, *arguments):
        original(self, *arguments)
        resource.setrlimit(resource.RLIMIT_FSIZE, (calm.result_file.stat().st_size - 100, hard))

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Curves, "write_hyperparameters", then_full)
            with pytest.raises(ConfigError, match=r"it cannot be written: File too large; resume=.*from iteration 11"):
                train_in(tmp_path / "run", config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder = RunFolder(tmp_path / "run")
    assert folder.status()["state"] == "failed"
    assert not folder.result_file.exists()
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, folder.path) == []
    assert not list(folder.path.rglob("*.half"))


def test_two_processes_do_not_share_a_run(composed, part):
    config, before = composed(*SMALL, *OFTEN), part.status()
    with (
        FileLock(part.lock_file),
        pytest.raises(ConfigError, match="another process is at work on this run; wait for it or stop it"),
    ):
        train_in(part.path, config, resume=True)
    assert part.status() == before
    train_in(part.path, config, resume=True)


def test_a_folder_that_moved_goes_on_where_it_is(composed, calm, part, tmp_path):
    (tmp_path / "deeper").mkdir()
    shutil.move(part.path, tmp_path / "deeper" / "there=1, 'x'")
    run = train_in(tmp_path / "deeper" / "there=1, 'x'", composed(*SMALL, *OFTEN), resume=True)
    assert differences(calm.path, run.path) == []
    assert not part.path.exists()


# ---- what is not finite ----


@pytest.fixture
def bad_fourth_loss(monkeypatch):
    """The generator's loss of every fourth update is not a number."""
    from gan_lab.losses import NonSaturating

    original, calls = NonSaturating.generator, []

    def generator(self, real, fake):
        if fake.is_leaf:  # before training the objective is tried with logits of no network
            return original(self, real, fake)
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
    with pytest.raises(Diverged, match="diverged at iteration 4"):
        train_in(tmp_path / "run", composed(*SMALL, "iterations=10", "log_every=5"))


def test_tensorboard_shows_all_of_a_run_that_diverged(composed, tmp_path, bad_fourth_loss):
    with pytest.raises(Diverged):
        train_in(tmp_path / "run", composed(*SMALL, "iterations=10", "log_every=1"))
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [point.step for point in events.Scalars("loss/generator")] == [1, 2, 3]


@pytest.mark.parametrize("buffer", [False, True])
def test_no_checkpoint_holds_what_is_not_finite(composed, tmp_path, monkeypatch, buffer):
    """Weights that an update ruined though its loss and gradient were finite; buffers, which no curve shows."""
    original = GAN.update_generator

    def ruining(self, *arguments):
        original(self, *arguments)
        if self.trainer.global_step == 5:
            tensors = self.generator.buffers() if buffer else self.generator.parameters()
            next(iter(tensors)).data.fill_(float("inf"))

    monkeypatch.setattr(GAN, "update_generator", ruining)
    config = composed(*SMALL, "model.generator.norm=batch", *OFTEN, "evaluation.every=100", "pictures.every=100")
    with pytest.raises(Diverged, match=r"iteration 6: \S+ is inf"):
        train_in(tmp_path / "run", config)
    assert RunFolder(tmp_path / "run").saved_iterations() == [3]
