"""The classifier score and class histograms against closed forms and other libraries."""

import math

import pytest
import torch
import torch_fidelity.metric_isc
from torch import nn
from torchmetrics.image.inception import InceptionScore

from gan_lab.metrics import class_histogram, classifier_score, predicted_classes


def test_a_perfect_classifier_of_ten_classes_scores_ten():
    sure = 1e4 * torch.eye(10).repeat(7, 1)
    assert classifier_score(sure) == pytest.approx(10, rel=1e-9)
    assert classifier_score(torch.log(torch.eye(10)).repeat(7, 1)) == pytest.approx(10, rel=1e-9)  # logits of −∞
    assert classifier_score(sure[:1].repeat(9, 1)) == pytest.approx(1, rel=1e-9)
    assert classifier_score(torch.zeros(9, 10)) == pytest.approx(1, rel=1e-9)
    # half the classes, evenly: 5
    assert classifier_score(sure[:, :10][[0, 1, 2, 3, 4] * 3]) == pytest.approx(5, rel=1e-9)


def test_agrees_with_torchmetrics_and_torch_fidelity():
    logits = 2 * torch.randn(500, 10, generator=torch.Generator().manual_seed(0)).double()
    theirs = torch_fidelity.metric_isc.isc_features_to_metric(logits, splits=10, shuffle=False)
    assert classifier_score(logits, 10) == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    metric = InceptionScore(feature=nn.Identity(), splits=1)
    metric.update(logits)
    assert classifier_score(logits) == pytest.approx(metric.compute()[0].item(), rel=1e-6)
    with pytest.raises(ValueError, match=r"splits=501: expected 1 to 500"):
        classifier_score(logits, 501)


def test_histogram():
    """3 of class 0 and 1 of class 1 of three, against ½, ¼, ¼: ¾ ln(¾/½) + ¼ ln(¼/¼)."""
    number, divergence = class_histogram(torch.tensor([0, 0, 1, 0]), 3, torch.tensor([0.5, 0.25, 0.25]))
    assert (number, divergence) == (2, pytest.approx(0.75 * math.log(1.5)))
    even = class_histogram(torch.arange(3).repeat(5), 3, torch.full((3,), 1 / 3, dtype=torch.float64))
    assert even == (3, pytest.approx(0, abs=1e-12))


def test_channels_are_the_digits_of_a_number():
    digits = torch.tensor([[0, 0, 0], [0, 0, 1], [1, 2, 3], [9, 9, 9]])
    logits = nn.functional.one_hot(digits, 10).float()
    assert predicted_classes(logits).tolist() == [0, 1, 123, 999]
    assert predicted_classes(logits[:, 2]).tolist() == [0, 1, 3, 9]
