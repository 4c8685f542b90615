"""The data module that Lightning trains from."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.datasets.batch import one_per_sample
from gan_lab.datasets.dataset import Dataset
from gan_lab.datasets.stream import BatchStream, DrawStream


class InMemoryData(pl.LightningDataModule):
    """Gives training a `Draw` per iteration: fresh real samples for every update.

    Args:
        dataset: the source of the samples.
        batch_size: real samples in one update.
        n_critic: discriminator updates in an iteration.
        n_generator: generator updates in an iteration.
        iterations: length of the run.
        seed: the run's seed.
        generator_uses_real: whether the generator's updates look at real samples; their labels they always have.
        generator_batch_factor: samples in one update of the generator, as a multiple of ``batch_size``.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        n_critic: int,
        n_generator: int,
        iterations: int,
        seed: int,
        generator_uses_real: bool,
        generator_batch_factor: int = 1,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_critic = n_critic
        self.n_generator = n_generator
        self.iterations = iterations
        self.seed = seed
        self.generator_uses_real = generator_uses_real
        self.generator_batch_factor = generator_batch_factor

    def train_dataloader(self) -> DrawStream:
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        samples, labels = self.dataset.train, one_per_sample(self.dataset.train_labels)
        if _fits(samples, device):  # otherwise the algorithm moves each batch
            samples = samples.to(device)
            labels = None if labels is None else labels.to(device)

        def stream(updates: int, **settings: Any) -> BatchStream:
            # one batch more than needed: Lightning takes the last batch for the end of an epoch, and would start a
            # second epoch when a run continues to more iterations
            settings |= {"chosen": self.dataset.chosen, "drawing": self.dataset.drawing}
            return BatchStream(samples, updates * self.batch_size, self.iterations + 1, self.seed, labels, **settings)

        updates = self.n_generator * self.generator_batch_factor
        generator = stream(updates, purpose="generator_batches", with_samples=self.generator_uses_real)
        return DrawStream(stream(self.n_critic), generator)


def _fits(samples: Tensor, device: torch.device) -> bool:
    """Whether the samples leave half of a GPU's free memory to the networks."""
    return device.type != "cuda" or samples.nbytes <= torch.cuda.mem_get_info(device)[0] // 2
