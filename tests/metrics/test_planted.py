"""Planted faults in real data move the metrics that are there to see them."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from gan_lab.datasets import digits, mnist
from gan_lab.metric_names import in_order
from gan_lab.metrics import Classifier, Comparison, Measures, Pixels, RandomConv, RealSets
from gan_lab.metrics.collapse import RealSigns

FAULTS = ("none", "noise", "half the classes", "100 copies", "blur")


def planted(images, labels, fault):
    """uint8 images with a fault; labels tell the classes."""
    generator = torch.Generator().manual_seed(0)
    if fault == "noise":  # of deviation 0.2, pixels running from 0 to 1
        noise = 51 * torch.randn(images.shape, generator=generator)
        return (images + noise).round().clamp(0, 255).to(torch.uint8)
    if fault == "half the classes":
        kept = images[labels < 5]
        return kept.repeat(3, 1, 1, 1)[: len(images)]
    if fault == "100 copies":
        return images[:100].repeat(len(images) // 100 + 1, 1, 1, 1)[: len(images)]
    if fault == "blur":
        return avg_pool2d(images.float(), 3, stride=1, padding=1).round().to(torch.uint8)
    return images


def scores_of(dataset, count, extractor, metrics, k_subset):
    """Metrics and signs of each fault, planted in training samples."""
    comparison = Comparison(
        dataset,
        extractor,
        Measures(metrics, 5, 5 if isinstance(extractor, Pixels) else 20, k_subset),
        torch.device("cpu"),
    )
    real = comparison.look(dataset.test[:count])
    signs = RealSigns.of(real.features, count)
    found = {}
    for fault in FAULTS:
        images, labels = dataset.train[: 2 * count], dataset.train_labels[: 2 * count]
        fake = comparison.look(planted(images, labels, fault)[:count])
        found[fault] = comparison.compare(real, fake) | signs.compare(fake.features)
    return found


ALL = ("fd", "kid", "prdc", "score", "classes")
FEATURES = ("fd", "kid", "prdc")


@pytest.fixture(params=["digits", "mnist"])
def source(request):
    """A dataset, how many of its samples are compared, and the size of the kernel distance's subsets."""
    if request.param == "digits":
        return digits(), 500, 250
    return mnist(str(request.getfixturevalue("data_root"))), 800, 400


def test_pixels(source):
    dataset, count, subset = source
    found = scores_of(dataset, count, Pixels(), FEATURES, subset)
    floor = found["none"]
    for fault in FAULTS[1:]:
        assert found[fault]["fd_pixels"] > 1.4 * floor["fd_pixels"], fault
    for fault in ("noise", "half the classes"):
        assert found[fault]["kid_pixels"] > floor["kid_pixels"] + 0.002, fault
    # the Fréchet distance cannot tell noise from lost classes; precision and recall can (LITERATURE.md §6)
    assert found["noise"]["precision_pixels"] < 0.6
    assert found["noise"]["recall_pixels"] > 0.9
    assert found["half the classes"]["precision_pixels"] > 0.9
    assert found["half the classes"]["recall_pixels"] < 0.8
    for fault in ("noise", "half the classes", "100 copies"):
        assert found[fault]["coverage_pixels"] < 0.7, fault
    assert found["blur"]["recall_pixels"] < 0.1
    assert found["100 copies"]["duplicates"] == 1.0
    assert found["noise"]["realistic"] < floor["realistic"] - 0.2
    for fault in ("none", "half the classes"):
        assert found[fault]["duplicates"] < 0.05, fault
        assert found[fault]["diversity"] == pytest.approx(1, abs=0.05), fault
    assert found["blur"]["diversity"] < 0.8


def test_the_classifier(source):
    dataset, count, subset = source
    classifier = Classifier(steps=500)
    found = scores_of(dataset, count, classifier, ALL, subset)
    assert 0.95 <= classifier.accuracy < 1
    floor = found["none"]
    for fault in FAULTS[1:]:
        assert found[fault]["fd_classifier"] > 2.5 * floor["fd_classifier"], fault
        assert found[fault]["kid_classifier"] > floor["kid_classifier"] + 0.03, fault
    assert (floor["classes"], found["half the classes"]["classes"]) == (10, pytest.approx(7, abs=2))
    assert found["half the classes"]["class_kl"] == pytest.approx(0.66, abs=0.05)  # half of them: ln 2 = 0.69
    assert floor["class_kl"] < 0.01
    assert floor["score_classifier"] == pytest.approx(9.3, abs=0.7)  # of 10
    assert found["half the classes"]["score_classifier"] == pytest.approx(5, abs=0.1)
    for fault in ("noise", "blur"):
        assert found[fault]["score_classifier"] < floor["score_classifier"] - 1, fault
    assert found["100 copies"]["duplicates"] == 1.0
    assert found["100 copies"]["recall_classifier"] < floor["recall_classifier"] - 0.25


def test_random_convolutions():
    """Of digits alone: test_planted_faults.py has larger pictures."""
    found = scores_of(digits(), 500, RandomConv(channels=8), FEATURES, 250)
    floor = found["none"]
    for fault in FAULTS[1:]:
        assert found[fault]["fd_random_conv"] > 1.3 * floor["fd_random_conv"], fault
    for fault in ("noise", "blur"):
        assert found[fault]["precision_random_conv"] < 0.7, fault
    for fault in ("half the classes", "100 copies"):
        assert found[fault]["recall_random_conv"] < floor["recall_random_conv"] - 0.05, fault


@pytest.mark.parametrize("extractor", [Pixels(), RandomConv(), Classifier(steps=1000)], ids=lambda one: one.name)
def test_half_of_the_classes_show_in_the_first_metrics_of_every_extractor(extractor):
    """Of digits: the Fréchet distance alone does not, by random convolutions: .38 beside a floor of .33."""
    dataset = digits()
    real = RealSets.of(dataset, 500, extractor.learns)
    comparison = Comparison(real.learned, extractor, Measures(("fd", "prdc")), torch.device("cpu"), 500)
    labels = dataset.train_labels
    half = dataset.train[labels < 5][:500]
    reference = comparison.look(real.reference)
    floor, found = (comparison.compare(reference, comparison.look(samples)) for samples in (real.others, half))
    coverage = f"coverage_{extractor.name}"
    assert in_order(found)[:2] == [f"fd_{extractor.name}", coverage]
    assert found[coverage] < 0.75 * floor[coverage]
