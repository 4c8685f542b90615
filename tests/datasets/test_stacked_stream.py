"""Batches of replicas that train together are those that each would draw alone, one after the other."""

import pytest
import torch

from gan_lab.datasets.drawing import Drawing
from gan_lab.datasets.stacked_stream import StackedStream
from gan_lab.datasets.stream import BatchStream


def streams(drawing):
    samples = torch.randint(0, 256, (10, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(10)
    return [BatchStream(samples, 6, 100, seed, labels, drawing=drawing) for seed in (0, 1, 2)]


@pytest.mark.parametrize("drawing", [Drawing(), Drawing(flip=True, dequantise=True)])
@pytest.mark.parametrize("updates", [1, 2])
def test_each_replica_gets_its_own_batches(drawing, updates):
    """Ten samples in batches of six: every second batch lies in two epochs."""
    together, alone = StackedStream(streams(drawing), updates), [iter(one) for one in streams(drawing)]
    for _ in range(6):
        parts = together.draw()
        assert len(parts) == updates
        for replica, one in enumerate(alone):
            for found, expected in zip(parts, next(one).split(6 // updates), strict=True):
                own = slice(replica * len(expected), (replica + 1) * len(expected))
                assert torch.equal(found.samples[own], expected.samples)
                assert torch.equal(found.labels[own], expected.labels)
    assert [one.position for one in together.streams] == [6, 6, 6]
