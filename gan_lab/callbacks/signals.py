"""Being stopped from outside: finish the iteration, save, leave."""

import signal
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from gan_lab.adversary import AdversarialModule
from gan_lab.callbacks.checkpoints import Checkpoints

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Signals(pl.Callback):
    """On Ctrl-C or a request to terminate, ends the iteration, saves a checkpoint and exits with 128 + the signal.

    A second Ctrl-C stops at once.

    Args:
        checkpoints: what saves.
    """

    def __init__(self, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self._received: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._received == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._received is None:
            return
        assert isinstance(pl_module, AdversarialModule)
        self.checkpoints.curves.flush(trainer)
        self.checkpoints.act(trainer, pl_module, trainer.global_step)
        raise SystemExit(128 + self._received)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
