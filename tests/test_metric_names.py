"""Every metric's direction, title and bounds."""

import math

import pytest

from gan_lab.metric_names import (
    bounds,
    can_be_of,
    fooled_kinds,
    higher_is_better,
    in_order,
    known,
    title,
    unfounded_precision,
    untrusted,
)

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
    assert bounds("score_classifier") == bounds("inception_score") == (1, math.inf)
    assert bounds("reconstruction_ssim") == (-1, 1)


def test_the_metrics_that_tell_most_come_first():
    """The issue: an independent judge agreed with the Fréchet distance at +.91, with precision at −.08 to −.52."""
    measured = ["kid_x", "precision_x", "recall_x", "density_x", "coverage_x", "class_kl", "score_x", "classes", "fd_x"]
    assert in_order(measured) == [
        "fd_x", "coverage_x", "score_x", "class_kl", "kid_x", "precision_x", "recall_x", "density_x", "classes",
    ]  # fmt: skip
    assert in_order(["beauty", "inception_score", "fid"]) == ["fid", "inception_score", "beauty"]


@pytest.mark.parametrize(
    ("precision", "coverage", "unfounded"),
    [(0.99, 0.003, True), (0.99, 0.02, False), (0.0, 0.0, False), (0.002, 0.003, False)],
)
def test_a_precision_on_a_handful_of_real_samples_says_little(precision, coverage, unfounded):
    found = unfounded_precision({"fd_x": 1.0, "precision_x": precision, "coverage_x": coverage})
    assert found == ({"precision_x": coverage} if unfounded else {})
    assert unfounded_precision({"precision_x": precision}) == {}


def test_which_metrics_cannot_be_trusted_depends_on_their_features():
    """The tables of docs/evaluation.md."""
    assert "realistic" not in fooled_kinds("whitened_conv")
    assert fooled_kinds("my_net") == ()
    names = ["fd_whitened_conv", "precision_whitened_conv", "back_precision_random_conv", "precision_my_net", "l1"]
    assert untrusted(names) == {
        "whitened_conv": ["precision_whitened_conv"],
        "random_conv": ["back_precision_random_conv"],
    }


def test_which_extractor_a_metric_is_of():
    """docs/evaluation.md: names end in the extractor's, but for FID and the inception score, which are Inception's."""
    assert all(can_be_of(name, "points") for name in ("fd_points", "modes", "memorisation_pixels", "back_fd_points"))
    assert not any(can_be_of(name, "points") for name in ("fid", "fd_classifier", "fd_pixels", "inception_score"))
    assert can_be_of("fid", "inception")
