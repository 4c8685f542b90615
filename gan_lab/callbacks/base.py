"""The base class of gan_lab's callbacks, and the callback that calls them after every iteration."""

from collections.abc import Callable, Sequence
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.lightning_internals import SKIPPED_HOOK


class Callback(pl.Callback):
    """A callback that works after an iteration in `after_iteration`, which `AfterIterations` calls.

    Lightning's own hooks around an iteration are skipped: called for every callback, they would take a tenth of the
    time of an iteration of small networks.
    """

    on_train_batch_start: Any = SKIPPED_HOOK
    on_train_batch_end: Any = SKIPPED_HOOK

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        """Do the work that follows an iteration; nothing by default.

        A run in a stack calls it only after iterations in which a callback is not `idle`.

        Args:
            trainer: the run's trainer.
            module: the run's networks.
            iteration: number of iterations done.
            curves: the values of the last iteration by tag, scalars or logits ``[B]``, on the device.
        """

    def idle(self, iteration: int) -> bool:
        """Whether there is nothing to do after an iteration that is not the last."""
        return True


class AtStart(Callback):
    """Calls a function when everything has been restored and training is about to begin."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function
        self.called = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.called = True
        self.function()


class AfterIterations(Callback):
    """Calls `Callback.after_iteration` of the callbacks, in their order, from one hook of Lightning's."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = callbacks

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Algorithm)
        self.call(trainer, pl_module, trainer.global_step, outputs)

    def call(self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]) -> None:
        """Call all; the arguments are those of `Callback.after_iteration`."""
        for callback in self.callbacks:
            callback.after_iteration(trainer, module, iteration, curves)
