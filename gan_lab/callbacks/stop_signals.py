"""A run that is told to stop by a signal finishes its iteration, saves a checkpoint and exits."""

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.checkpoints import Checkpoints
from gan_lab.callbacks.progress import ProgressBar
from gan_lab.distributed.collectives import as_the_first
from gan_lab.runs.stop_signals import Stop


class Signals(Callback):
    """Answers a signal at the end of the iteration: saves a checkpoint and exits with status 128 + the signal's number.

    Args:
        stop: receives the signals.
        checkpoints: saves the checkpoint.
        bar: says at once that the run is stopping.
    """

    def __init__(self, stop: Stop, checkpoints: Checkpoints, bar: ProgressBar) -> None:
        self.stop = stop
        self.checkpoints = checkpoints
        self.stop.answer = lambda: bar.entitle("stopping")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.listen()  # Lightning has replaced some of the handlers by its own
        self.stop.waits = True

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        received = as_the_first(self.stop.received)  # processes receive a signal in different iterations
        if received is not None:
            self.checkpoints.do(trainer, module)
            raise SystemExit(128 + received)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.waits = False
