"""Checkpoints: which are kept, what becomes of broken ones, and of those that are none."""

import errno
import os
import pickle
import random
import shutil
import zipfile
from dataclasses import replace

import pytest
import torch
from training_runs import OFTEN, SMALL, differences, train_in, unequal

from gan_lab.errors import ConfigError
from gan_lab.runs.checkpoints import BrokenCheckpoint, load_checkpoint


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
def test_a_broken_checkpoint_is_passed_over_and_said(composed, calm, part, caplog, damage):
    content = bytearray(part.last_checkpoint.read_bytes())
    with zipfile.ZipFile(part.last_checkpoint) as members:
        largest = max((members.read(name) for name in members.namelist()), key=len)
    content[content.index(largest) + len(largest) // 2] ^= 1  # between members lies padding
    part.checkpoint(6).write_bytes(
        {"truncated": content[: len(content) // 2], "empty": b"", "flipped": bytes(content), "replaced": b"hello"}[
            damage
        ]
    )
    train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
    assert differences(calm.path, part.path) == []
    assert "iteration_0000006.ckpt: not a checkpoint of gan-lab, or a broken one" in caplog.text
    assert "going on from iteration 3 instead: 5 are done again" in caplog.text  # there are points of 8


def test_a_flipped_bit_is_noticed_wherever_it_matters(calm, tmp_path):
    file = calm.last_checkpoint
    content = file.read_bytes()
    intact = load_checkpoint(file)
    draw, noticed = random.Random(0), 0
    for _ in range(100):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (tmp_path / "flipped.ckpt").write_bytes(flipped)
        try:
            assert unequal(load_checkpoint(tmp_path / "flipped.ckpt"), intact) == []  # it was padding
        except ConfigError:
            noticed += 1
    assert noticed > 80


def test_if_all_are_broken_nothing_is_begun_anew(composed, part):
    for iteration in part.saved_iterations():
        part.checkpoint(iteration).write_bytes(b"hello")
    rows = part.metrics_file.read_bytes()
    with pytest.raises(ConfigError, match="like all others; name another folder to start over"):
        train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
    assert part.metrics_file.read_bytes() == rows


def test_a_flipped_bit_in_the_archives_own_names_is_noticed(calm, tmp_path):
    content = bytearray(calm.last_checkpoint.read_bytes())
    directory = content.index(b"PK\x01\x02")
    for place in range(content.index(b"data.pkl", directory), content.index(b"data.pkl", directory) + 8):
        flipped = bytearray(content)
        flipped[place] ^= 128  # no longer ASCII, and no UTF-8
        (tmp_path / "flipped.ckpt").write_bytes(flipped)
        with pytest.raises(BrokenCheckpoint, match="not a checkpoint of gan-lab, or a broken one"):
            load_checkpoint(tmp_path / "flipped.ckpt")


def test_an_archive_that_packs_its_members_is_none_of_ours(calm, tmp_path):
    """Packed zeros make a small file of gigabytes."""
    packed = tmp_path / "packed.ckpt"
    with zipfile.ZipFile(calm.last_checkpoint) as ours, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as other:
        for member in ours.namelist():
            other.writestr(member, ours.read(member))
    with pytest.raises(BrokenCheckpoint, match="not a checkpoint of gan-lab"):
        load_checkpoint(packed)


def test_a_checkpoint_that_cannot_be_read_is_not_called_broken(composed, part, monkeypatch):
    def locked(file):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", locked)
        with pytest.raises(ConfigError, match=r"iteration_0000006\.ckpt: it cannot be read: Permission denied"):
            train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
    assert part.saved_iterations() == [3, 6]
    assert not list(part.checkpoints.glob("*.broken"))


def test_a_users_copy_of_a_checkpoint_is_left_alone(composed, calm, part):
    for name in ("iteration_0000006_best.ckpt", "iteration_0000006_1.ckpt"):
        shutil.copyfile(part.checkpoint(6), part.checkpoints / name)
    assert part.saved_iterations() == [3, 6]
    train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
    assert differences(calm.path, part.path) == []
    assert (part.checkpoints / "iteration_0000006_best.ckpt").exists()


class Payload:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_a_checkpoint_that_would_run_code_runs_none(composed, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "payload": Payload()}, part.checkpoint(20))
    with zipfile.ZipFile(part.checkpoint(21), "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload()))
    part.checkpoint(22).write_bytes(pickle.dumps(Payload()))
    for iteration in (20, 21, 22):
        with pytest.raises(ConfigError, match="not a checkpoint of gan-lab"):
            load_checkpoint(part.checkpoint(iteration))
    train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
    assert not (tmp_path / "owned").exists()
    torch.load(tmp_path / "run" / "checkpoints" / "iteration_0000020.broken", weights_only=False)  # it would have
    assert (tmp_path / "owned").exists()


def test_weights_that_do_not_fit_are_refused_with_nothing_changed(composed, part):
    intact = load_checkpoint(part.checkpoint(6))
    names = list(intact["state_dict"])
    for change in ({names[0]: None}, {names[0]: torch.zeros(3)}, {"another": torch.zeros(3)}):
        weights = {name: value for name, value in (intact["state_dict"] | change).items() if value is not None}
        torch.save(intact | {"state_dict": weights}, part.checkpoint(6))
        before = {file: file.read_bytes() for file in part.path.rglob("*") if file.is_file()}
        with pytest.raises(ConfigError, match=r"iteration_0000006\.ckpt: its weights do not fit the run's configura"):
            train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
        after = {file: file.read_bytes() for file in part.path.rglob("*") if file.is_file()}
        assert {file.name for file in before if before[file] != after[file]} <= {"status.json"}
        assert before.keys() == after.keys()


def test_other_data_are_refused(composed, part, monkeypatch):
    from gan_lab.training import build as training

    original = training.build_dataset
    monkeypatch.setattr(training, "build_dataset", lambda config: replace(original(config), checksum="another"))
    with pytest.raises(ConfigError, match="dataset: the checksum of its data is another: expected"):
        train_in(part.path, composed(*SMALL, *OFTEN), resume=True)
