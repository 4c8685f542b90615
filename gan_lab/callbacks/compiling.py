"""Compiling losses: it is said on the bar, and it is no training time."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.progress import ProgressBar


class Compiling(Callback):
    """Stops the clock and changes the bar's title while a loss is compiled.

    Args:
        stopwatch: the clock.
        bar: the bar.
    """

    def __init__(self, stopwatch: Stopwatch, bar: ProgressBar) -> None:
        self.stopwatch = stopwatch
        self.bar = bar

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Algorithm)
        if pl_module.compiled is not None:
            pl_module.compiled.around = self._around

    @contextmanager
    def _around(self) -> Iterator[None]:
        with self.stopwatch.stopped(), self.bar.titled("compiling"):
            yield
