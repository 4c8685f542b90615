"""The stream of batches: a function of seed and position, whatever it is asked in."""

import torch

from gan_lab.datasets import BatchStream

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
