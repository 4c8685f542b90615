"""Every metric's direction, title and bounds."""

import math

import pytest

from gan_lab.metric_names import bounds, higher_is_better, known, title

HIGHER = ("precision_pixels", "recall_classifier", "density_pixels", "coverage_x", "score_classifier")
HIGHER += ("inception_score", "classes", "modes", "high_quality")
LOWER = ("fd", "fd_pixels", "fid", "kid_classifier", "class_kl", "reverse_kl")


@pytest.mark.parametrize("name", HIGHER)
def test_higher(name):
    assert higher_is_better(name)


@pytest.mark.parametrize("name", LOWER)
def test_lower(name):
    assert not higher_is_better(name)


def test_an_unknown_direction_is_never_guessed():
    assert not known("beauty")
    assert not known("fdx")
    assert title("beauty") == "beauty"
    with pytest.raises(KeyError, match="beauty: no metric of this name is known"):
        higher_is_better("beauty")


def test_title_names_the_extractor():
    assert title("fd_mnist_classifier") == "Fréchet distance (mnist classifier)"
    assert title("reverse_kl") == "Reverse KL (nats)"


def test_bounds():
    assert bounds("recall_pixels") == (0, 1)
    assert bounds("fd_pixels") == (0, math.inf)
    assert bounds("kid_pixels") == (-math.inf, math.inf)  # unbiased, it may fall below zero
