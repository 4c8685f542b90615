"""AC-GAN's two cross entropies against closed forms on linear networks, and labels in penalties."""

import math

import pytest
import torch
from torch import nn

from gan_lab.losses import R1, Classification, ClassificationTerm, GeneratorStep, GradientPenalty, Judge
from gan_lab.models import Judgement

SLOPES = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]], dtype=torch.float64)  # of each class's logit
REAL = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)
FAKE = torch.tensor([[0.0, 1.0], [2.0, 2.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])


def expected(samples):
    """−log softmax of the label's logit, by hand."""
    total = 0.0
    for sample, label in zip(samples.tolist(), LABELS.tolist(), strict=True):
        logits = [sum(a * b for a, b in zip(slope, sample, strict=True)) for slope in SLOPES.tolist()]
        total += math.log(sum(math.exp(one) for one in logits)) - logits[label]
    return total / len(samples)


def judge():
    return Judge(None, None, None, None, LABELS, REAL @ SLOPES.T, FAKE @ SLOPES.T)


def test_the_discriminators_cross_entropy_is_the_sum_over_real_and_generated_samples():
    value = Classification()(judge(), REAL, FAKE)
    assert value.item() == pytest.approx(expected(REAL) + expected(FAKE), rel=1e-12)
    assert Classification(fake=False)(judge(), REAL, FAKE).item() == pytest.approx(expected(REAL), rel=1e-12)


def test_the_generators_cross_entropy_is_of_its_samples():
    step = GeneratorStep(None, None, FAKE, judge(), {})
    assert ClassificationTerm()(step).item() == pytest.approx(expected(FAKE), rel=1e-12)
    assert ClassificationTerm.uses_real is False


def test_its_gradient_is_that_of_the_closed_form():
    """∂/∂x of −log p(c | x) = Σ_k p_k w_k − w_c."""
    fake = FAKE.clone().requires_grad_()
    step = GeneratorStep(None, None, fake, Judge(None, None, None, None, LABELS, None, fake @ SLOPES.T), {})
    ClassificationTerm()(step).backward()
    shares = (FAKE @ SLOPES.T).softmax(1)
    assert torch.allclose(fake.grad, (shares @ SLOPES - SLOPES[LABELS]) / 2, rtol=1e-12)


@pytest.mark.parametrize("missing", ["classes", "labels"])
def test_what_it_needs_is_said(missing):
    labels, logits = (None, REAL @ SLOPES.T) if missing == "labels" else (LABELS, None)
    with pytest.raises(ValueError, match="expected a discriminator that classifies, and data with labels"):
        Classification()(Judge(None, None, None, None, labels, logits, logits), REAL, FAKE)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"Classification.fake=1: expected true or false"):
        Classification(fake=1)
    with pytest.raises(ValueError, match=r"Classification.weight=-1"):
        Classification(weight=-1)
    assert (Classification().weight, ClassificationTerm().weight) == (1.0, 1.0)
    assert Classification.per_sample_gradient is False


class Projection(nn.Module):
    """C(x, y) = w·x + e_y·x: its gradient at a sample is w + e_y."""

    w = torch.tensor([1.0, -1.0], dtype=torch.float64)
    e = torch.tensor([[0.0, 0.0], [3.0, 4.0], [2.0, 1.0]], dtype=torch.float64)

    def forward(self, samples, labels):
        return samples @ self.w + (samples * self.e[labels]).sum(1)


def test_a_gradient_penalty_has_each_samples_own_label():
    """‖w + e_0‖ = √2 and ‖w + e_2‖ = 3, at any point between real and generated samples."""
    bound = Judge(Projection(), LABELS)
    value = GradientPenalty()(bound, REAL, FAKE).item()
    assert value == pytest.approx(((math.sqrt(2) - 1) ** 2 + (3 - 1) ** 2) / 2, rel=1e-12)
    assert R1()(bound, REAL, FAKE).item() == pytest.approx(0.5 * (2 + 9) / 2, rel=1e-12)


def test_of_a_discriminator_that_classifies_penalties_see_the_logits():
    class Auxiliary(nn.Module):
        def forward(self, samples):
            return Judgement(samples @ Projection.w, samples @ SLOPES.T)

    assert R1()(Judge(Auxiliary()), REAL, FAKE).item() == pytest.approx(0.5 * 2, rel=1e-12)
