"""A run that is told to stop, by a signal or a user's callback, finishes its iteration, saves a checkpoint and ends."""

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.checkpoints import Checkpoints
from gan_lab.callbacks.progress import ProgressBar
from gan_lab.distributed.collectives import as_the_first
from gan_lab.errors import ConfigError
from gan_lab.runs.stop_signals import Stop


class Signals(Callback):
    """Answers a signal at the end of the iteration: saves a checkpoint and exits with status 128 + the signal's number.

    A callback that sets ``trainer.should_stop`` has the checkpoint saved, too, and is refused then: a run has a result
    only of all its iterations.

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
        # processes receive a signal in different iterations
        received, should_stop = as_the_first((self.stop.received, trainer.should_stop))
        if received is not None:
            self.checkpoints.do(trainer, module)
            raise SystemExit(128 + received)
        if should_stop and iteration < trainer.max_steps:
            self.checkpoints.do(trainer, module)
            raise stopped_by_callback(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.waits = False


def stopped_by_callback(trainer: pl.Trainer) -> ConfigError:
    """The error that ends a run in which a callback has set ``trainer.should_stop``."""
    return ConfigError(
        f"callbacks: one has set trainer.should_stop, after {trainer.global_step} of {trainer.max_steps} iterations; "
        "expected stop_early.metric=NAME to end training early, or resume=RUN to go on without the callback"
    )
