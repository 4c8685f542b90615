"""Being stopped from outside: finish the iteration, save, leave."""

from typing import Any

import pytorch_lightning as pl

from gan_lab.adversary import AdversarialModule
from gan_lab.callbacks.callback import Callback
from gan_lab.callbacks.checkpoints import Checkpoints
from gan_lab.losses.processes import as_the_first
from gan_lab.stopping import Stop


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

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        received = as_the_first(self.stop.received)  # a signal reaches processes in different iterations
        if received is None:
            return
        assert isinstance(pl_module, AdversarialModule)
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        (checkpoints,) = (callback for callback in callbacks if isinstance(callback, Checkpoints))
        checkpoints.do(trainer, pl_module)
        raise SystemExit(128 + received)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.waits = False
