"""What result.json and TensorBoard's HPARAMS page hold of a run."""

import math
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from gan_lab.runs.folder import RunFolder


def hyperparameters(config: DictConfig, names: dict[str, str], folder: RunFolder) -> dict[str, Any]:
    """The choices, the plain values of the configuration and what was overridden, flat, for TensorBoard's table."""
    flat = {str(key): value for key, value in config.items() if isinstance(value, int | float | str)}
    for player in ("generator", "discriminator"):
        flat[f"lr_{player}"] = config.optimizer[player].get("lr", math.nan)
    for key in (word.partition("=")[0].lstrip("+~") for word in folder.configuration.overrides()):
        value = OmegaConf.select(config, key)  # a group's option is among the names, or a block
        if isinstance(value, int | float | str):
            flat[key] = value
    return names | flat


def environment(trainer: pl.Trainer) -> dict[str, Any]:
    """What the figures may depend on besides the configuration."""
    device = trainer.strategy.root_device
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "pytorch_lightning": pl.__version__,
        "numpy": np.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
