"""The curves of a run: collected at every iteration, written every few, to TensorBoard and to metrics.csv.

Training time goes to TensorBoard and times.csv instead, so that metrics.csv is a function of the configuration alone.
"""

import logging
import math
import statistics
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.lightning_internals import grad_scaler
from gan_lab.algorithms.player import total_norm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.trackers import Trackers
from gan_lab.distributed.collectives import mean_of_each
from gan_lab.errors import Diverged, shown
from gan_lab.runs.folder import RunFolder, append_points
from gan_lab.storage.files import sync

log = logging.getLogger(__name__)

_MOST_KEPT = 1000  # iterations whose values are kept on the device, however rarely points are written

_SHARES = "precision|recall|density|coverage|high_quality"
_CHARTS = {  # on TensorBoard's page of custom scalars: charts of what has one scale, by the pattern of the tags
    "losses": "loss/(generator|discriminator)$",
    "penalties and terms": "loss/(?!generator$|discriminator$)",
    "logits": "logits/",
    "discriminator's accuracy": "accuracy/",
    "distances": "metric/(fid|fd)",
    "kernel distance": "metric/kid",
    "shares": f"metric/({_SHARES})",
    "score": "metric/(score|inception_score)",
    "modes and classes reached": "metric/(modes|classes)$",
    "divergences (nats)": "metric/(reverse_kl|class_kl)$",
    "other metrics": f"metric/(?!fid|fd|kid|{_SHARES}|score|inception_score|modes|classes|reverse_kl|class_kl)",
    "logits of training and held-out samples": "overfitting/(?!share)",
    "overfitting of the discriminator": "overfitting/share",
    "signs of collapse": "signal/",
    "augmentation": "augmentation/",
    "gradient norms": "grad_norm/",
    "weight norms": "weight_norm/",
}


class Curves(Callback):
    """Collects each iteration's losses, logits and gradient norms on the device, and writes their means.

    A point at iteration i is the mean over the iterations since the point before; weight norms, and how far networks
    have grown, are those at i. Which iterations have points depends on ``every`` alone. The values of every iteration
    are checked, though later: the first that is not finite ends the run, named with its iteration, unless the run skips
    such updates.

    Args:
        folder: the run's folder; None in a process that assists, which writes nothing.
        every: iterations between points.
        stopwatch: measures the training time.
        purge_step: the first iteration of which TensorBoard hides the points of an earlier process; None: of none.
        trackers: get every point too; None for no such.

    Attributes:
        began: whether training has begun, so that files may be written.
        latest: the last value written of each curve, by tag.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        every: int,
        stopwatch: Stopwatch,
        purge_step: int | None = None,
        trackers: Trackers | None = None,
    ) -> None:
        self.folder = folder
        self.every = every
        self.stopwatch = stopwatch
        self.purge_step = purge_step
        self.trackers = trackers
        self.began = False
        self.latest: dict[str, float] = {}
        self.source: Callable[[], list[dict[str, float]]] | None = None  # of a run in a stack, in the place of the next
        self._kept: list[dict[str, Tensor]] = []  # of each iteration since the last check, on the device
        self._finite: dict[str, list[float]] = {}  # the checked values since the last point
        self._opened = ExitStack()  # closes the TensorBoard writer, if there is one
        self._rows = {file.name: 0 for file in self._files()}  # rows written to each file
        self._expected: dict[str, int] = {}  # the rows that a checkpoint knows of
        self._point = 0  # the iteration of the last point
        self._seconds = 0.0  # the training time of the last point

    @cached_property
    def tensorboard(self) -> SummaryWriter:
        """TensorBoard's writer, opened at the first use: a run that is refused before it trains leaves no file."""
        assert self.folder is not None  # without one nothing is written
        writer = SummaryWriter(str(self.folder.path), purge_step=self.purge_step)
        self._opened.callback(writer.close)
        writer.add_custom_scalars({"gan_lab": {title: ["Multiline", [pattern]] for title, pattern in _CHARTS.items()}})
        return writer

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Algorithm)
        self.began = self.folder is not None
        self._rows = {file.name: self._count_rows(file, self._expected.get(file.name, 0)) for file in self._files()}
        if not self._expected:  # a new run; one that goes on has the points of iteration 0
            self.write(0, {name: norm.item() for name, norm in _weight_norms(pl_module).items()})

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        if self.source is None:
            self._kept.append(curves)
        if iteration % self.every == 0 or iteration == trainer.max_steps:
            self._write_point(trainer)
        elif len(self._kept) >= _MOST_KEPT:
            self.check_finite(trainer)

    def finish(self, trainer: pl.Trainer) -> None:
        """Write the point of an iteration that has become the last one, if it has none."""
        if self._point != trainer.global_step:
            self._write_point(trainer)

    def idle(self, iteration: int) -> bool:
        return iteration % self.every != 0

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Flush TensorBoard's file when a run ends early."""
        with suppress(OSError):  # the disk may be full, which the exception that ended the run says already
            self._opened.close()

    def check_finite(self, trainer: pl.Trainer) -> dict[str, float]:
        """Check all values since the last check, and the weight norms of now, which are returned by tag.

        Raises:
            Diverged: if one of them is not finite.
        """
        module = trainer.lightning_module
        assert isinstance(module, Algorithm)
        *rows, norms = self._of_device(module) if self.source is None else self.source()
        # with float16's loss scaling, gradients overflow now and then: the scaler skips that step and scales less
        scaled = grad_scaler(trainer) is not None
        for iteration, row in enumerate(rows, trainer.global_step - len(rows) + 1):
            for name, value in row.items():
                if math.isfinite(value) or (scaled and name.startswith("grad_norm/")):
                    self._finite.setdefault(name, []).append(value)
                elif not module.skips_bad_updates:
                    raise Diverged(iteration, name, value)
        for name, value in norms.items():
            if not math.isfinite(value):
                raise Diverged(trainer.global_step, name, value)
        return norms

    def _of_device(self, module: Algorithm) -> list[dict[str, float]]:
        """The values of each iteration since the last check, and the weight norms of now."""
        rows, self._kept = [*_scalars(self._kept), _weight_norms(module)], []
        # one transfer from the device for all; rows differ in length, as a lazy penalty is missing from most
        column = torch.stack([value.float() for row in rows for value in row.values()])
        values = iter(mean_of_each(column).tolist())
        return [{name: next(values) for name in row} for row in rows]

    def _write_point(self, trainer: pl.Trainer) -> None:
        norms = self.check_finite(trainer)
        means = {name: _of_point(name, values) for name, values in self._finite.items()} | norms
        self._finite = {}
        if "logits/real" in means and "logits/fake" in means:  # both are missing if every update was skipped
            means["logits/gap"] = means["logits/real"] - means["logits/fake"]
        iteration, seconds = trainer.global_step, self.stopwatch.seconds()
        self.write(iteration, means)
        times = {
            "time/train_seconds": seconds,
            "time/iterations_per_second": (iteration - self._point) / (seconds - self._seconds),
        }
        if self.folder is not None:
            self._write(iteration, times, self.folder.times_file)
        self._point, self._seconds = iteration, seconds

    def write(self, iteration: int, values: dict[str, float]) -> None:
        """Write a point of each of several curves, by tag, at an iteration."""
        self.latest |= values
        if self.folder is not None:
            self._write(iteration, values, self.folder.metrics_file)

    def _write(self, iteration: int, values: dict[str, float], file: Path) -> None:
        append_points(file, iteration, values)
        self._rows[file.name] += len(values)
        for name, value in values.items():
            self.tensorboard.add_scalar(name, value, iteration)
        if self.trackers is not None:
            self.trackers.points(iteration, values)

    def write_of_callbacks(self, iteration: int, values: dict[str, float]) -> None:
        """Write points of Lightning's callbacks, which metrics.csv does not get."""
        if self.folder is None:
            return
        append_points(self.folder.callbacks_file, iteration, values)
        for name, value in values.items():
            self.tensorboard.add_scalar(name, value, iteration)
        if self.trackers is not None:
            self.trackers.points(iteration, values)

    def sync(self) -> None:
        """Flush all curves to the disk. Called before a checkpoint is saved, so that it is never ahead of them."""
        if self.folder is not None:
            self.tensorboard.flush()
        if self.trackers is not None:
            self.trackers.save()
        for file in (*self._files(), *([] if self.folder is None else [self.folder.callbacks_file])):
            if file.exists():
                sync(file)

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self._finite, "point": self._point, "seconds": self._seconds, "rows": dict(self._rows)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._finite, self._point, self._seconds = state["seen"], state["point"], state["seconds"]
        self._expected = dict(state["rows"])

    def _files(self) -> list[Path]:
        return [] if self.folder is None else [self.folder.metrics_file, self.folder.times_file]

    def _count_rows(self, file: Path, expected: int) -> int:
        """The number of rows in a file of curves, with a warning if some of those written are missing."""
        rows = max(0, file.read_bytes().count(b"\n") - 1) if file.exists() else 0
        if rows < expected:
            log.warning("gan-lab: warning: %s: rows that are gone: %d of %d", shown(file), expected - rows, expected)
        return rows

    def write_hyperparameters(self, parameters: dict[str, Any], metrics: dict[str, float]) -> None:
        """Enter the finished run in TensorBoard's HPARAMS page with its final metrics, and close TensorBoard's file."""
        from torch.utils.tensorboard.summary import hparams

        metrics = {f"metric/{name}": value for name, value in metrics.items() if math.isfinite(value)}
        for summary in hparams(parameters, metrics):
            self.tensorboard._get_file_writer().add_summary(summary)
        self._opened.close()


def of_pairs(real: Tensor, fake: Tensor) -> Tensor:
    """For each pair of logits 1 if the real sample has the higher one, 0 if the fake one has, ½ if they are equal.

    The mean over pairs is an accuracy that every objective has. A pair that is not finite gives NaN.
    """
    gaps = real - fake
    return ((gaps.sign() + 1) / 2).masked_fill(~gaps.isfinite(), math.nan)  # the sign of NaN is 0


def _scalars(rows: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """The rows with logits ``[B]`` replaced by their means, and with the accuracy of the discriminator (`of_pairs`)."""
    if not rows:
        return []
    real, fake = (torch.stack([row[name].float() for row in rows]) for name in ("logits/real", "logits/fake"))
    accuracy = of_pairs(real, fake)
    # row by row: a mean over the whole stack may round by the number of rows, which a break in training changes
    means = [of_row.mean(1).unbind() for of_row in torch.stack([real, fake, accuracy], 1)]
    names = ("logits/real", "logits/fake", "accuracy/discriminator")
    return [row | dict(zip(names, of_row, strict=True)) for row, of_row in zip(rows, means, strict=True)]


def _weight_norms(module: Algorithm) -> dict[str, Tensor]:
    return {f"weight_norm/{name}": total_norm(one.weights).detach() for name, one in module.players.items()}


def _of_point(name: str, values: list[float]) -> float:
    """The mean of a curve's values since the last point; of `Progressive` the last one: a mean of two sizes is none."""
    return values[-1] if name.startswith("progress/") else statistics.fmean(values)
