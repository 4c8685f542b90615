"""A budget of seconds: the iteration in which it runs out becomes the last."""

from typing import Any

import pytorch_lightning as pl

from gan_lab.callbacks.callback import Callback
from gan_lab.callbacks.stopwatch import Stopwatch
from gan_lab.losses.processes import as_the_first


class Deadline(Callback):
    """Comes before all that acts at the last iteration, which is what ``trainer.max_steps`` says.

    Args:
        seconds: of training alone, or None for no limit.
        stopwatch: tells them.
    """

    def __init__(self, seconds: float | None, stopwatch: Stopwatch) -> None:
        self.seconds = seconds
        self.stopwatch = stopwatch

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.seconds is not None and as_the_first(self.stopwatch.seconds()) >= self.seconds:
            trainer.fit_loop.epoch_loop.max_steps = trainer.global_step
