"""The curves of a run: collected every iteration, written every few, to TensorBoard and metrics.csv alike.

What the clock says goes to TensorBoard and times.csv instead: metrics.csv is a function of the configuration.
"""

import math
import statistics
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.utils import get_total_norm
from torch.utils.tensorboard import SummaryWriter

from gan_lab.callbacks.stopwatch import Stopwatch
from gan_lab.errors import Diverged
from gan_lab.run_folder import RunFolder, append_points


class Curves(pl.Callback):
    """Keeps each iteration's losses, logits and gradient norms on the device, and writes their means.

    A point at iteration i is the mean over the iterations since the point before; weight norms are those at i. Every
    single iteration's values are looked at: the first that is not finite ends the run, by its number and name.

    Args:
        folder: the run's folder.
        every: iterations between points.
        stopwatch: tells the training time.
    """

    def __init__(self, folder: RunFolder, every: int, stopwatch: Stopwatch) -> None:
        self.folder = folder
        self.every = every
        self.stopwatch = stopwatch
        self.latest: dict[str, float] = {}
        self._kept: list[dict[str, Tensor]] = []
        self._seconds = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.tensorboard = SummaryWriter(str(self.folder.path))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:
            self.write(0, {name: norm.item() for name, norm in _weight_norms(pl_module).items()})

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._kept.append(outputs)
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            self.flush(trainer)

    def flush(self, trainer: pl.Trainer) -> None:
        """Look at and write what was kept since the last time.

        Raises:
            Diverged: if a value is not finite.
        """
        if not self._kept:
            return
        rows, self._kept = self._kept, []
        rows[-1] = rows[-1] | _weight_norms(trainer.lightning_module)
        first = trainer.global_step - len(rows) + 1
        # one transfer from the device; a lazy penalty is missing from most rows, and from their mean
        values = iter(torch.stack([value.float() for row in rows for value in row.values()]).tolist())
        points: dict[str, list[float]] = {}
        # fp16's loss scaling overflows gradients on purpose, now and then, and skips the step
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        for iteration, row in enumerate(rows, first):
            for name in row:
                value = next(values)
                if not math.isfinite(value) and not (scaled and name.startswith("grad_norm/")):
                    raise Diverged(iteration, name, value)
                points.setdefault(name, []).append(value)
        means = {name: statistics.fmean(column) for name, column in points.items()}
        means["logits/gap"] = means["logits/real"] - means["logits/fake"]
        self.write(trainer.global_step, means)
        seconds = self.stopwatch.seconds()
        times = {
            "time/train_seconds": seconds,
            "time/iterations_per_second": len(rows) / (seconds - self._seconds),
        }
        self._seconds = seconds
        self._write(trainer.global_step, times, self.folder.times_file)

    def write(self, iteration: int, values: dict[str, float]) -> None:
        """Write points of curves at an iteration."""
        self.latest |= values
        self._write(iteration, values, self.folder.metrics_file)

    def _write(self, iteration: int, values: dict[str, float], file: Path) -> None:
        append_points(file, iteration, values)
        for name, value in values.items():
            self.tensorboard.add_scalar(name, value, iteration)

    def write_hyperparameters(self, parameters: dict[str, Any], metrics: dict[str, float]) -> None:
        """Enter the run in TensorBoard's HPARAMS page, with its final metrics, and close its file."""
        from torch.utils.tensorboard.summary import hparams

        metrics = {f"metric/{name}": value for name, value in metrics.items() if math.isfinite(value)}
        for summary in hparams(parameters, metrics):
            self.tensorboard._get_file_writer().add_summary(summary)
        self.tensorboard.close()


def _weight_norms(module: pl.LightningModule) -> dict[str, Tensor]:
    players = ("generator", "discriminator")
    return {f"weight_norm/{name}": get_total_norm(getattr(module, name).parameters()).detach() for name in players}
