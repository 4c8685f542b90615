"""The stream of batches: a function of seed and position, whatever it is asked in."""

import torch

from gan_lab.datasets import BatchStream
from gan_lab.datasets.stream import DrawStream

SAMPLES = torch.arange(10, dtype=torch.float32)[:, None]


def draw(batch_size: int, batches: int, seed: int = 0) -> list[torch.Tensor]:
    return [batch.samples for batch in BatchStream(SAMPLES, batch_size, batches, seed)]


def test_every_epoch_holds_every_sample_once_in_an_order_of_its_own():
    epochs = torch.cat(draw(4, 5)).flatten().split(10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_the_same_samples_whether_drawn_one_batch_at_a_time_or_five():
    """n_critic = 5 reads five small batches at once: losses that differ in it see the same real data."""
    assert torch.equal(torch.cat(draw(3, 20)), torch.cat(draw(15, 4)))


def test_order_follows_the_seed():
    assert torch.equal(torch.cat(draw(4, 9, seed=3)), torch.cat(draw(4, 9, seed=3)))
    assert not torch.equal(torch.cat(draw(4, 9, seed=3)), torch.cat(draw(4, 9, seed=4)))


def test_a_batch_may_span_several_epochs():
    (batch,) = draw(25, 1)
    counts = batch.flatten().long().bincount(minlength=10)
    assert (counts.min(), counts.max()) == (2, 3)  # 25 = two epochs and a half


def test_it_goes_on_from_where_its_state_was_saved():
    whole = draw(4, 9)
    stream = BatchStream(SAMPLES, 4, 9, 0)
    iterator = iter(stream)
    for _ in range(4):
        next(iterator)
    resumed = BatchStream(SAMPLES, 4, 9, 0)
    resumed.load_state_dict(stream.state_dict())
    assert torch.equal(torch.cat([batch.samples for batch in resumed]), torch.cat(whole[4:]))
    assert len(resumed) == 9


def test_labels_follow_their_samples():
    for batch in BatchStream(SAMPLES, 4, 9, 0, labels=torch.arange(10) * 3):
        assert batch.labels is not None
        assert torch.equal(batch.labels, 3 * batch.samples.flatten().long())


def both(with_samples=True):
    labels = torch.arange(10)
    generator = BatchStream(SAMPLES, 3, 9, 0, labels, "generator_batches", with_samples)
    return DrawStream(BatchStream(SAMPLES, 4, 9, 0, labels), generator)


def test_the_generator_has_a_stream_of_its_own_and_the_discriminators_is_as_without():
    draws = list(both())
    assert [len(one.generator) for one in draws] == [3] * 9
    assert torch.equal(torch.cat([one.discriminator.samples for one in draws]), torch.cat(draw(4, 9)))
    own = torch.cat([one.generator.samples for one in draws])
    assert sorted(own[:10].flatten().tolist()) == list(range(10))  # an epoch of its own
    assert not torch.equal(own, torch.cat(draw(3, 9)))


def test_pixels_are_left_out_where_nobody_looks_at_them_and_labels_are_not():
    with_samples, without = list(both()), list(both(with_samples=False))
    for one, other in zip(with_samples, without, strict=True):
        assert other.generator.samples.shape == (3, 0)
        assert torch.equal(one.generator.labels, other.generator.labels)
        assert torch.equal(one.discriminator.samples, other.discriminator.samples)


def test_both_streams_go_on_together():
    whole = list(both())
    stream = both()
    iterator = iter(stream)
    for _ in range(4):
        next(iterator)
    resumed = both()
    resumed.load_state_dict(stream.state_dict())
    for one, other in zip(whole[4:], resumed, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))
