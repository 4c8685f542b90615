"""The state of every random generator but those that belong to a part of the run."""

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from gan_lab.callbacks.base import Callback


class Randomness(Callback):
    """Saves the global generators of PyTorch, NumPy and Python with a checkpoint, and goes on from there.

    Of the GPUs' generators it is the one that this process trains on; those of further processes, which begin from the
    same seed and draw as often, are in the same state.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        numpy_state: Any = np.random.get_state()
        name, keys, *others = numpy_state
        version, internal, gauss_next = random.getstate()
        return {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
            "numpy": [name, keys.tolist(), *others],  # an array is more than weights_only admits
            "python": [version, list(internal), gauss_next],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._loaded = state

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore them: nothing between here and the first iteration draws."""
        if self._loaded is None:
            return
        torch.set_rng_state(self._loaded["cpu"])
        if self._loaded["cuda"] is not None and torch.cuda.is_available():  # else the run has moved to another machine
            torch.cuda.set_rng_state(self._loaded["cuda"])
        np.random.set_state(tuple(self._loaded["numpy"]))
        version, internal, gauss_next = self._loaded["python"]
        random.setstate((version, tuple(internal), gauss_next))
