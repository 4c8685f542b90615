"""What Lightning's callbacks log: curves of their own, beside gan_lab's."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning.loggers.logger import DummyExperiment, Logger

from gan_lab.callbacks.logger import Curves


class GuestCurves(Logger):
    """The one logger that Lightning's callbacks see as ``trainer.logger``: it passes on to all that gan_lab writes to.

    Points go to callbacks.csv, TensorBoard and the trackers, at the number of iterations done. metrics.csv gets none.

    Args:
        curves: writes them.
        iterations: the number of iterations done.
    """

    def __init__(self, curves: Curves, iterations: Callable[[], int]) -> None:
        super().__init__()
        self.curves = curves
        self.iterations = iterations

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
        """Write points. Lightning counts iterations from 0: what it logs after iteration i, it logs at i − 1."""
        done = self.iterations()
        iteration = done if step is None or step == done - 1 else step
        values = {re.sub(r'[,"\s\0]', "_", name): float(value) for name, value in metrics.items() if name != "epoch"}
        self.curves.write_guests(iteration, values)

    def log_hyperparams(self, *arguments: Any, **keywords: Any) -> None:
        """The trackers get a run's hyper-parameters from gan_lab."""
