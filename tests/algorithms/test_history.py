"""The history that CycleGAN's discriminators are shown translations of."""

import pytest
import torch

from gan_lab.algorithms.history import History


def numbered(first, count):
    """Samples that are their own numbers."""
    return torch.arange(first, first + count, dtype=torch.float32).view(count, 1)


def played(size, updates, batch=2, seed=0):
    """The history after so many updates, what was given to it, what it held before, and what it showed, by update."""
    history, random = History(size, (1,)), torch.Generator().manual_seed(seed)
    given, held, shown = [], [], []
    for number in range(updates):
        given.append(numbered(1 + number * batch, batch))
        held.append(history.kept.clone())
        shown.append(history.shown(given[-1], random))
    return history, given, held, shown


def test_until_it_is_full_what_is_new_is_kept_and_shown():
    history, given, _, shown = played(5, 2)
    assert all(torch.equal(*pair) for pair in zip(given, shown, strict=True))
    assert history.kept.flatten().tolist() == [1, 2, 3, 4, 0]
    assert history.count == 4


def test_two_of_a_batch_may_be_for_one_place():
    """With a single place, every one that is shown old is shown the last that was kept: often one of its own batch."""
    history, given, _, shown = played(1, 40, batch=3)
    assert history.count == 1  # no more than its size
    kept, met = given[0][0], 0
    for number, (new, seen) in enumerate(zip(given, shown, strict=True)):
        for i in range(3):
            if number == i == 0:
                assert seen[0] == new[0]
            elif seen[i] != new[i]:
                assert seen[i] == kept
                met += int(kept in new)
                kept = new[i]
    assert met > 10
    assert history.kept[0] == kept


def test_when_full_half_of_what_is_shown_is_old_and_its_place_is_drawn_uniformly():
    """4 standard deviations of a binomial distribution of 4000 draws."""
    size, updates = 8, 2000
    history, given, held, shown = played(size, updates)
    assert history.count == size
    places, old, total = torch.zeros(size), 0, 0
    for new, before, seen in list(zip(given, held, shown, strict=True))[size // 2 :]:
        total += 1
        if seen[0] != new[0]:  # the first of a batch: what was kept before it
            (place,) = (before == seen[0]).nonzero()[:, 0]
            places[place] += 1
            old += 1
    assert abs(old / total - 0.5) < 4 * (0.25 / total) ** 0.5
    share = 1 / size
    assert ((places / old - share).abs() < 4 * (share * (1 - share) / old) ** 0.5).all()


def test_what_is_shown_old_makes_room_for_what_is_new_and_what_is_shown_new_is_not_kept():
    history, given, held, shown = played(4, 50, batch=1)
    after = [*held[1:], history.kept]
    for new, before, seen, then in list(zip(given, held, shown, after, strict=True))[4:]:
        if torch.equal(new, seen):
            assert torch.equal(before, then)
        else:
            assert seen in before
            assert seen not in then
            assert new in then
            assert (before != then).sum() == 1


def test_of_size_0_it_shows_what_is_new_and_draws_nothing():
    history, random = History(0, (1,)), torch.Generator().manual_seed(0)
    before = random.get_state()
    new = numbered(1, 3)
    assert torch.equal(history.shown(new, random), new)
    assert torch.equal(random.get_state(), before)


def test_what_is_given_does_not_change_and_what_is_shown_has_no_graph():
    history, random = History(2, (1,)), torch.Generator().manual_seed(0)
    new = numbered(1, 20).requires_grad_()
    shown = history.shown(new, random)
    assert torch.equal(new, numbered(1, 20))
    assert not shown.requires_grad
    assert not torch.equal(shown, new)


@pytest.mark.parametrize("seed", [1, 2])
def test_it_goes_on_from_a_saved_state(seed):
    history, random = History(4, (1,)), torch.Generator().manual_seed(seed)
    history.shown(numbered(1, 3), random)
    other, state = History(4, (1,)), random.get_state()
    other.load_state_dict(history.state_dict())
    expected = history.shown(numbered(4, 9), random)
    random.set_state(state)
    assert torch.equal(other.shown(numbered(4, 9), random), expected)
    assert history.state_dict().keys() == {"kept", "count"}
