"""Small runs inside the test's own process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from tensorboard.summary.writer import event_file_writer

from gan_lab.algorithms.gan import GAN
from gan_lab.config.checks import check
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.training.run import execute

sys.path.append(str(Path(__file__).parent.parent / "scripts"))
from torture import differences, unequal  # noqa: F401  # for the tests: what two folders, or nests, do not share

# TensorBoard sorts files by name, and the names of those that one process makes within a second by their last number
event_file_writer._global_uid = event_file_writer.AtomicCounter(10**6)

NAMES = {"loss": "some_loss", "model": "some_model", "dataset": "some_dataset", "protocol": "paper"}


def train_in(path: Path, config: DictConfig, resume: bool = False) -> RunFolder:
    """Train as configured; the folder, complete but for what Hydra writes."""
    folder = RunFolder(path)
    if not resume:
        folder.create()
    execute(RunRequest(check(config), folder, NAMES, resume))
    return folder


SMALL = [
    "model=mlp",
    "model.generator.hidden=[16]",
    "model.discriminator.hidden=[16]",
    "batch_size=8",
    "evaluation.samples=100",
    "evaluation.kid_subset_size=50",
    "evaluation.kid_subsets=5",
    "pictures.samples=4",
    "trainer=cpu",
]


def checkpoint(folder: RunFolder) -> dict:
    """The last checkpoint, loaded the safe way."""
    return torch.load(folder.last_checkpoint, weights_only=True)


def weights_of(folder: RunFolder) -> dict[str, torch.Tensor]:
    """The weights and buffers of the last checkpoint."""
    return checkpoint(folder)["state_dict"]


OFTEN = ["iterations=11", "log_every=4", "checkpoint.every=3", "evaluation.every=5", "pictures.every=4"]


class Killed(BaseException):
    """What ends a run in the test's own process, at once."""


@contextmanager
def killed(at: int, method: str = "update_generator", kind: type[GAN] = GAN) -> Iterator[None]:
    """Inside, a run ends in the middle of the iteration that follows so many; ``kind`` is the one with the method."""
    original = getattr(kind, method)

    def until(self, *arguments):
        if self.trainer.global_step == at:
            raise Killed
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, method, until)
        with pytest.raises(Killed):
            yield
