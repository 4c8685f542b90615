"""Sample pictures from a request that never changes, so that they show how the generator learns."""

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
from gan_lab.storage.pictures import draw, save_png


class Pictures(Periodic):
    """Draws ``samples/iteration_<i>.png``, TensorBoard's ``samples``, and at the last ``samples/final.png``.

    Args:
        folder: the run's folder.
        request: what the generator is asked for every time.
        real: real samples to draw points beside, ``[M, …]``; images are drawn alone.
        every: iterations between pictures.
        curves: has the TensorBoard writer.
        stopwatch: stopped meanwhile.
    """

    def __init__(
        self, folder: RunFolder, request: Request, real: Tensor, every: int, curves: Curves, stopwatch: Stopwatch
    ) -> None:
        super().__init__(every, curves, stopwatch)
        self.folder = folder
        self.request = request
        self.real = real

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        picture = draw(generate(module.sampler, self.request), self.real)
        save_png(self.folder.samples / f"iteration_{iteration:07d}.png", picture)
        if iteration == trainer.max_steps:
            save_png(self.folder.samples / "final.png", picture)
        self.curves.tensorboard.add_image("samples", torch.from_numpy(picture), iteration, dataformats="HWC")
