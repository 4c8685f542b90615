"""Seconds of training alone: no set-up, no evaluation, no pictures, no checkpoints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.distributed.collectives import as_the_first


class Stopwatch(Callback):
    """Runs while training runs; other callbacks stop it around work that is not training."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None

    def seconds(self) -> float:
        """Training seconds so far."""
        return self._seconds + (0.0 if self._since is None else time.perf_counter() - self._since)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count what happens inside; work queued on a GPU before it is waited for, and counted."""
        self._stop()
        yield
        self._go()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._go()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def state_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._seconds = state["seconds"]

    def _go(self) -> None:
        _wait_for_gpu()
        self._since = time.perf_counter()

    def _stop(self) -> None:
        _wait_for_gpu()
        self._seconds, self._since = self.seconds(), None


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Deadline(Callback):
    """Comes before all that acts at the last iteration, which is what ``trainer.max_steps`` says.

    Args:
        seconds: of training alone, or None for no limit.
        stopwatch: tells them.
    """

    def __init__(self, seconds: float | None, stopwatch: Stopwatch) -> None:
        self.seconds = seconds
        self.stopwatch = stopwatch
        self.over = False

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        if self.seconds is not None and as_the_first(self.stopwatch.seconds() >= self.seconds):
            self.over = True
            self._end(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was stopped between its last checkpoint and its result has no iteration left."""
        if self.over:
            self._end(trainer)

    def _end(self, trainer: pl.Trainer) -> None:
        trainer.fit_loop.epoch_loop.max_steps = trainer.global_step

    def state_dict(self) -> dict[str, Any]:
        return {"over": self.over}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.over = state["over"]
