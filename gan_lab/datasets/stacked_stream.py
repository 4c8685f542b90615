"""Batches of several replicas that train as one program, each from a stream of its own."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from gan_lab.datasets.batch import Batch
from gan_lab.datasets.dataset import to_model_range
from gan_lab.datasets.stream import BatchStream, DrawStream, UnpairedStream


class StackedStream:
    """The batches of one player's updates: of all replicas together, one replica after the other.

    Args:
        streams: of the replicas: of one dataset, all at the same position; they move along.
        updates: of the player in an iteration, to each of which a batch belongs.
    """

    def __init__(self, streams: Sequence[BatchStream], updates: int) -> None:
        self.streams = streams
        self.updates = updates
        lead = streams[0]
        self._at_once = lead.source is None and not (lead.drawing.flip or lead.drawing.dequantise)
        self._epoch = -1
        self._orders = torch.empty(0)  # of the epoch, [R, N]
        for one in streams:  # one copy of the data on the device
            one.samples, one.labels = lead.samples, lead.labels

    def draw(self) -> list[Batch]:
        """The batches ``[R·B, …]`` of an iteration's updates."""
        number = self.streams[0].position
        for one in self.streams:
            one.position = number + 1
        whole = self._indexed(number) if self._at_once else self._joined(number)
        if self.updates == 1:
            return [whole]
        return [whole.map(partial(self._part, k)) for k in range(self.updates)]

    def _indexed(self, number: int) -> Batch:
        """All by one index operation: on a GPU, one for each replica would take longer than an iteration."""
        lead = self.streams[0]
        indices = self._indices(number * lead.batch_size, (number + 1) * lead.batch_size)
        samples = torch.empty(len(indices), 0, device=indices.device)  # of floating point, as in model range
        if lead.with_samples:
            samples = to_model_range(lead.samples.index_select(0, indices))
        return Batch(samples, None if lead.labels is None else lead.labels.index_select(0, indices))

    def _indices(self, start: int, stop: int) -> Tensor:
        """Which samples lie there in the stream of each replica, one after the other."""
        epoch, offset = divmod(start, self.streams[0].count)
        if offset + stop - start > self.streams[0].count:
            return torch.cat([one.indices(start, stop) for one in self.streams])
        if epoch != self._epoch:
            self._orders = torch.stack([one.order(epoch) for one in self.streams])
            self._epoch = epoch
        return self._orders[:, offset : offset + stop - start].flatten()

    def _joined(self, number: int) -> Batch:
        batches = [one.batch(number) for one in self.streams]
        labels, sources = (_together([getattr(one, name) for one in batches]) for name in ("labels", "source"))
        return Batch(torch.cat([one.samples for one in batches]), labels, sources)

    def _part(self, update: int, values: Tensor) -> Tensor:
        return values.unflatten(0, (len(self.streams), self.updates, -1))[:, update].flatten(0, 1)


def _together(values: Sequence[Tensor | None]) -> Tensor | None:
    there = [one for one in values if one is not None]
    return torch.cat(there) if there else None


def stacked_streams(draws: Sequence[DrawStream], turns: tuple[int, int]) -> tuple[StackedStream, StackedStream]:
    """The streams of the discriminator's and of the generator's updates.

    Args:
        draws: what each replica reads.
        turns: updates of either in an iteration.
    """
    sides = []
    for side, updates in enumerate(turns):
        streams = [one.streams[side] for one in draws]
        plain = [one for one in streams if not isinstance(one, UnpairedStream)]
        assert len(plain) == len(streams)  # translators are not stacked
        sides.append(StackedStream(plain, updates))
    return sides[0], sides[1]
