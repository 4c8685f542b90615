"""A budget of seconds: the iteration in which it runs out becomes the last."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.adversary import AdversarialModule
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
        self.over = False

    def after_iteration(
        self, trainer: pl.Trainer, module: AdversarialModule, iteration: int, curves: dict[str, Tensor]
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
