"""The curves of a run: collected every iteration, written every few, to TensorBoard and metrics.csv alike.

What the clock says goes to TensorBoard and times.csv instead: metrics.csv is a function of the configuration.
"""

import logging
import math
import statistics
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.player import total_norm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.distributed.collectives import mean_of_each
from gan_lab.errors import Diverged
from gan_lab.runs.folder import RunFolder, append_points
from gan_lab.storage.files import sync

log = logging.getLogger(__name__)

_MOST_KEPT = 1000  # iterations whose values wait on the device, however rarely points are written

_CHARTS = {  # of TensorBoard's page of custom scalars, by the beginning of the tags
    "loss": "losses and penalties",
    "logits": "logits",
    "accuracy": "discriminator's accuracy",
    "metric": "metrics",
    "signal": "signs of collapse",
    "grad_norm": "gradient norms",
    "weight_norm": "weight norms",
}


class Curves(Callback):
    """Keeps each iteration's losses, logits and gradient norms on the device, and writes their means.

    A point at iteration i is the mean over the iterations since the point before; weight norms are those at i. When a
    point is written depends on nothing but ``every``. Every single iteration's values are looked at: the first that is
    not finite ends the run, by its number and name, unless updates with such values are skipped.

    Args:
        folder: the run's folder.
        every: iterations between points.
        stopwatch: tells the training time.
        start: iterations done before, or None in a run's first process; TensorBoard hides what it has of later ones.
    """

    def __init__(self, folder: RunFolder, every: int, stopwatch: Stopwatch, start: int | None = None) -> None:
        self.folder = folder
        self.every = every
        self.stopwatch = stopwatch
        self.start = start
        self.latest: dict[str, float] = {}
        self._kept: list[dict[str, Tensor]] = []  # since the last look, on the device
        self._seen: dict[str, list[float]] = {}  # since the last point, found finite
        self._opened = ExitStack()  # nothing, until there is a writer: a run may be stopped before
        self._rows = {folder.metrics_file.name: 0, folder.times_file.name: 0}  # written
        self._point = 0  # the iteration of the last point
        self._seconds = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        purge = None if self.start is None else self.start + 1
        self.tensorboard = SummaryWriter(str(self.folder.path), purge_step=purge)
        self._opened.callback(self.tensorboard.close)
        self.tensorboard.add_custom_scalars(
            {"gan_lab": {title: ["Multiline", [f"{group}/.*"]] for group, title in _CHARTS.items()}}
        )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Algorithm)
        if trainer.global_step == 0:
            self.write(0, {name: norm.item() for name, norm in _weight_norms(pl_module).items()})

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        self._kept.append(curves)
        if iteration % self.every == 0 or iteration == trainer.max_steps:
            self._write_point(trainer)
        elif len(self._kept) >= _MOST_KEPT:
            self.look(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Show all there is of a run that ends before its time."""
        with suppress(OSError):  # a full disk may be why it ends, and is said by what ended it
            self._opened.close()

    def look(self, trainer: pl.Trainer) -> dict[str, float]:
        """See that all is finite so far, and return the norms of the weights, which are looked at too.

        Raises:
            Diverged: if a value is not.
        """
        module = trainer.lightning_module
        assert isinstance(module, Algorithm)
        rows, self._kept = [*_scalars(self._kept), _weight_norms(module)], []
        # one transfer from the device; a lazy penalty is missing from most rows, and from their mean
        column = torch.stack([value.float() for row in rows for value in row.values()])
        values = iter(mean_of_each(column).tolist())
        # fp16's loss scaling overflows gradients on purpose, now and then, and skips the step
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        for iteration, row in enumerate(rows[:-1], trainer.global_step - len(rows) + 2):
            for name in row:
                value = next(values)
                if math.isfinite(value) or (scaled and name.startswith("grad_norm/")):
                    self._seen.setdefault(name, []).append(value)
                elif not module.skips_bad_updates:
                    raise Diverged(iteration, name, value)
        norms = dict(zip(rows[-1], values, strict=True))
        for name, value in norms.items():
            if not math.isfinite(value):
                raise Diverged(trainer.global_step, name, value)
        return norms

    def _write_point(self, trainer: pl.Trainer) -> None:
        norms = self.look(trainer)
        means = {name: statistics.fmean(column) for name, column in self._seen.items()} | norms
        self._seen = {}
        if "logits/real" in means and "logits/fake" in means:  # there was a batch whose logits are finite
            means["logits/gap"] = means["logits/real"] - means["logits/fake"]
        iteration, seconds = trainer.global_step, self.stopwatch.seconds()
        self.write(iteration, means)
        times = {
            "time/train_seconds": seconds,
            "time/iterations_per_second": (iteration - self._point) / (seconds - self._seconds),
        }
        self._write(iteration, times, self.folder.times_file)
        self._point, self._seconds = iteration, seconds

    def write(self, iteration: int, values: dict[str, float]) -> None:
        """Write points of curves at an iteration."""
        self.latest |= values
        self._write(iteration, values, self.folder.metrics_file)

    def _write(self, iteration: int, values: dict[str, float], file: Path) -> None:
        append_points(file, iteration, values)
        self._rows[file.name] += len(values)
        for name, value in values.items():
            self.tensorboard.add_scalar(name, value, iteration)

    def sync(self) -> None:
        """Have all curves so far on the disk: a checkpoint is never ahead of them."""
        self.tensorboard.flush()
        for file in (self.folder.metrics_file, self.folder.times_file):
            if file.exists():
                sync(file)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self._seen, "point": self._point, "seconds": self._seconds, "rows": dict(self._rows)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._seen, self._point, self._seconds = state["seen"], state["point"], state["seconds"]
        self._rows = {name: self._found(name, rows) for name, rows in state["rows"].items()}

    def _found(self, name: str, expected: int) -> int:
        """How many rows a file has; if some are gone, that is said: they cannot be made again."""
        file = self.folder.path / name
        rows = file.read_bytes().count(b"\n") - 1 if file.exists() else 0
        if rows < expected:
            log.warning("gan-lab: warning: %s: %d of its %d rows are gone", file, expected - rows, expected)
        return rows

    def write_hyperparameters(self, parameters: dict[str, Any], metrics: dict[str, float]) -> None:
        """Enter the run in TensorBoard's HPARAMS page, with its final metrics, and close its file."""
        from torch.utils.tensorboard.summary import hparams

        metrics = {f"metric/{name}": value for name, value in metrics.items() if math.isfinite(value)}
        for summary in hparams(parameters, metrics):
            self.tensorboard._get_file_writer().add_summary(summary)
        self._opened.close()


def _scalars(rows: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """What iterations returned, with the means of their logits for the logits, and with what these tell."""
    if not rows:
        return []
    real, fake = (torch.stack([row[name].float() for row in rows]) for name in ("logits/real", "logits/fake"))
    # of pairs in which the real sample has the higher logit, ties half: defined for every objective
    accuracy = ((real - fake).sign() + 1) / 2
    # one by one: the order of a sum may depend on the shape it is part of, and a run that was stopped looked earlier
    means = [of_row.mean(1).unbind() for of_row in torch.stack([real, fake, accuracy], 1)]
    names = ("logits/real", "logits/fake", "accuracy/discriminator")
    return [row | dict(zip(names, of_row, strict=True)) for row, of_row in zip(rows, means, strict=True)]


def _weight_norms(module: Algorithm) -> dict[str, Tensor]:
    return {f"weight_norm/{name}": total_norm(one.weights).detach() for name, one in module.players.items()}
