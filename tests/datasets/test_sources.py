"""Sources: the images that samples translate, in pairs that nothing takes apart, or as a set drawn on its own."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gan_lab.datasets import Batch, BatchStream, Dataset, Source, digits
from gan_lab.datasets import drawing as drawing_module
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.datasets.dataset import to_model_range, to_pixels
from gan_lab.datasets.drawing import PLAIN, Drawing
from gan_lab.distributed import collectives
from gan_lab.metrics.real_sets import RealSets

NUMBERS = torch.Generator().manual_seed(1)
PIXELS = torch.randint(0, 256, (60, 3, 4, 6), generator=NUMBERS).to(torch.uint8)
OTHERS = torch.randint(0, 256, (30, 1, 4, 6), generator=NUMBERS).to(torch.uint8)
CLASSES = torch.arange(50) % 5
FLIP, ALL = Drawing(flip=True), Drawing(0.5, True, True)


def partner(samples):
    """The source of a sample, whichever way round both are."""
    return 255 - samples[:, :1]


def paired(drawing=PLAIN):
    """Fifty pairs of five classes to train on, and ten held out."""
    source = Source(partner(PIXELS[:50]), partner(PIXELS[50:]), True, CLASSES, CLASSES[:10])
    return Dataset(PIXELS[:50], CLASSES, PIXELS[50:], CLASSES[:10], "sum", drawing=drawing, source=source)


def unpaired(drawing=PLAIN):
    """Fifty samples and twenty sources to train on, ten of each held out."""
    source = Source(OTHERS[:20], OTHERS[20:], False, CLASSES[:20], CLASSES[:10])
    return replace(paired(drawing), source=source)


def draws(dataset, critic=2, iterations=30, start=0, seed=0, uses_real=True, **settings):
    """What every iteration draws, from one on."""
    data = InMemoryData(dataset, 5, critic, 1, iterations, seed, uses_real, **settings)
    data.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")))
    stream = data.train_dataloader()
    stream.load_state_dict({"position": start})
    return list(stream)


def joined(drawn, player):
    """The batches of a player, one after the other."""
    batches = [getattr(one, player).tensors() for one in drawn]
    return Batch(*map(torch.cat, zip(*batches, strict=True)))


def indices(images, known):
    """Which of the known images each one is; it must be one of them."""
    same = (to_pixels(images)[:, None] == known).flatten(2).all(2)
    assert (same.sum(1) == 1).all()
    return same.int().argmax(1)


def turned(images, known):
    """Which of the known images each one is, and whether it is mirrored."""
    found = indices(images, torch.cat([known, known.flip(-1)]))
    return found % len(known), found >= len(known)


PLAYERS = pytest.mark.parametrize("player", ["discriminator", "generator"])
KINDS = pytest.mark.parametrize("make", [paired, unpaired])


@PLAYERS
@pytest.mark.parametrize("drawing", [PLAIN, FLIP, Drawing(0.5, True)])
def test_pairs_stay_together_through_shuffles_flips_and_choices(player, drawing):
    drawn = joined(draws(paired(drawing)), player)
    assert torch.equal(to_pixels(drawn.source), partner(to_pixels(drawn.samples)))
    found, mirrored = turned(drawn.samples, PIXELS[:50])
    assert torch.equal(drawn.labels, CLASSES[found])
    assert mirrored.any() == drawing.flip
    assert len(found.unique()) == (25 if drawing.subset else 50)


def test_noise_is_for_the_samples_of_pairs_alone():
    noisy, plain = (draws(paired(drawing)) for drawing in (Drawing(dequantise=True), PLAIN))
    for player in ("discriminator", "generator"):
        one, other = joined(noisy, player), joined(plain, player)
        assert torch.equal(one.source, other.source)
        noise = one.samples - other.samples
        assert (noise.min() >= 0, noise.max() < 1 / 128 + 1e-6, noise.max() > 1 / 150) == (True, True, True)


@KINDS
@pytest.mark.parametrize("drawing", [PLAIN, ALL])
def test_a_source_shifts_nothing_else(make, drawing):
    without = replace(make(drawing), source=None)
    for one, other in zip(draws(make(drawing)), draws(without), strict=True):
        for player in ("discriminator", "generator"):
            drawn, expected = getattr(one, player), getattr(other, player)
            assert expected.source is None
            assert len(drawn.source) == len(drawn.samples)
            assert torch.equal(drawn.samples, expected.samples)
            assert torch.equal(drawn.labels, expected.labels)


def test_draws_without_a_source_are_those_of_the_versions_before_there_were_any():
    """Numbers from the commit before sources: 941bb56."""
    pixels = torch.arange(50, dtype=torch.uint8).view(50, 1, 1, 1).expand(50, 1, 2, 2)
    stream = BatchStream(pixels, 8, 3, 7, torch.arange(50), "generator_batches", drawing=Drawing(None, True, True))
    *_, last = stream
    assert last.labels.tolist() == [6, 32, 30, 36, 1, 24, 40, 45]
    noisy = [-0.9519298, -0.7489278, -0.7619909, -0.7152805, -0.9855084, -0.8078073, -0.6809458, -0.6401458]
    assert last.samples[:, 0, 0, 0].tolist() == pytest.approx(noisy, abs=1e-7)
    whole = "c8a5b4445b69220f7ac933dc419ce569e11bbe1fe921024d9903487d59c04c79"
    assert digits().record == {"checksum": whole, "train": 1297, "test": 500}
    parts = digits().with_validation(0.1)
    assert parts.record == {
        "checksum": "3ec9644122c3ddaaee6daf6ada8bcb2f6b220541eb447ae9f41256a8a5cea41c",
        "train": 1167,
        "test": 500,
        "validation": 130,
    }
    # of the commit from which the validation part's name says beside how many samples it lies
    assert parts.to_select_by().checksum == "abde9dc1c420ff7926c14fd521998113730c16446dbdb9b604cb52055ced461f"


@KINDS
def test_a_run_goes_on_with_the_same_sources(make):
    whole, rest = draws(make(ALL)), draws(make(ALL), start=11)
    assert len(rest) == len(whole) - 11
    for one, other in zip(whole[11:], rest, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))
    other_seed = draws(make(ALL), seed=1)
    assert not torch.equal(joined(whole, "generator").source, joined(other_seed, "generator").source)


@KINDS
def test_the_discriminators_sources_do_not_depend_on_how_many_are_drawn_at_once(make):
    one, five = draws(make(ALL), 1, 49), draws(make(ALL), 5, 9)
    assert len(joined(five, "discriminator")) == 250
    assert torch.equal(joined(one, "discriminator").source, joined(five, "discriminator").source)


@KINDS
def test_each_process_has_its_part_of_the_sources(make, monkeypatch):
    monkeypatch.setattr(collectives, "_count", 2)
    for draw in draws(make(ALL), iterations=5):
        for batch in (draw.discriminator, draw.generator):
            parts = []
            for rank in (0, 1):
                monkeypatch.setattr(collectives.dist, "get_rank", lambda rank=rank: rank)
                parts.append(batch.own_part())
            assert [len(part.source) for part in parts] == [len(part.samples) for part in parts]
            for name in ("samples", "labels", "source"):
                assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))


@KINDS
def test_the_generator_has_sources_where_it_looks_at_no_samples(make):
    for one, other in zip(draws(make(FLIP)), draws(make(FLIP), uses_real=False), strict=True):
        assert other.generator.samples.shape == (5, 0)
        assert torch.equal(one.generator.source, other.generator.source)
        assert torch.equal(one.generator.labels, other.generator.labels)


def test_each_side_of_two_has_epochs_of_its_own():
    drawn = draws(unpaired(), 4, 59)
    for player in ("discriminator", "generator"):
        one = joined(drawn, player)
        for images, known in ((one.samples, PIXELS[:50]), (one.source, OTHERS[:20])):
            epochs = indices(images, known).split(len(known))
            assert all(epoch.sort().values.tolist() == list(range(len(known))) for epoch in epochs)
            assert not torch.equal(epochs[0], epochs[1])
    ours = [indices(joined(drawn, player).source, OTHERS[:20])[:20] for player in ("discriminator", "generator")]
    assert not torch.equal(*ours)


def test_sides_are_drawn_independently_and_each_is_mirrored_on_its_own():
    """Each of 1000 combinations of a sample and a source is equally likely, and so are the four of mirrored or not."""
    drawn = joined(draws(unpaired(FLIP), 40, 99), "discriminator")
    (sample, one), (source, other) = turned(drawn.samples, PIXELS[:50]), turned(drawn.source, OTHERS[:20])
    count = len(sample)  # 20,000
    seen = torch.bincount(sample * 20 + source, minlength=1000)
    # chi-square of 931 degrees of freedom, as every row and column is used up in each epoch: within 5 deviations
    spread = ((seen - count / 1000) ** 2).sum() / (count / 1000)
    assert abs(spread - 931) < 5 * math.sqrt(2 * 931)
    for coin in (one, other, one == other):
        assert abs(coin.double().mean() - 0.5) < 4 * 0.5 / math.sqrt(count)


def test_both_sides_of_two_get_noise():
    noisy, plain = (joined(draws(unpaired(drawing)), "generator") for drawing in (Drawing(dequantise=True), PLAIN))
    noise = noisy.source - plain.source
    assert (noise.min() >= 0, noise.max() < 1 / 128 + 1e-6, noise.max() > 1 / 150) == (True, True, True)


def test_all_random_numbers_are_of_different_streams(monkeypatch):
    keys = []
    uniform = drawing_module._uniform
    monkeypatch.setattr(drawing_module, "_uniform", lambda key, *rest: keys.append(key) or uniform(key, *rest))
    draws(unpaired(ALL), iterations=0)
    assert len(keys) == len(set(keys)) == 8  # flips and noise, of two players, on two sides


def test_pairs_may_be_ignored():
    drawn = joined(draws(paired(FLIP), keeps_pairs=False), "discriminator")
    expected = joined(draws(paired(FLIP)), "discriminator")
    assert torch.equal(drawn.samples, expected.samples)
    sample, _ = turned(drawn.samples, PIXELS[:50])
    source, _ = turned(drawn.source, partner(PIXELS[:50]))
    assert (sample == source).double().mean() < 0.1  # 1 of 50 by chance
    assert source[:50].sort().values.tolist() == list(range(50))


def test_a_share_is_one_of_each_side():
    whole = unpaired(Drawing(0.5))
    assert (whole.trained_on, len(whole.chosen_source)) == (25, 10)
    assert whole.source.train_labels[whole.chosen_source].bincount().tolist() == [2] * 5
    assert whole.record["source"] == {"paired": False, "train": 10, "test": 10}
    drawn = indices(joined(draws(whole), "generator").source, OTHERS[:20])
    assert drawn.unique().tolist() == whole.chosen_source.tolist()
    equal = replace(whole, source=Source(partner(PIXELS[:50]), OTHERS[20:], False, CLASSES))
    assert not torch.equal(equal.chosen, equal.chosen_source)  # equal counts make no pairs
    assert torch.equal(paired(Drawing(0.5)).chosen, paired(Drawing(0.5)).chosen_source)
    assert unpaired().chosen_source is None
    few = Source(OTHERS[:6], OTHERS[20:], False, torch.tensor([0, 0, 0, 0, 0, 1]))
    with pytest.raises(ValueError, match=r"subset=0.5: it leaves none of the 1 training sources of class 1, expected"):
        replace(whole, source=few)


def test_first_samples_and_their_sources():
    seven = paired().limited(7, FLIP)
    assert torch.equal(seven.source.train, partner(seven.train))
    assert seven.record == {
        "checksum": "sum",
        "train": 7,
        "test": 10,
        "source": {"paired": True, "train": 7, "test": 10},
    }
    assert torch.equal(seven.source.train_labels, CLASSES[:7])
    assert seven.drawing == FLIP
    thirty = unpaired().limited(30, PLAIN)
    assert (len(thirty.train), len(thirty.source.train)) == (30, 20)
    for make, most in ((paired, 50), (unpaired, 50)):
        with pytest.raises(ValueError, match=rf"max_samples=51: expected null or a whole number from 2 to {most}"):
            make().limited(51, PLAIN)


def test_validation_keeps_pairs_and_sets_aside_a_share_of_each_side():
    parts = paired().with_validation(0.2)
    assert torch.equal(parts.source.train, partner(parts.train))
    assert torch.equal(parts.source.validation.samples, partner(parts.validation.samples))
    assert torch.equal(parts.source.validation.labels, parts.validation.labels)
    assert parts.record["source"] == {"paired": True, "train": 40, "test": 10, "validation": 10}
    chosen = parts.to_select_by()
    assert torch.equal(chosen.source.test, partner(chosen.test))
    assert len({paired().checksum, parts.checksum, chosen.checksum}) == 3

    parts = unpaired().with_validation(0.25)
    assert (len(parts.train), len(parts.source.train), len(parts.source.validation)) == (38, 15, 5)
    assert parts.source.validation.labels.tolist() == indices_of_classes(parts.source.validation.samples)
    both = torch.cat([parts.source.train, parts.source.validation.samples])
    assert indices(to_model_range(both), OTHERS[:20]).sort().values.tolist() == list(range(20))
    assert torch.equal(parts.to_select_by().source.test, parts.source.validation.samples)


def indices_of_classes(sources):
    return CLASSES[:20][indices(to_model_range(sources), OTHERS[:20])].tolist()


def test_what_learns_to_judge_samples_gets_no_sources():
    for learns in (True, False):
        sets = RealSets.of(paired(), 10, learns)
        plain = RealSets.of(replace(paired(), source=None), 10, learns)
        assert torch.equal(sets.learned.train, plain.learned.train)
        assert torch.equal(sets.others, plain.others)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((OTHERS[:20], OTHERS[20:], True), r"source.train: 20 images are paired with 50 samples, expected as many"),
        ((partner(PIXELS[:50]), OTHERS[:9], True), r"source.test: 9 images are paired with 10 samples, expected"),
        ((OTHERS.float(), OTHERS, False), r"source.train: it is float32 \[30, 1, 4, 6\], expected uint8 \[M, C,"),
        ((OTHERS, OTHERS[:, 0], False), r"source.test: it is uint8 \[30, 4, 6\], expected uint8 \[M, C, H, W\]"),
        ((OTHERS[..., :4], OTHERS, False), r"source.train: it is uint8 \[30, 1, 4, 4\], and the samples are uint8 \["),
        ((OTHERS, OTHERS, False, CLASSES[:9]), r"source.train_labels: they are int64 \[9\], expected int64 \[30\]"),
    ],
)
def test_sources_that_do_not_fit(source, words):
    with pytest.raises(ValueError, match=words):
        replace(paired(), source=Source(*source))


def test_points_have_no_sources():
    points = torch.zeros(50, 2)
    with pytest.raises(ValueError, match=r"and the samples are float32 \[50, 2\], expected images of one height"):
        Dataset(points, None, points[:10], None, "", source=Source(OTHERS, OTHERS, False))


def test_shapes():
    assert (paired().sample_shape, paired().source_shape) == ((3, 4, 6), (1, 4, 6))
    assert digits().source_shape is None
