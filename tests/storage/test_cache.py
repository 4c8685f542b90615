"""The cache: made once, checked when read, and never in the way of what is already there."""

import multiprocessing
import os
import signal
import time

import pytest
import torch

from gan_lab.errors import ConfigError
from gan_lab.storage.cache import cached


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kind"


def test_made_once_for_each_key(folder):
    made = []

    def make():
        made.append(1)
        return {"weights": torch.arange(3), "accuracy": 0.5}

    first, again = cached("kind", {"a": 1}, make), cached("kind", {"a": 1}, make)
    assert torch.equal(first["weights"], again["weights"])
    assert (again["accuracy"], len(made)) == (0.5, 1)
    cached("kind", {"a": 2}, make)
    assert len(made) == 2


@pytest.mark.parametrize("damage", ["cut", "other", "flipped", "empty"])
def test_damage_is_seen(folder, damage):
    cached("kind", {}, lambda: torch.zeros(100))
    (file,) = folder.glob("*.pt")
    whole = file.read_bytes()
    flipped = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    file.write_bytes({"cut": whole[:-1], "other": b"hello", "flipped": flipped, "empty": b""}[damage])
    with pytest.raises(ConfigError, match=r"\.pt: this file of the cache is broken; delete it"):
        cached("kind", {}, lambda: torch.zeros(100))


def test_what_is_there_is_read_without_a_lock(folder):
    cached("kind", {}, lambda: torch.ones(2))
    for lock in folder.glob("*.lock"):
        lock.unlink()
    cached("kind", {}, lambda: torch.zeros(2))
    assert not list(folder.glob("*.lock"))


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"^GAN_LAB_CACHE=\S*file: the cache cannot be written: "):
        cached("kind", {}, lambda: 1)


def test_an_error_of_the_making_is_its_own(folder):
    with pytest.raises(FileNotFoundError, match="nope"):
        cached("kind", {}, lambda: os.stat("nope"))
    assert not list(folder.glob("*.pt"))


def make_slowly(log, dies=False):
    with log.open("a") as file:
        file.write("made\n")
    time.sleep(0.5)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.arange(5)


def take(log, barrier, dies=False):
    barrier.wait()
    assert cached("kind", {}, lambda: make_slowly(log, dies)).tolist() == [0, 1, 2, 3, 4]


def test_processes_that_need_the_same_at_once(folder, tmp_path):
    """One makes it, the others wait."""
    context, log = multiprocessing.get_context("fork"), tmp_path / "log"
    barrier = context.Barrier(3)
    processes = [context.Process(target=take, args=(log, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.read_text() == "made\n"


def test_another_process_makes_what_one_died_over(folder, tmp_path):
    context, log = multiprocessing.get_context("fork"), tmp_path / "log"
    doomed = context.Process(target=take, args=(log, context.Barrier(1), True))
    doomed.start()
    while not log.exists():
        time.sleep(0.01)
    take(log, context.Barrier(1))  # which waits for the lock
    doomed.join(60)
    assert doomed.exitcode == -signal.SIGKILL
    assert log.read_text() == "made\nmade\n"
