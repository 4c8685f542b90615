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


class SharedClock(Stopwatch):
    """The clock of several runs that train as one program, of whose seconds each gets an equal share.

    Attributes:
        share: a run's seconds since the clock began. It moves after an iteration alone, so that within one all runs
            read the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.share = 0.0
        self._divided = 0.0  # the seconds that have been

    def begin(self) -> None:
        """Count from now on."""
        self._start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """As that of one run; it goes on for the others if a run ends inside."""
        running = self._since is not None
        if running:
            self._stop()
        try:
            yield
        finally:
            if running:
                self._start()

    def divide(self, runs: int) -> None:
        """Divide the seconds since the last time among so many runs."""
        now = self.seconds()
        self.share += (now - self._divided) / runs
        self._divided = now


class Share(Stopwatch):
    """A run's part of a shared clock; its state is that of a `Stopwatch`.

    Args:
        clock: runs while all train.
    """

    def __init__(self, clock: SharedClock) -> None:
        super().__init__()
        self.clock = clock
        self._over: float | None = None  # the share at the end

    @property
    def state_key(self) -> str:
        return Stopwatch.__qualname__

    def seconds(self) -> float:
        return self._seconds + (self.clock.share if self._over is None else self._over)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        with self.clock.stopped():
            yield

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The clock begins when all runs have started."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._over = self.clock.share


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

    def idle(self, iteration: int) -> bool:
        return self.seconds is None or self.stopwatch.seconds() < self.seconds

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
