"""Small runs inside the test's own process."""

from pathlib import Path

import torch
from omegaconf import DictConfig

from gan_lab.run_folder import RunFolder
from gan_lab.training import train

NAMES = {"loss": "some_loss", "model": "some_model", "dataset": "some_dataset", "protocol": "paper"}


def train_in(path: Path, config: DictConfig) -> RunFolder:
    """Train as configured; the folder, complete but for what Hydra writes."""
    folder = RunFolder(path)
    folder.create()
    with folder.recorded(config):
        train(config, folder, NAMES)
    return folder


def checkpoint(folder: RunFolder) -> dict:
    """The last checkpoint, loaded the safe way."""
    return torch.load(folder.last_checkpoint, weights_only=True)
