"""The evaluator: the same value whatever the batches, real data looked at once, training left alone."""

from dataclasses import replace

import pytest
import torch
from configurations import composed_of
from torch import nn

from gan_lab.datasets import Request, digits, ring
from gan_lab.datasets.dataset import some
from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metrics import (
    Classifier,
    Comparison,
    Evaluator,
    Measures,
    Pixels,
    Points,
    RealSets,
    WhitenedConv,
    evaluator,
    squared_mmd,
    whitened,
)
from gan_lab.metrics.measures import Side
from gan_lab.models import MLPGenerator
from gan_lab.runs.measuring import build_evaluator

CPU = torch.device("cpu")
ALL = ("fd", "kid", "prdc", "score", "classes")


def small(metrics=ALL, extractor=None, k=5, subset=50):
    return Comparison(digits(), extractor or Classifier(steps=50), Measures(metrics, k, 10, subset), CPU)


def evaluator_of(dataset, comparison, most, dimensions=4):
    real = RealSets.of(dataset, most, comparison.extractor.learns)
    return Evaluator(dataset, real, comparison, Request(torch.zeros(len(real.reference), dimensions)))


def test_batch_sizes_do_not_change_a_value():
    """Generated digits, seen by the extractor 7 or 1 000 at a time."""
    comparison = small(("fd", "kid", "prdc", "score", "classes"))
    generator = MLPGenerator(latent_dim=8, sample_shape=(1, 8, 8), hidden=[32])
    noise = torch.randn(2500, 8, generator=torch.Generator().manual_seed(0))
    samples = evaluator.generate(generator, Request(noise))
    real = comparison.look(digits().train)
    seven, thousand = (comparison.compare(real, comparison.look(samples, chunk)) for chunk in (7, 1000))
    assert seven == pytest.approx(thousand, rel=1e-6, abs=1e-12)


def test_real_features_and_floors_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    looked: list[int] = []
    look = Comparison.look
    monkeypatch.setattr(
        Comparison, "look", lambda self, samples, *labels: looked.append(len(samples)) or look(self, samples, *labels)
    )
    first = evaluator_of(digits(), small(), 100)
    assert looked == [2, 100, 100]  # the first two tell whether the extractor classifies; reference; floor
    again = evaluator_of(digits(), small(), 100)
    assert looked == [2, 100, 100, 2]
    assert again.floor == first.floor
    assert torch.equal(again._reference.features, first._reference.features)
    evaluator_of(digits(), small(k=3), 100)
    assert looked[4:] == [2, 100, 100]
    evaluator_of(digits(), small(), 90)
    assert looked[7:] == [2, 90, 90]


def test_the_floor_is_training_samples_against_as_many_held_out_ones():
    data = digits()
    comparison = small(("fd", "prdc"), Pixels())
    made = evaluator_of(data, comparison, 200)
    real = RealSets.of(data, 200, learns=False)
    assert (len(real.reference), len(real.others)) == (200, 200)
    expected = comparison.compare(comparison.look(real.reference), comparison.look(real.others))
    assert made.floor == pytest.approx(expected, rel=1e-12)
    assert made.ceiling == {}
    assert made.fingerprint == {
        "extractor": "pixels", "weights": None, "resize": None, "definition": 2, "samples": 200, "reference": "test",
        "reference_samples": 200, "data": data.checksum, "k": 5,
    }  # fmt: skip


def test_real_sets_are_drawn_at_random_and_no_extractor_has_seen_them():
    """Digits: 1297 to train on, 500 held out; an extractor that learns leaves as many for the floor."""
    data = digits()
    real = RealSets.of(data, 10_000, learns=True)
    assert (len(real.reference), len(real.others), len(real.learned.train)) == (500, 500, 797)
    assert len(real.learned.train_labels) == 797

    def rows(samples):
        return {row.numpy().tobytes() for row in samples}

    assert rows(real.others) | rows(real.learned.train) == rows(data.train)
    assert len(rows(real.others) & rows(real.learned.train)) <= len(data.train) - len(rows(data.train))
    assert not torch.equal(real.reference, data.test)  # in another order, and so with its labels
    assert torch.equal(real.labels.bincount(), data.test_labels.bincount())
    again = RealSets.of(data, 10_000, learns=True)
    assert torch.equal(real.reference, again.reference)
    assert torch.equal(real.others, again.others)


@pytest.mark.parametrize("most", [300, 797, 5000])
def test_an_extractor_gets_no_more_samples_than_it_learns_from(most, monkeypatch, tmp_path):
    """It gets some at random of all that are left to it, and looks at no more than it says."""
    monkeypatch.setattr(whitened, "_MOST", most)
    every, few = (RealSets.of(digits(), 10_000, True, learns_from).learned for learns_from in (None, most))
    chosen = some(797, most)
    assert torch.equal(few.train, every.train[chosen])
    assert torch.equal(few.train_labels, every.train_labels[chosen])
    more = torch.arange(9) if most < 797 else chosen[:0]
    made = []
    for number, dataset in enumerate((few, replace(few, train=every.train[torch.cat([chosen, more])]))):
        monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / str(number)))
        made.append(WhitenedConv(channels=2))
        made[-1].prepare(dataset)
    for name in ("offset", "centre", "components"):
        assert torch.equal(getattr(made[0], name), getattr(made[1], name))
    assert WhitenedConv.learns_from == 5000


def test_the_cache_knows_which_samples_an_extractor_learned_from():
    """As many of fewer are others."""
    sets = [RealSets.of(digits(), count, True, 100).learned for count in (10, 20)]
    assert sets[0].train.shape == sets[1].train.shape
    assert not torch.equal(sets[0].train, sets[1].train)
    assert sets[0].checksum != sets[1].checksum


@pytest.mark.parametrize(("learns", "count"), [(False, 100), (True, 50)])
def test_value_and_floor_compare_equally_many(learns, count):
    real = RealSets.of(digits(max_samples=100), 10_000, learns)
    assert len(real.reference) == len(real.others) == count


def test_the_classifiers_floor_is_that_of_unseen_samples():
    """The issue: of what it learned from, recall's is .75 and density's 1.38; of unseen halves .90 and 1.0."""
    floor = build_evaluator(composed_of("dataset=digits", "evaluation.extractor.steps=1000"), digits()).floor
    assert floor["recall_classifier"] == pytest.approx(0.89, abs=0.05)
    assert floor["density_classifier"] == pytest.approx(1.0, abs=0.1)
    assert floor["precision_classifier"] == pytest.approx(floor["recall_classifier"], abs=0.07)


def test_subsets_of_the_kernel_distance_shrink_with_what_there_is(caplog):
    config = composed_of("dataset=digits", "evaluation/extractor=pixels", "evaluation.kid_subset_size=400")
    made = build_evaluator(config, digits(max_samples=120))
    assert (made.fingerprint["kid_subset_size"], made.fingerprint["kid_subsets"]) == (120, 1)
    assert "evaluation.kid_subset_size=400: there are 120 samples to compare" in caplog.text
    reference, other = made._reference.features, made.comparison.look(RealSets.of(digits(120), 500, False).others)
    assert made.floor["kid_pixels"] == pytest.approx(squared_mmd(reference, other.features), rel=1e-9)


@pytest.mark.parametrize(("held_out", "size"), [(30, 30), (297, 297)])
def test_of_few_samples_null_takes_all_without_a_word(caplog, held_out, size):
    words = ["dataset=digits", "evaluation/extractor=pixels", f"evaluation.samples={held_out}"]
    made = [build_evaluator(composed_of(*words, f"evaluation.kid_subset_size={n}"), digits()) for n in ("null", 1000)]
    assert made[0].fingerprint == made[1].fingerprint
    assert made[0].fingerprint["kid_subset_size"] == size
    assert caplog.text.count("evaluation.kid_subset_size") == 1  # of 1000
    assert Measures(("kid",), kid_subset_size=None).fitted(5000).kid_subset_size == 1000


def test_the_ring_has_a_ceiling():
    made = evaluator_of(ring(), Comparison(ring(), Points(), Measures(("fd", "modes")), CPU), 2500, 2)
    assert made.ceiling.keys() == {"modes", "high_quality", "reverse_kl"}
    assert made.floor.keys() == {"fd_points", "modes", "high_quality", "reverse_kl"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["kid_subset_size=100", "k=100"],
            r"evaluation.k=100: expected less than the number of held-out samples compared, 100; a smaller k, more ",
        ),
        (
            ["kid_subset_size=4", "k=5"],
            r"evaluation.k=5: expected less than the number of training samples that the floor compares, 4 of 9; a ",
        ),
    ],
)
def test_too_few_samples_are_said_before_the_classifier_learns(composed, monkeypatch, overrides, words):
    monkeypatch.setattr(Classifier, "prepare", lambda self, dataset: pytest.fail("the classifier has learnt"))
    config = composed("dataset=digits", "evaluation.samples=100", *(f"evaluation.{word}" for word in overrides))
    with pytest.raises(ConfigError, match=words):
        build_evaluator(config, digits(max_samples=9) if "k=5" in overrides else digits())


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, latents):
        return latents.new_full((len(latents), 1, 8, 8), float("nan"))


def test_samples_that_are_not_finite():
    made = evaluator_of(digits(), small(("fd",), Pixels()), 100)
    with pytest.raises(NotFinite, match="a generated sample is not finite"):
        made.evaluate(Broken())


def test_evaluating_leaves_the_generator_in_its_mode_and_the_randomness_alone():
    made = evaluator_of(digits(), small(("fd",), Pixels()), 100)
    generator = MLPGenerator(latent_dim=4, sample_shape=(1, 8, 8), hidden=[8], norm="batch")
    before = torch.get_rng_state()
    for training in (True, False):
        generator.train(training)
        made.evaluate(generator)
        assert generator.training is training
    assert torch.equal(torch.get_rng_state(), before)
    assert generator.state_dict()["1.num_batches_tracked"] == 0


def test_stacked_modes_are_counted():
    """Predicted digits 000, 001 and 999 of a thousand."""
    labels = torch.tensor([[0, 0, 0], [0, 0, 1], [9, 9, 9], [9, 9, 9]])
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    from gan_lab.datasets import Dataset

    data = Dataset(images, labels, images, labels, "some-checksum")
    comparison = Comparison(data, Classifier(steps=1), Measures(("modes",)), CPU)
    logits = nn.functional.one_hot(labels, 10).double()
    side = Side(images, torch.zeros(4, 1), logits, 5)
    scores = comparison.compare(side, side)
    entropy = 0.5 * torch.tensor(4.0).log() + 0.5 * torch.tensor(2.0).log()
    assert scores == {"modes": 3, "reverse_kl": pytest.approx(torch.tensor(1000.0).log().item() - entropy.item())}
    assert comparison.ceiling(26_000)["modes"] == pytest.approx(12, abs=1e-6)  # 2 · 2 · 3 digits
