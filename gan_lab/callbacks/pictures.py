"""Pictures of samples from one request throughout a run, so that they show how the generator learns."""

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.logger import Curves
from gan_lab.callbacks.periodic import Periodic
from gan_lab.datasets.batch import Request
from gan_lab.metrics.evaluator import generate
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.pictures import draw, save_picture


class Pictures(Periodic):
    """Draws ``samples/iteration_<i>.png`` and TensorBoard's ``samples``; at the last iteration ``samples/final.png``.

    Args:
        folder: the run's folder; None in a process that assists, which draws nothing.
        request: what the generator is asked for every time.
        real: real samples ``[M, …]``, drawn behind generated points; pictures of images do without.
        every: iterations between pictures.
        curves: has the TensorBoard writer.
        stopwatch: stopped while a picture is drawn.
        columns: images in a row; None for about as many as there are rows.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        request: Request,
        real: Tensor,
        every: int,
        curves: Curves,
        stopwatch: Stopwatch,
        columns: int | None = None,
    ) -> None:
        super().__init__(every, curves, stopwatch)
        self.folder = folder
        self.request = request
        self.real = real
        self.columns = columns

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        if self.folder is None:
            return
        picture = draw(generate(module.sampler, self.request), self.real, self.columns)
        save_picture(self.folder.samples / f"iteration_{iteration:07d}.png", picture)
        if iteration == trainer.max_steps:
            save_picture(self.folder.samples / "final.png", picture)
        if self.curves.trackers is not None:
            self.curves.trackers.picture(iteration, self.folder.samples / f"iteration_{iteration:07d}.png")
        self.curves.tensorboard.add_image("samples", torch.from_numpy(picture), iteration, dataformats="HWC")
