"""Checkpoints: each written whole or not at all, and named by its iteration."""

import io
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.logger import Curves
from gan_lab.callbacks.periodic import Periodic
from gan_lab.datasets.dataset import Dataset
from gan_lab.distributed.collectives import as_the_first
from gan_lab.errors import Diverged
from gan_lab.runs.checkpoints import load_checkpoint
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.files import replacing


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside its final place, flushes it to disk and renames it.

    It reads tensors and plain containers only, so that a checkpoint cannot run code.

    Args:
        loaded: the checkpoint to go on from, if it has been loaded; handed to Lightning once, and forgotten.
    """

    def __init__(self, loaded: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._loaded = loaded

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        # torch.save would write all of the memory that a view is a part of, such as the weights of a whole stack
        whole = {name: _of_its_own(tensor) for name, tensor in checkpoint["state_dict"].items()}
        checkpoint = {**checkpoint, "state_dict": whole}
        buffer = io.BytesIO()  # not straight to the file: torch.save hides the operating system's error
        torch.save(checkpoint, buffer)
        with replacing(Path(path)) as file:
            file.write(buffer.getbuffer())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        loaded, self._loaded = self._loaded, None
        return load_checkpoint(Path(path)) if loaded is None else loaded


def _of_its_own(tensor: Tensor) -> Tensor:
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


class Checkpoints(Periodic):
    """Saves ``checkpoints/iteration_<i>.ckpt``, links ``last.ckpt`` to it, and removes old checkpoints.

    Args:
        folder: the run's folder.
        every: iterations between checkpoints.
        minutes: largest time between checkpoints in minutes; None for no such limit.
        keep: number of checkpoints to keep besides the last.
        dataset: its sample shape, from which networks are rebuilt, and its checksum are saved.
        curves: checks first that all values so far are finite, as a model that has diverged is not saved.
        stopwatch: stopped during a save.
        from_elsewhere: whether the run begins with weights of elsewhere, which may be others by the time that it goes
            on. Then it is saved before its first iteration too.
    """

    def __init__(
        self,
        folder: RunFolder,
        every: int,
        minutes: float | None,
        keep: int,
        dataset: Dataset,
        curves: Curves,
        stopwatch: Stopwatch,
        from_elsewhere: bool = False,
    ) -> None:
        super().__init__(every, curves, stopwatch)
        self.folder = folder
        self.from_elsewhere = from_elsewhere
        self.minutes = minutes
        self.keep = keep
        self.dataset = dataset
        self._saved_at = time.monotonic()
        self._saved: int | None = None  # the iteration of the last checkpoint

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Algorithm)
        if self.from_elsewhere:
            self.do(trainer, pl_module)

    def due(self, iteration: int) -> bool:
        late = self.minutes is not None and as_the_first(time.monotonic() - self._saved_at) >= 60 * self.minutes
        return late or super().due(iteration)

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        if iteration == self._saved:  # a signal may ask for what was saved a moment ago
            return
        for name, tensor in module.state_dict().items():  # the curves check weights, but no buffers and no average
            if not tensor.isfinite().all():
                raise Diverged(iteration, name, tensor[~tensor.isfinite()][0].item())
        self.curves.sync()
        trainer.save_checkpoint(self.folder.checkpoint(iteration))  # called by all processes, written by the first
        if trainer.is_global_zero:
            self.folder.point_last_checkpoint(iteration)
            for old in self.folder.saved_iterations()[: -self.keep - 1]:
                self.folder.checkpoint(old).unlink()
            self.folder.update_status(iteration=iteration)
        self._saved, self._saved_at = iteration, time.monotonic()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["sample_shape"] = list(self.dataset.sample_shape)
        checkpoint["data"] = self.dataset.checksum
        checkpoint["class_counts"] = self.dataset.class_counts
        if self.dataset.source is not None:
            checkpoint["source_shape"] = list(self.dataset.source.train.shape[1:])

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._saved = checkpoint["global_step"]
