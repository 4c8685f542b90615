"""Being stopped from outside: finish the iteration, save, leave."""

import signal
from types import FrameType, TracebackType
from typing import Any

import pytorch_lightning as pl

from gan_lab.adversary import AdversarialModule
from gan_lab.callbacks.callback import Callback
from gan_lab.callbacks.checkpoints import Checkpoints
from gan_lab.losses.processes import as_the_first

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Signals(Callback):
    """On Ctrl-C, a request to terminate or SLURM's warning, saves a checkpoint and exits with 128 + the signal.

    In training that is at the end of the iteration, and a second Ctrl-C stops at once; before and after it, where there
    is nothing to save, it is at once. As a context it covers all three.
    """

    def __init__(self) -> None:
        self._training = False
        self._received: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Signals":
        self._before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self._training or number == self._received == signal.SIGINT:
            raise SystemExit(128 + number)
        self._received = number

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._receive)  # Lightning has put its own in the place of some
        self._training = True

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        received = as_the_first(self._received)  # a signal reaches processes in different iterations
        if received is None:
            return
        assert isinstance(pl_module, AdversarialModule)
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        (checkpoints,) = (callback for callback in callbacks if isinstance(callback, Checkpoints))
        checkpoints.do(trainer, pl_module)
        raise SystemExit(128 + received)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._training = False
