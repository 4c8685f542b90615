"""The base class of callbacks that work every few iterations and after the last, outside training time."""

import math
from abc import abstractmethod

import pytorch_lightning as pl
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.logger import Curves
from gan_lab.errors import Diverged, NotFinite


class Periodic(Callback):
    """Calls `act` every few iterations and after the last, unless the model has diverged.

    Args:
        every: iterations between calls.
        curves: checks first that all values so far are finite.
        stopwatch: stopped during the call.
    """

    def __init__(self, every: int, curves: Curves, stopwatch: Stopwatch) -> None:
        self.every = every
        self.curves = curves
        self.stopwatch = stopwatch

    @abstractmethod
    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        """Do the work, with ``iteration`` iterations done."""

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        if self.due(iteration) or iteration == trainer.max_steps:
            self.do(trainer, module)

    def idle(self, iteration: int) -> bool:
        return not self.due(iteration)

    def due(self, iteration: int) -> bool:
        """Whether to act after this iteration; the last one is always acted upon."""
        return iteration % self.every == 0

    def do(self, trainer: pl.Trainer, module: Algorithm) -> None:
        """Call `act` now.

        Raises:
            Diverged: if a loss, logit, gradient, weight or generated sample is not finite.
        """
        iteration = trainer.global_step
        with self.stopwatch.stopped():
            self.curves.check_finite(trainer)
            try:
                self.act(trainer, module, iteration)
            except NotFinite as error:
                raise Diverged(iteration, error.what, math.nan) from error
