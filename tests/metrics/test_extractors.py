"""Extractors: what they give, what their fingerprints hold, and what they refuse."""

from unittest.mock import patch

import pytest
import torch
from torch import nn

from gan_lab.datasets import Dataset, digits, ring
from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metrics import (
    Classifier,
    Comparison,
    Inception,
    Measures,
    Pixels,
    Points,
    RandomConv,
    WhitenedConv,
    as_extractor,
    classifier,
    suite,
)

CPU = torch.device("cpu")
FD = Measures(("fd",))


def images(count=6, channels=3, size=9, labels=None):
    pixels = torch.randint(256, (count, channels, size, size), generator=torch.Generator().manual_seed(0))
    return Dataset(pixels.to(torch.uint8), labels, pixels.to(torch.uint8), labels, "some-checksum")


def test_the_classifier_is_accurate_and_says_how_much():
    """On MNIST: test_planted.py, which trains that one too."""
    dataset = digits()
    extractor = Classifier(steps=500)  # as test_planted.py, and so from the cache
    before = torch.get_rng_state()
    Comparison(dataset, extractor, FD, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    assert extractor.fingerprint()["accuracy"] == extractor.accuracy
    _, logits = extractor(dataset.test)
    found = (logits.argmax(1) == dataset.test_labels).double().mean().item()
    assert found == pytest.approx(extractor.accuracy, abs=1e-3)
    assert 0.97 <= found < 1


def test_the_classifier_is_trained_once_and_again_only_for_other_data(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    trained = []
    fit = classifier._fit
    monkeypatch.setattr(classifier, "_fit", lambda *arguments: (trained.append(1), fit(*arguments)))

    def prepared(**changes):
        extractor = Classifier(**{"steps": 3} | changes)
        extractor.prepare(digits())
        return extractor.fingerprint()

    first = prepared()
    assert (prepared(), len(trained)) == (first, 1)
    assert prepared(seed=1) != first
    other = Classifier(steps=3)
    other.prepare(digits(max_samples=500))
    assert len(trained) == 3
    (file, *_) = (tmp_path / "classifiers").glob("*.pt")
    for broken in (tmp_path / "classifiers").glob("*.pt"):
        broken.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ConfigError, match=r"this file of the cache is broken; delete it"):
        prepared()


def test_large_images_have_a_classifier_of_their_own():
    """Sides of 24 pixels or more, and even; the fingerprint tells its values from those of the former one."""
    labels = torch.tensor([0, 1, 2] * 2)
    for size, large in ((24, True), (22, False), (25, False)):
        extractor = Classifier(steps=1)
        extractor.prepare(images(labels=labels, size=size))
        assert (extractor.fingerprint().get("classifier") == 2) == large
        assert extractor.eval()(images(size=size).train)[0].shape == (6, 64)


def test_stacked_channels_are_classified_one_by_one():
    labels = torch.tensor([[0, 1, 2]] * 6)
    extractor = Classifier(steps=1)
    extractor.prepare(images(labels=labels))
    extractor.eval()
    samples = images().train
    features, logits = extractor(samples)
    assert (features.shape, logits.shape) == ((6, 3 * 64), (6, 3, 3))
    alone, alone_logits = extractor(samples[2:3, 1:2])
    assert torch.allclose(features[2, 64:128], alone[0])
    assert torch.allclose(logits[2, 1], alone_logits[0, 0])


@pytest.mark.parametrize("channels", [1, 3])
def test_random_convolutions_are_the_same_everywhere_for_a_seed(channels):
    made = [Comparison(images(channels=channels), RandomConv(4, seed), FD, CPU) for seed in (0, 0, 1)]
    first, second, other = (one.look(images(channels=channels).test).features for one in made)
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)
    hashes = [one.extractor.fingerprint()["weights"] for one in made]
    assert hashes[0] == hashes[1] != hashes[2]
    assert first.shape == (6, (4 + 8 + 16) * (2 + 4))


def test_whitened_features_are_learned_once_and_have_variance_one(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    learned, learn = [], WhitenedConv._learn
    monkeypatch.setattr(WhitenedConv, "_learn", lambda *of: (learned.append(1), learn(*of))[1])
    dataset = images(count=80)
    first, again = WhitenedConv(4, 7), WhitenedConv(4, 7)
    for extractor in (first, again):
        extractor.prepare(dataset)
    assert len(learned) == 1
    assert first.fingerprint() == again.fingerprint()
    features = first(dataset.train)
    assert torch.allclose(features.mean(0), torch.zeros(7, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(features.T @ features / 80, torch.eye(7, dtype=torch.float64), atol=1e-9)
    assert torch.allclose(first(dataset.train[3:5]), features[3:5], rtol=1e-9, atol=1e-9)
    few = WhitenedConv(4, 7)
    few.prepare(images(count=12))
    assert few(dataset.train).shape == (80, 3)  # a quarter of those learned from


class TwoNumbers(nn.Module):
    """A user's own, named for its class."""

    def forward(self, samples):
        return samples.double().flatten(1)[:, :2]


class Bad(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features

    def forward(self, samples):
        return self.features[: len(samples)]


def test_any_module_serves_under_its_own_name():
    comparison = Comparison(images(), as_extractor(TwoNumbers(), {"of": 2}), FD, CPU)
    side = comparison.look(images().train)
    assert list(comparison.compare(side, side)) == ["fd_two_numbers"]
    assert comparison.extractor.fingerprint() == {
        "extractor": "two_numbers", "weights": None, "resize": None, "settings": '{"of": 2}',
    }  # fmt: skip
    for features, error, words in [
        ([0, 0], ConfigError, r"bad gives a list: expected features \[B, d\] of B samples, or a pair"),
        (
            torch.zeros(6, 2, 2),
            ConfigError,
            r"bad makes features of shape \[2, 2, 2\] for 2 samples, expected \[2, d\]",
        ),
        (
            torch.full((6, 2), float("nan")),
            NotFinite,
            r"a feature by evaluation/extractor=bad is not finite",
        ),
    ]:
        with pytest.raises(error, match=words):
            Comparison(images(), as_extractor(Bad(features), {}), FD, CPU)


def test_established_names_are_not_for_users():
    impostor = type("Inception", (nn.Module,), {})
    with pytest.raises(ConfigError, match=r"Inception would be called inception, as gan-lab's own; rename the class"):
        as_extractor(impostor(), {})


def test_a_module_that_cannot_take_the_samples():
    with pytest.raises(ConfigError, match=r"linear cannot take samples .* holds them, uint8 \[2, 3, 9, 9\]"):
        Comparison(images(), as_extractor(nn.Linear(9, 2), {}), FD, CPU)


@pytest.mark.parametrize(
    ("extractor", "dataset", "metrics", "words"),
    [
        (Points(), images, ["fd"], r"evaluation/extractor=points: the dataset's samples are of shape \[3, 9, 9\]"),
        (Points(), images, ["fd", "modes"], r"evaluation/extractor=points: the dataset's samples"),
        (Pixels(), ring, ["fd"], r"evaluation/extractor=pixels: .* of shape \[2\], expected images of 1 or 3"),
        (RandomConv(), lambda: images(channels=2), ["fd"], r"of shape \[2, 9, 9\], expected images of 1 or 3 channels"),
        (WhitenedConv(), lambda: images(channels=2), ["fd"], r"whitened_conv: .* expected images of 1 or 3 channels"),
        (Classifier(), images, ["fd"], r"learns from images with labels, which the dataset lacks; .*whitened_conv"),
        (Pixels(), images, ["score"], r"evaluation.metrics: score takes an extractor that classifies, not pixels"),
        (Pixels(), images, ["modes"], r"modes takes a mixture, or images with a label for every channel"),
        (
            Pixels(),
            lambda: images(labels=torch.arange(18).view(6, 3)),
            ["modes"],
            r"evaluation.metrics: modes takes an extractor that classifies, not pixels",
        ),
        (
            Pixels(),
            images,
            ["fdd"],
            r"there is no metric 'fdd'; did you mean 'fd'\? Allowed: class_accuracy, classes, fd, intra_fd, kid,",
        ),
        (Pixels(), images, [], r"evaluation.metrics=\[\]: expected some of fd, kid"),
        (Classifier(1), digits, ["modes"], r"modes takes a mixture, or images with a label for every channel"),
    ],
)
def test_refusals(extractor, dataset, metrics, words):
    with pytest.raises(ConfigError, match=words):
        Comparison(dataset(), extractor, Measures(metrics), CPU)


def test_what_is_refused_is_not_prepared():
    """To train a classifier takes the better part of a minute."""
    unprepared = Classifier()
    with (
        patch.object(unprepared, "prepare", side_effect=AssertionError),
        pytest.raises(ConfigError, match=r"modes takes a mixture, or images with a label for every channel"),
    ):
        Comparison(digits(), unprepared, Measures(["modes"]), CPU)


def test_inception_alone_gives_the_established_names(inception_weights, tmp_path, monkeypatch):
    measures = Measures(("fd", "kid", "score"), kid_subset_size=3)
    monkeypatch.setattr(suite, "frechet_distance", lambda *_: 0.0)  # in 2048 dimensions it takes seconds
    for channels in (1, 3):
        dataset = images(3, channels)
        comparison = Comparison(dataset, Inception(str(inception_weights)), measures, CPU)
        side = comparison.look(dataset.train, chunk=2)
        assert (side.features.shape, side.logits.shape) == ((3, 2048), (3, 1008))
    scores = comparison.compare(side, side)
    assert list(scores) == ["fid", "kid_inception", "inception_score"]
    # the mean over ten parts, which of three samples are three of one each
    assert (comparison.extractor.fingerprint()["score_splits"], scores["inception_score"]) == (10, 1.0)
    other = tmp_path / "other.pth"
    other.write_bytes(b"other")
    with pytest.raises(ConfigError, match=r"its SHA-256 starts d9298a10, expected \w+: not the weights of the FID"):
        Inception(str(other)).prepare(images())
    with pytest.raises(ConfigError, match=r"are not at nope.pth; put weights-inception-2015-12-05-6726825d.pth"):
        Inception("nope.pth").prepare(images())
