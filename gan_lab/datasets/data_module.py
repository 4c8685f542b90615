"""What Lightning asks of data."""

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.datasets.dataset import Dataset
from gan_lab.datasets.stream import BatchStream


class InMemoryData(pl.LightningDataModule):
    """Hands training one batch an iteration: n_critic × batch_size fresh real samples.

    Args:
        dataset: where the samples come from.
        batch_size: samples a discriminator update sees.
        n_critic: discriminator updates an iteration.
        iterations: iterations of the run.
        seed: the run's seed.
    """

    def __init__(self, dataset: Dataset, batch_size: int, n_critic: int, iterations: int, seed: int) -> None:
        super().__init__()
        self.dataset = dataset
        self.batch_size = batch_size * n_critic
        self.iterations = iterations
        self.seed = seed

    def train_dataloader(self) -> BatchStream:
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        samples = self.dataset.train
        if _fits(samples, device):
            samples = samples.to(device)  # otherwise Lightning brings every batch there
        # one batch more than needed: Lightning would take the last for the end of an epoch, and a run that goes on to
        # more iterations for one in its second
        return BatchStream(samples, self.batch_size, self.iterations + 1, self.seed)


def _fits(samples: Tensor, device: torch.device) -> bool:
    """Whether the samples leave half of a GPU's free memory to the networks."""
    return device.type != "cuda" or samples.nbytes <= torch.cuda.mem_get_info(device)[0] // 2
