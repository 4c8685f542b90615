"""The clock of a run, which counts seconds of training alone, and the limit on them.

Set-up, evaluation, pictures and checkpoints are not training.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.lightning_internals import end_after_this_iteration
from gan_lab.callbacks.base import Callback
from gan_lab.distributed.collectives import as_the_first


class Stopwatch(Callback):
    """Counts the seconds of training; other callbacks stop it around work that is not training.

    A GPU works behind the program that queues its work. The stopwatch therefore waits for the GPU before it is read at
    a stop and before it goes on.
    """

    def __init__(self) -> None:
        self._seconds = 0.0  # up to the last stop
        self._since: float | None = None  # the time of the last start; None while stopped

    def seconds(self) -> float:
        """Training seconds so far."""
        return self._seconds + (0.0 if self._since is None else time.perf_counter() - self._since)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count the time spent inside."""
        if self._since is None:  # it is stopped already
            yield
            return
        self._stop()
        yield
        self._start()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def state_dict(self) -> dict[str, float]:
        return {"seconds": self.seconds()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._seconds = state["seconds"]

    def _start(self) -> None:
        _wait_for_gpu()
        self._since = time.perf_counter()

    def _stop(self) -> None:
        _wait_for_gpu()
        self._seconds, self._since = self.seconds(), None


class Deadline(Callback):
    """Ends training with the iteration in which its seconds run out.

    That iteration becomes ``trainer.max_steps``, by which callbacks know the last one. So this callback must come
    before all that do something at the last iteration.

    Args:
        seconds: training seconds allowed; None for no limit.
        stopwatch: the clock.
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
            end_after_this_iteration(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train no further in a run whose seconds had run out when its last checkpoint was saved."""
        if self.over:
            end_after_this_iteration(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"over": self.over}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.over = state["over"]


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
