"""The progress bar of a run."""

import math
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
from torch import Tensor
from tqdm import tqdm

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.logger import Curves

_LOSSES = {"D": "discriminator", "G": "generator", "E": "encoder"}


_LONGEST = 26  # letters of a title
# fits into 80 columns, where tqdm's own form would be cut in the middle of the losses
_FORMAT = "{desc} {percentage:3.0f}%|{bar}|{n_fmt}/{total_fmt} {remaining} {rate_noinv_fmt}{postfix}"


class ProgressBar(Callback):
    """Shows iterations done, the players' losses, speed and remaining time on stderr.

    A run of a sweep shows no bar: the sweep prints lines of its own.

    Args:
        title: stands before the bar.
        curves: has the losses.
    """

    def __init__(self, title: str, curves: Curves) -> None:
        self.title = title
        self.curves = curves
        self.bar: tqdm | None = None  # until training starts

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.bar = tqdm(
            total=trainer.max_steps,
            initial=trainer.global_step,
            desc=self.title[:_LONGEST],
            unit="it",
            dynamic_ncols=True,
            bar_format=_FORMAT,
            disable=multiprocessing.parent_process() is not None or not trainer.is_global_zero,
            mininterval=0.2 if sys.stderr.isatty() else 10.0,  # in a log file every update is a new line
        )

    def after_iteration(
        self, trainer: pl.Trainer, module: Algorithm, iteration: int, curves: dict[str, Tensor]
    ) -> None:
        assert self.bar is not None
        if iteration % self.curves.every == 0:
            # a loss is missing if all updates since the last point were skipped
            latest = {name: self.curves.latest.get(f"loss/{name}", math.nan) for name in module.players}
            losses = [f"{key}={latest[name]:.3g}" for key, name in _LOSSES.items() if name in latest]
            self.bar.set_postfix_str(" ".join(losses), refresh=False)
        self.bar.update()

    def entitle(self, title: str) -> None:
        """Put another title before the bar."""
        assert self.bar is not None
        self.bar.set_description_str(title)

    @contextmanager
    def titled(self, title: str) -> Iterator[None]:
        """Inside, another title stands before the bar. The time it takes is none of the iterations'."""
        assert self.bar is not None
        self.entitle(title)
        began = time.time()
        yield
        if not self.bar.disable:
            self.bar.start_t += time.time() - began
        self.bar.set_description_str(self.title[:_LONGEST], refresh=False)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar, so that the message of what ended the run gets a line of its own."""
        if self.bar is not None:
            self.bar.close()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.close()
