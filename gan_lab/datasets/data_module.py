"""The data module that Lightning trains from."""

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.datasets.batch import one_per_sample
from gan_lab.datasets.dataset import Dataset
from gan_lab.datasets.stream import BatchStream


class InMemoryData(pl.LightningDataModule):
    """Gives training one batch per iteration: n_critic × batch_size fresh real samples.

    Args:
        dataset: the source of the samples.
        batch_size: real samples in one discriminator update.
        n_critic: discriminator updates in an iteration.
        iterations: length of the run.
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
        samples, labels = self.dataset.train, one_per_sample(self.dataset.train_labels)
        if _fits(samples, device):  # otherwise the algorithm moves each batch
            samples = samples.to(device)
            labels = None if labels is None else labels.to(device)
        # one batch more than needed: Lightning takes the last batch for the end of an epoch, and would start a second
        # epoch when a run continues to more iterations
        return BatchStream(samples, self.batch_size, self.iterations + 1, self.seed, labels)


def _fits(samples: Tensor, device: torch.device) -> bool:
    """Whether the samples leave half of a GPU's free memory to the networks."""
    return device.type != "cuda" or samples.nbytes <= torch.cuda.mem_get_info(device)[0] // 2
