"""Pictures throughout a run, of the same latents and real samples each time, so that they show how it learns."""

from collections.abc import Mapping

import numpy as np
import pytorch_lightning as pl
from tensorboard.compat.proto.summary_pb2 import Summary

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.logger import Curves
from gan_lab.callbacks.periodic import Periodic
from gan_lab.callbacks.views import View
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.pictures import save_picture


class Pictures(Periodic):
    """Draws ``samples/iteration_<i>.png`` and TensorBoard's ``samples``; at the last iteration ``samples/final.png``.

    Further views are drawn with them, each into one file, ``samples/<name>.png``, and into TensorBoard. Those of the
    last iteration have a file alone: a run that goes on has another last one, and TensorBoard would keep both.

    Args:
        folder: the run's folder; None in a process that assists, which draws nothing.
        samples: what the pictures of samples show.
        others: further views, by name.
        last: those of the last iteration, by name.
        every: iterations between pictures.
        curves: has the TensorBoard writer.
        stopwatch: stopped while a picture is drawn.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        samples: View,
        others: Mapping[str, View],
        last: Mapping[str, View],
        every: int,
        curves: Curves,
        stopwatch: Stopwatch,
    ) -> None:
        super().__init__(every, curves, stopwatch)
        self.folder = folder
        self.samples = samples
        self.others = others
        self.last = last

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        if self.folder is None:
            return
        picture = self.samples(module)
        png = save_picture(self.folder.samples / f"iteration_{iteration:07d}.png", picture)
        if iteration == trainer.max_steps:
            save_picture(self.folder.samples / "final.png", picture)
        if self.curves.trackers is not None:
            self.curves.trackers.picture(iteration, self.folder.samples / f"iteration_{iteration:07d}.png")
        self._add("samples", picture, png, iteration)
        for name, view in self.others.items():
            picture = view(module)
            self._add(name, picture, save_picture(self.folder.samples / f"{name}.png", picture), iteration)
        if iteration == trainer.max_steps:
            for name, view in self.last.items():
                save_picture(self.folder.samples / f"{name}.png", view(module))

    def _add(self, name: str, picture: np.ndarray, png: bytes, iteration: int) -> None:
        """Add a picture to TensorBoard; `SummaryWriter.add_image` would encode it once more."""
        height, width, channels = picture.shape
        image = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=png)
        self.curves.tensorboard._get_file_writer().add_summary(
            Summary(value=[Summary.Value(tag=name, image=image)]), iteration
        )
