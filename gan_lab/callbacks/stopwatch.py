"""Seconds of training alone: no set-up, no evaluation, no pictures, no checkpoints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch

from gan_lab.callbacks.callback import Callback


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
