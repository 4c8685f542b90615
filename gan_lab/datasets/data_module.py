"""The data module that Lightning trains from."""

from functools import partial

import pytorch_lightning as pl
import torch

from gan_lab.datasets.batch import one_per_sample
from gan_lab.datasets.dataset import Dataset
from gan_lab.datasets.stream import BatchStream, DrawStream, UnpairedStream


class InMemoryData(pl.LightningDataModule):
    """Gives training a `Draw` per iteration: fresh real samples for every update.

    Args:
        dataset: the source of the samples.
        batch_size: real samples in one update.
        n_critic: discriminator updates in an iteration.
        n_generator: generator updates in an iteration.
        iterations: length of the run.
        seed: the run's seed.
        generator_uses_real: whether the generator's updates look at real samples; they always have labels and sources.
        generator_batch_factor: samples in one update of the generator, as a multiple of ``batch_size``.
        keeps_pairs: False draws the sources of pairs in an order of their own, as if they belonged to no sample.
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
        keeps_pairs: bool = True,
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
        self.keeps_pairs = keeps_pairs

    def train_dataloader(self) -> DrawStream:
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        dataset = self.dataset
        samples, labels = dataset.train, one_per_sample(dataset.train_labels)
        source = None if dataset.source is None else dataset.source.train
        if _fits(samples.nbytes + (0 if source is None else source.nbytes), device):
            samples = samples.to(device)  # otherwise the algorithm moves each batch
            labels = None if labels is None else labels.to(device)
            source = None if source is None else source.to(device)
        in_pairs = dataset.source is not None and dataset.source.paired and self.keeps_pairs

        def stream(updates: int, purpose: str, with_samples: bool = True) -> BatchStream | UnpairedStream:
            make = partial(
                BatchStream,
                batch_size=updates * self.batch_size,
                # one more than needed: Lightning takes the last batch for the end of an epoch, and would start a second
                # epoch when a run continues to more iterations
                batches=self.iterations + 1,
                seed=self.seed,
                drawing=dataset.drawing,
            )
            own = partial(
                make, samples, labels=labels, purpose=purpose, with_samples=with_samples, chosen=dataset.chosen
            )
            if source is None or in_pairs:
                return own(source=source)
            return UnpairedStream(own(), make(source, purpose=f"{purpose}/source", chosen=dataset.chosen_source))

        updates = self.n_generator * self.generator_batch_factor
        generator = stream(updates, "generator_batches", self.generator_uses_real)
        return DrawStream(stream(self.n_critic, "batches"), generator)


def _fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes of samples leave half of a GPU's free memory to the networks."""
    return device.type != "cuda" or size <= torch.cuda.mem_get_info(device)[0] // 2
