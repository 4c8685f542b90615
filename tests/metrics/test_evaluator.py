"""The evaluator: the same value whatever the batches, real data looked at once, training left alone."""

import pytest
import torch
from torch import nn

from gan_lab.datasets import Request, digits, ring
from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metrics import Classifier, Comparison, Evaluator, Measures, Pixels, Points, evaluator
from gan_lab.metrics.suite import Side
from gan_lab.models import MLPGenerator
from gan_lab.runs.components import build_evaluator

CPU = torch.device("cpu")
ALL = ("fd", "kid", "prdc", "score", "classes")


def small(metrics=ALL, extractor=None, k=5, subset=50):
    return Comparison(digits(), extractor or Classifier(steps=50), Measures(metrics, k, 10, subset), CPU)


@pytest.mark.parametrize("count", [2500, 10_000])
def test_batch_sizes_do_not_change_a_value(count):
    """Generated digits, seen by the extractor 7 or 1 000 at a time."""
    comparison = small(("fd", "kid", "prdc", "score", "classes"))
    generator = MLPGenerator(latent_dim=8, sample_shape=(1, 8, 8), hidden=[32])
    noise = torch.randn(count, 8, generator=torch.Generator().manual_seed(0))
    samples = evaluator.generate(generator, Request(noise))
    real = comparison.look(digits().train)
    seven, thousand = (comparison.compare(real, comparison.look(samples, chunk)) for chunk in (7, 1000))
    assert seven == pytest.approx(thousand, rel=1e-6, abs=1e-12)


def test_real_features_and_floors_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    looked: list[int] = []
    look = Comparison.look
    monkeypatch.setattr(Comparison, "look", lambda self, samples: looked.append(len(samples)) or look(self, samples))
    first = Evaluator(digits(), small(), Request(torch.zeros(100, 4)))
    assert looked == [2, 100, 100]  # the first two tell whether the extractor classifies; reference; floor
    again = Evaluator(digits(), small(), Request(torch.zeros(100, 4)))
    assert looked == [2, 100, 100, 2]
    assert again.floor == first.floor
    assert torch.equal(again._reference.features, first._reference.features)
    Evaluator(digits(), small(k=3), Request(torch.zeros(100, 4)))
    assert looked[4:] == [2, 100, 100]
    Evaluator(digits(), small(), Request(torch.zeros(90, 4)))
    assert looked[7:] == [2, 90, 90]


def test_the_floor_is_training_samples_against_as_many_held_out_ones():
    data = digits()
    comparison = small(("fd", "prdc"), Pixels())
    made = Evaluator(data, comparison, Request(torch.zeros(200, 4)))
    expected = comparison.compare(comparison.look(data.test[:200]), comparison.look(data.train[:200]))
    assert made.floor == pytest.approx(expected, rel=1e-12)
    assert made.ceiling == {}
    assert made.fingerprint == {
        "extractor": "pixels", "weights": None, "resize": None, "samples": 200, "reference": "test",
        "reference_samples": 200, "data": data.checksum, "k": 5,
    }  # fmt: skip


def test_the_ring_has_a_ceiling():
    made = Evaluator(
        ring(), Comparison(ring(), Points(), Measures(("fd", "modes")), CPU), Request(torch.zeros(2500, 2))
    )
    assert made.ceiling.keys() == {"modes", "high_quality", "reverse_kl"}
    assert made.floor.keys() == {"fd_points", "modes", "high_quality", "reverse_kl"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["kid_subset_size=101"], r"evaluation.kid_subset_size=101: expected at most .* compared, 100"),
        (["kid_subset_size=100", "k=100"], r"evaluation.k=100: expected less than the number of samples compared, 100"),
    ],
)
def test_too_few_samples_are_said_before_the_classifier_learns(composed, monkeypatch, overrides, words):
    monkeypatch.setattr(Classifier, "prepare", lambda self, dataset: pytest.fail("the classifier has learnt"))
    config = composed("dataset=digits", "evaluation.samples=100", *(f"evaluation.{word}" for word in overrides))
    with pytest.raises(ConfigError, match=words):
        build_evaluator(config, digits())


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, latents):
        return latents.new_full((len(latents), 1, 8, 8), float("nan"))


def test_samples_that_are_not_finite():
    made = Evaluator(digits(), small(("fd",), Pixels()), Request(torch.zeros(100, 4)))
    with pytest.raises(NotFinite, match="a generated sample is not finite"):
        made.evaluate(Broken())


def test_evaluating_leaves_the_generator_in_its_mode_and_the_randomness_alone():
    made = Evaluator(digits(), small(("fd",), Pixels()), Request(torch.zeros(100, 4)))
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
    assert comparison.ceiling(26_000)["reverse_kl"] == pytest.approx(0.0192, abs=1e-4)
