"""AC-GAN's two cross entropies against closed forms on linear networks, and labels in penalties."""

import math

import pytest
import torch
from torch import nn

from gan_lab.losses import R1, Classification, ClassificationTerm, GeneratorStep, GradientPenalty, Judge
from gan_lab.models.layers.heads import AuxiliaryClassifier, Logit, PerClassLogit, Projection, head

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
    return Judge(None, {}, None, None, LABELS, REAL @ SLOPES.T, FAKE @ SLOPES.T)


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
    step = GeneratorStep(None, None, fake, Judge(None, {}, None, None, LABELS, None, fake @ SLOPES.T), {})
    ClassificationTerm()(step).backward()
    shares = (FAKE @ SLOPES.T).softmax(1)
    assert torch.allclose(fake.grad, (shares @ SLOPES - SLOPES[LABELS]) / 2, rtol=1e-12)


@pytest.mark.parametrize("missing", ["classes", "labels"])
def test_what_it_needs_is_said(missing):
    labels, logits = (None, REAL @ SLOPES.T) if missing == "labels" else (LABELS, None)
    with pytest.raises(ValueError, match="expected a discriminator that classifies, and data with labels"):
        Classification()(Judge(None, {}, None, None, labels, logits, logits), REAL, FAKE)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"Classification.fake=1: expected true or false"):
        Classification(fake=1)
    with pytest.raises(ValueError, match=r"Classification.weight=-1"):
        Classification(weight=-1)
    assert (Classification().weight, ClassificationTerm().weight) == (1.0, 1.0)
    assert Classification.per_sample_gradient is False


WEIGHTS = torch.tensor([1.0, -1.0], dtype=torch.float64)  # of the logit without labels
EMBEDDINGS = torch.tensor([[0.0, 0.0], [3.0, 4.0], [2.0, 1.0]], dtype=torch.float64)


def linear(features, weights):
    """A linear layer without bias that has these weights, ``[out, in]``."""
    layer = nn.Linear(features, len(weights), bias=False, dtype=torch.float64)
    layer.weight.data = weights.clone()
    return layer


@pytest.fixture
def projection():
    """C(x, y) = w·x + e_y·x: its gradient at a sample is w + e_y."""
    network = Projection(linear(2, WEIGHTS[None]), 2, 3).double()
    network.embedding.weight.data = EMBEDDINGS.clone()
    return network


def test_the_logit_of_a_projection_is_the_closed_form(projection):
    assert projection(REAL, LABELS).tolist() == [1 - 2, 0.5 + 1 + (2 * 0.5 - 1)]  # w·x + e_0·x, then w·x + e_2·x


def test_a_gradient_penalty_has_each_samples_own_label(projection):
    """‖w + e_0‖ = √2 and ‖w + e_2‖ = 3, at any point between real and generated samples."""
    bound = Judge(projection, {"labels": LABELS})
    value = GradientPenalty()(bound, REAL, FAKE).item()
    assert value == pytest.approx(((math.sqrt(2) - 1) ** 2 + (3 - 1) ** 2) / 2, rel=1e-12)
    assert R1()(bound, REAL, FAKE).item() == pytest.approx(0.5 * (2 + 9) / 2, rel=1e-12)


def test_a_gradient_penalty_has_the_logit_that_the_label_picks():
    """‖w_0‖ = 1 and ‖w_2‖ = √2."""
    network = PerClassLogit(2, 3).double()
    network.logits = linear(2, SLOPES)
    bound = Judge(network, {"labels": LABELS})
    assert bound(REAL).tolist() == [1.0, -0.5 - 1.0]
    assert GradientPenalty()(bound, REAL, FAKE).item() == pytest.approx((math.sqrt(2) - 1) ** 2 / 2, rel=1e-12)
    assert R1()(bound, REAL, FAKE).item() == pytest.approx(0.5 * (1 + 2) / 2, rel=1e-12)


def test_of_a_discriminator_that_classifies_penalties_see_the_logits():
    network = AuxiliaryClassifier(linear(2, WEIGHTS[None]), 2, 3)
    network.classifier = linear(2, SLOPES)
    judged = network(REAL)
    assert judged.logits.tolist() == [-1.0, 1.5]
    assert torch.equal(judged.classes, REAL @ SLOPES.T)
    assert R1()(Judge(network), REAL, FAKE).item() == pytest.approx(0.5 * 2, rel=1e-12)


def test_penalties_see_the_first_of_two_heads():
    network = linear(2, torch.stack([WEIGHTS, 5 * WEIGHTS]))
    assert R1()(Judge(network), REAL, FAKE).item() == pytest.approx(0.5 * 2, rel=1e-12)


def test_features_may_be_maps(projection):
    maps = torch.arange(8.0, dtype=torch.float64).view(2, 2, 1, 2)  # [B, C, H, W], four features
    network = Projection(nn.Sequential(nn.Flatten(), linear(4, torch.ones(1, 4))), 4, 3).double()
    network.embedding.weight.data = torch.arange(12.0, dtype=torch.float64).view(3, 4)
    assert network(maps, LABELS).tolist() == [6.0 + 14.0, 22.0 + (32 + 45 + 60 + 77)]
    assert PerClassLogit(4, 3).double()(maps, LABELS).shape == (2,)
    assert AuxiliaryClassifier(nn.Flatten(2), 4, 3).double()(maps).classes.shape == (2, 3)
    assert Logit(4).double()(maps).shape == (2,)


def test_embeddings_begin_as_the_weights_of_a_linear_layer():
    """U(−1/√F, 1/√F), whose standard deviation is 1/√(3F)."""
    weights = Projection(nn.Identity(), 64, 500).embedding.weight
    assert weights.abs().max().item() == pytest.approx(1 / 8, rel=1e-3)
    assert weights.std().item() == pytest.approx(1 / math.sqrt(3 * 64), rel=0.02)
    assert weights.mean().item() == pytest.approx(0, abs=0.002)


@pytest.mark.parametrize(
    ("conditioning", "classes", "kind"),
    [
        ("none", 3, nn.Identity),
        ("concat", 3, nn.Identity),
        ("projection", None, nn.Identity),
        ("projection", 3, Projection),
        ("auxiliary", 3, AuxiliaryClassifier),
        ("per_class", 3, PerClassLogit),
    ],
)
def test_the_last_layer_is_the_one_asked_for(conditioning, classes, kind):
    assert type(head(conditioning, 4, classes, nn.Identity)) is kind
