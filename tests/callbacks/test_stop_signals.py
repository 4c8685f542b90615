"""Signals: in training the iteration ends and is saved; none is lost, whenever it comes."""

import os
import signal
from contextlib import suppress

import pytest
from omegaconf import DictConfig
from training_runs import OFTEN, SMALL, differences, train_in

from gan_lab.algorithms.gan import GAN
from gan_lab.callbacks import Curves
from gan_lab.cli import train
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.runs.status import recorded
from gan_lab.runs.stop_signals import ended_by_interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_the_iteration_and_saves(composed, calm, tmp_path, monkeypatch, capsys, number):
    config = composed(*SMALL, *OFTEN)
    original = GAN.update_generator

    def signalled(self, *arguments):
        if self.trainer.global_step == 7:
            os.kill(os.getpid(), number)
        return original(self, *arguments)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "update_generator", signalled)
        with pytest.raises(SystemExit) as stop:
            train_in(tmp_path / "run", config)
    assert stop.value.code == 128 + number
    assert "stopping" in capsys.readouterr().err
    assert signal.getsignal(number) == before
    folder = RunFolder(tmp_path / "run")
    assert (folder.status()["state"], folder.status()["iteration"]) == ("interrupted", 8)
    assert folder.status()["error"] == f"stopped by {number.name}"
    assert folder.saved_iterations() == [6, 8]
    train_in(tmp_path / "run", config, resume=True)
    assert differences(calm.path, folder.path) == []


def test_a_second_interrupt_stops_at_once(composed, tmp_path, monkeypatch):
    original = GAN.update_generator

    def impatient(self, *arguments):
        if self.trainer.global_step == 7:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *arguments)

    monkeypatch.setattr(GAN, "update_generator", impatient)
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL, *OFTEN))
    assert stop.value.code == 130
    assert RunFolder(tmp_path / "run").saved_iterations() == [3, 6]
    assert RunFolder(tmp_path / "run").status()["error"] == "stopped by SIGINT"


@pytest.mark.parametrize("code", [3, 255])
def test_a_class_that_ends_the_program_is_a_failure(tmp_path, monkeypatch, capsys, code):
    run = RunFolder(tmp_path)

    def execute(request):
        with recorded(run, "0"):
            raise SystemExit(code)

    monkeypatch.setattr(train, "execute", execute)
    with suppress(SystemExit):
        train.make_run(RunRequest(DictConfig({}), run, {}))
    assert (run.status()["state"], run.status()["error"]) == ("failed", f"exited with status {code}")
    assert capsys.readouterr().err == ""  # it was not stopped, and would not go on


def test_a_signal_before_training_is_recorded(composed, tmp_path, monkeypatch):
    from gan_lab.training import build as training

    monkeypatch.setattr(training, "build_dataset", lambda config: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL))
    assert stop.value.code == 143
    assert RunFolder(tmp_path / "run").status()["state"] == "interrupted"


def test_a_signal_that_something_makes_another_exception_of_is_not_lost(composed, tmp_path, monkeypatch):
    """As OmegaConf does, in whose midst it comes."""
    from gan_lab.training import build as training

    def confused(config):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except SystemExit:
            raise AttributeError("'NoneType' object has no attribute '_invalidate_flags_cache'")  # noqa: B904

    monkeypatch.setattr(training, "build_dataset", confused)
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL))
    assert stop.value.code == 130
    status = RunFolder(tmp_path / "run").status()
    assert (status["state"], status["error"]) == ("interrupted", "stopped by SIGINT")


def test_a_signal_that_something_swallows_ends_the_first_iteration(composed, tmp_path, monkeypatch):
    from gan_lab.training import build as training

    original = training.build_dataset

    def swallowing(config):
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        return original(config)

    monkeypatch.setattr(training, "build_dataset", swallowing)
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL, *OFTEN))
    assert stop.value.code == 143
    assert RunFolder(tmp_path / "run").saved_iterations() == [1]


def test_a_signal_before_there_are_curves_is_recorded(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(Curves, "setup", lambda self, *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stop:
        train_in(tmp_path / "run", composed(*SMALL))
    assert stop.value.code == 143
    assert RunFolder(tmp_path / "run").status()["state"] == "interrupted"


def test_an_exit_that_something_made_another_exception_of_is_an_exit():
    @ended_by_interrupt()
    def exits():
        try:
            raise SystemExit(143)
        finally:
            raise AttributeError("of a half-changed configuration")

    with pytest.raises(SystemExit) as stop:
        exits()
    assert stop.value.code == 143
    with pytest.raises(ZeroDivisionError), ended_by_interrupt():
        _ = 1 / 0
