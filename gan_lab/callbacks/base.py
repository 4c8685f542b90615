"""What every callback of a run is."""

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm


class Callback(pl.Callback):
    """A callback whose work after an iteration is `after_iteration`.

    Lightning's own hooks round an iteration cost a tenth of a toy's: it opens a profiler's context for every one of
    every callback, also for those that do nothing. What is no function it passes over.
    """

    on_train_batch_start: Any = None
    on_train_batch_end: Any = None

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        """What is to be done with ``iteration`` iterations done, the last of which had these curves."""


class AfterIterations(Callback):
    """Has every callback of the trainer do its work after an iteration, in their order."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        self.callbacks = [callback for callback in callbacks if isinstance(callback, Callback)]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Algorithm)
        iteration = trainer.global_step
        for callback in self.callbacks:
            callback.after_iteration(trainer, pl_module, iteration, outputs)
