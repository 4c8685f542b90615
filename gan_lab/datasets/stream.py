"""Batches of an in-memory dataset: one index operation each, in an order that is a function of seed and position."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from gan_lab.datasets.batch import Batch, Draw
from gan_lab.datasets.dataset import to_model_range
from gan_lab.datasets.drawing import PLAIN, Drawing, copied_to
from gan_lab.seeds import derive


class BatchStream:
    """An iterable of batches over an endless shuffled stream of the samples.

    The stream is the concatenation of the epochs' permutations; sample t of it belongs to epoch t // N. Which one it is
    and what is done to it depend on nothing but (seed, t). Batches are consecutive pieces, so none is ever short, and
    the i-th small batch is the same whether they are drawn one by one or n_critic at a time.

    Args:
        samples: the training set, ``[N, …]`` uint8 or float, in memory or a mapped file; batches are on its device.
        batch_size: samples in a batch.
        batches: length of the stream, in batches.
        seed: the order is a function of it.
        labels: the class of each sample, ``[N]`` int64 on the same device, or None.
        purpose: as in `gan_lab.seeds.derive`: streams of other purposes have other orders.
        with_samples: False leaves the samples out of the batches, which then hold labels at most.
        chosen: indices of the samples that are drawn; None for all. N is their number.
        drawing: what is done to each sample when it is drawn.
        source: the image that each sample translates, ``[N, C, H, W]`` uint8 on the same device, or None. It is
            mirrored together with its sample and gets no noise: it is a condition, the same for real and generated
            samples.
    """

    def __init__(
        self,
        samples: Tensor,
        batch_size: int,
        batches: int,
        seed: int,
        labels: Tensor | None = None,
        purpose: str = "batches",
        with_samples: bool = True,
        chosen: Tensor | None = None,
        drawing: Drawing = PLAIN,
        source: Tensor | None = None,
    ) -> None:
        self.samples = samples
        self.labels = labels
        self.source = source
        self.purpose = purpose
        self.with_samples = with_samples
        self.chosen = chosen
        self.drawing = drawing
        self.batch_size = batch_size
        self.batches = batches
        self.seed = seed
        self.count = len(samples) if chosen is None else len(chosen)
        self.position = 0
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.long)
        self._none = torch.empty(batch_size, 0, device=samples.device)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        while self.position < self.batches:
            self.position += 1
            yield self.batch(self.position - 1)

    def batch(self, number: int) -> Batch:
        """The batch after so many."""
        start = number * self.batch_size
        indices = self.indices(start, start + self.batch_size)
        samples = self._none
        if self.with_samples:
            drawn = self._flipped(self.samples, indices, start)
            samples = self.drawing.dequantised(drawn, start, self.seed, self.purpose)
        labels = None if self.labels is None else self.labels.index_select(0, indices)
        return Batch(samples, labels, None if self.source is None else self._flipped(self.source, indices, start))

    def _flipped(self, samples: Tensor, indices: Tensor, start: int) -> Tensor:
        flipped = self.drawing.flipped(samples.index_select(0, indices), start, self.seed, self.purpose)
        return to_model_range(flipped)

    def indices(self, start: int, stop: int) -> Tensor:
        """Which samples lie from one position of the stream to another, on the device of the samples."""
        pieces = []
        while start < stop:
            epoch, offset = divmod(start, self.count)
            pieces.append(self.order(epoch)[offset : offset + stop - start])
            start += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def order(self, epoch: int) -> Tensor:
        """Which samples an epoch draws, in order."""
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive(self.seed, f"{self.purpose}/{epoch}"))
            order = torch.randperm(self.count, generator=generator)
            self._order = copied_to(self.samples.device, order if self.chosen is None else self.chosen[order])
            self._epoch = epoch
        return self._order

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]


class UnpairedStream:
    """An iterable of a stream's batches, to each of which a second stream adds as many sources, in an order of its own.

    The second stream's images are drawn as samples are, mirrored by coins of their own and with noise of their own, as
    a discriminator may judge them.

    Args:
        samples: the stream of the samples.
        sources: the stream of the images to translate, of the same batches.
    """

    def __init__(self, samples: BatchStream, sources: BatchStream) -> None:
        self.streams = (samples, sources)

    def __len__(self) -> int:
        return len(self.streams[0])

    def __iter__(self) -> Iterator[Batch]:
        for batch, sources in zip(*self.streams, strict=True):
            yield replace(batch, source=sources.samples)

    def state_dict(self) -> dict[str, int]:
        return self.streams[0].state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        for stream in self.streams:
            stream.load_state_dict(state)


class DrawStream:
    """An iterable of what each iteration draws: the discriminator's batch and the generator's, of a stream each.

    The discriminator's batches thus do not depend on what the generator does with its own.

    Args:
        discriminator: its stream, one batch an iteration.
        generator: its stream, as long.
    """

    def __init__(self, discriminator: BatchStream | UnpairedStream, generator: BatchStream | UnpairedStream) -> None:
        self.streams = (discriminator, generator)

    def __len__(self) -> int:
        return len(self.streams[0])

    def __iter__(self) -> Iterator[Draw]:
        return map(Draw, *self.streams)

    def state_dict(self) -> dict[str, int]:
        return self.streams[0].state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        for stream in self.streams:
            stream.load_state_dict(state)
