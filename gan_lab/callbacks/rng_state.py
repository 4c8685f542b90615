"""The state of the global random generators in checkpoints.

Generators that belong to a part of the run, such as the one that draws training's latents, are saved by that part.
"""

import random
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from gan_lab.callbacks.base import Callback


class Randomness(Callback):
    """Saves the state of PyTorch's, NumPy's and Python's global generators in a checkpoint, and restores it.

    Of the GPUs' generators it saves the one of the GPU that the first process trains on. Those of further processes are
    in the same state, as all processes start from one seed and draw equally often.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._apart: tuple[dict[str, Any], str, torch.Generator] | None = None

    def own_generator(self, device: torch.device) -> torch.Generator:
        """A random generator that goes on where the global one of a device is, for a run that shares its process.

        Checkpoints then hold its state, and the states of now of all others, of which such a run draws no number.
        """
        state, name = self.state_dict(), "cuda" if device.type == "cuda" else "cpu"
        generator = torch.Generator(device)
        generator.set_state(state[name])
        self._apart = state, name, generator
        return generator

    def state_dict(self) -> dict[str, Any]:
        if self._apart is not None:
            state, own, generator = self._apart
            return state | {own: generator.get_state()}
        numpy_state: Any = np.random.get_state()
        name, keys, *others = numpy_state
        version, internal, gauss_next = random.getstate()
        return {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
            "numpy": [name, keys.tolist(), *others],  # torch.load(weights_only=True) refuses NumPy arrays
            "python": [version, list(internal), gauss_next],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._loaded = state

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the states now: between this hook and the first iteration nothing draws a random number."""
        if self._loaded is None:
            return
        torch.set_rng_state(self._loaded["cpu"])
        if self._loaded["cuda"] is not None and torch.cuda.is_available():  # the run may have moved to another machine
            torch.cuda.set_rng_state(self._loaded["cuda"])
        np.random.set_state(tuple(self._loaded["numpy"]))
        version, internal, gauss_next = self._loaded["python"]
        random.setstate((version, tuple(internal), gauss_next))
