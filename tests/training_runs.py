"""Small runs inside the test's own process."""

from pathlib import Path

import torch
from omegaconf import DictConfig
from tensorboard.summary.writer import event_file_writer

from gan_lab.run_folder import RunFolder
from gan_lab.training import train

# TensorBoard sorts files by name, and the names of those that one process makes within a second by their last number
event_file_writer._global_uid = event_file_writer.AtomicCounter(10**6)

NAMES = {"loss": "some_loss", "model": "some_model", "dataset": "some_dataset", "protocol": "paper"}


def train_in(path: Path, config: DictConfig, resume: bool = False) -> RunFolder:
    """Train as configured; the folder, complete but for what Hydra writes."""
    folder = RunFolder(path)
    if not resume:
        folder.create()
    with folder.recorded(config):
        train(config, folder, NAMES, resume)
    return folder


SMALL = [
    "model=mlp",
    "model.generator.hidden=[16]",
    "model.discriminator.hidden=[16]",
    "batch_size=8",
    "evaluation.samples=100",
    "evaluation.kid_subset_size=50",
    "pictures.samples=4",
    "trainer=cpu",
]


def checkpoint(folder: RunFolder) -> dict:
    """The last checkpoint, loaded the safe way."""
    return torch.load(folder.last_checkpoint, weights_only=True)


def weights_of(folder: RunFolder) -> dict[str, torch.Tensor]:
    """The weights and buffers of the last checkpoint."""
    return checkpoint(folder)["state_dict"]
