"""What Lightning's callbacks log: curves of their own, beside gan_lab's."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import DummyExperiment, Logger

from gan_lab.algorithms.lightning_internals import batches_done
from gan_lab.callbacks.logger import Curves


class CallbackCurves(Logger):
    """The one logger that Lightning's callbacks see as ``trainer.logger``: it passes on to all that gan_lab writes to.

    Points go to callbacks.csv, TensorBoard and the trackers; metrics.csv gets none. A point belongs to the iteration
    under way, from its first hook to its last: a run that goes on then logs none again.

    Args:
        curves: writes them.
        trainer: gives the run's trainer, which is made after this.
    """

    def __init__(self, curves: Curves, trainer: Callable[[], pl.Trainer]) -> None:
        super().__init__()
        self.curves = curves
        self.trainer = trainer

    name = ""
    version = ""

    @property
    def save_dir(self) -> str | None:
        """The run's folder."""
        return None if self.curves.folder is None else str(self.curves.folder.path)

    @property
    def experiment(self) -> Any:
        """TensorBoard's writer, or something that takes any call before training begins and where nothing is written.

        Lightning looks at it before a checkpoint is restored, when the run may still be refused.
        """
        return self.curves.tensorboard if self.curves.began else DummyExperiment()

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Write points. Lightning counts iterations from 0: its step i − 1 is iteration i."""
        trainer = self.trainer()
        done = batches_done(trainer)
        iteration = min(done + 1, trainer.max_steps) if step is None or step == done else step
        values = {re.sub(r'[,"\s\0]', "_", name): float(value) for name, value in metrics.items() if name != "epoch"}
        self.curves.write_of_callbacks(iteration, values)

    def log_hyperparams(self, *arguments: Any, **keywords: Any) -> None:
        """The trackers get a run's hyper-parameters from gan_lab."""
