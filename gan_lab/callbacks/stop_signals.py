"""Being stopped from outside: finish the iteration, save, leave."""

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.checkpoints import Checkpoints
from gan_lab.distributed.collectives import as_the_first
from gan_lab.runs.stop_signals import Stop


class Signals(Callback):
    """Lets a signal wait for the end of the iteration, saves a checkpoint then, and exits with 128 + the signal.

    Args:
        stop: hears the signals.
    """

    def __init__(self, stop: Stop) -> None:
        self.stop = stop

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.listen()  # Lightning has put its own in the place of some
        self.stop.waits = True

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        received = as_the_first(self.stop.received)  # a signal reaches processes in different iterations
        if received is None:
            return
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        (checkpoints,) = (callback for callback in callbacks if isinstance(callback, Checkpoints))
        checkpoints.do(trainer, module)
        raise SystemExit(128 + received)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.waits = False
