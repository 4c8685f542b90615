"""Checkpoints: written whole or not at all, named by their iteration."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from gan_lab.adversary import AdversarialModule
from gan_lab.callbacks.curves import Curves
from gan_lab.callbacks.periodic import Periodic
from gan_lab.callbacks.stopwatch import Stopwatch
from gan_lab.files import replacing
from gan_lab.run_folder import RunFolder


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's own, but for the writing: into the same folder, flushed to disk, renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        with replacing(Path(path)) as file:
            torch.save(checkpoint, file)


class Checkpoints(Periodic):
    """Saves ``checkpoints/iteration_<i>.ckpt``, to which ``last.ckpt`` is a link, and removes the one before.

    Args:
        folder: the run's folder.
        every: iterations between checkpoints.
        sample_shape: saved too, so that the networks can be rebuilt without the data.
        curves: what has diverged is not saved.
        stopwatch: stopped meanwhile.
    """

    def __init__(
        self, folder: RunFolder, every: int, sample_shape: tuple[int, ...], curves: Curves, stopwatch: Stopwatch
    ) -> None:
        super().__init__(every, curves, stopwatch)
        self.folder = folder
        self.sample_shape = sample_shape
        self.previous: Path | None = None

    def act(self, trainer: pl.Trainer, module: AdversarialModule, iteration: int) -> None:
        file = self.folder.checkpoints / f"iteration_{iteration:07d}.ckpt"
        if file == self.previous:
            return
        trainer.save_checkpoint(file)
        link = file.with_name(".last.ckpt")
        link.unlink(missing_ok=True)
        link.symlink_to(file.name)
        link.replace(self.folder.last_checkpoint)
        if self.previous is not None:
            self.previous.unlink()
        self.previous = file
        self.folder.update_status(iteration=iteration)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["sample_shape"] = list(self.sample_shape)
