"""Terms that compare in the discriminator's features, and where these are."""

import pytest
import torch
from configurations import composed_of
from torch import nn

from gan_lab.datasets import Batch, Request
from gan_lab.losses import MSE, FeatureMatching, FeatureReconstruction, GeneratorStep, Judge, SpectralNorm
from gan_lab.models import DCGANDiscriminator, MLPDiscriminator
from gan_lab.models.conditions import Judgement
from gan_lab.models.vae_gan import VAEGANDiscriminator
from gan_lab.training.build import build_module


class Square(nn.Module):
    """Features x², named so, and a logit of them."""

    def __init__(self):
        super().__init__()
        self.logit = nn.Linear(2, 1)

    def features(self, samples):
        return samples.square()

    def forward(self, samples):
        return self.logit(self.features(samples)).flatten()


REAL = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
FAKE = torch.tensor([[2.0, 1.0], [0.0, 1.0]])


def step_of(fake, discriminator, **compares):
    made = {name: (lambda pairs=pairs: pairs) for name, pairs in compares.items()}
    return GeneratorStep(Batch(REAL), Request(torch.zeros(2, 1)), fake, Judge(discriminator), {}, made)


def test_feature_matching_is_the_squared_distance_of_the_means():
    """E x² is (5, 2) of the real samples and (2, 1) of the generated ones."""
    fake = FAKE.clone().requires_grad_()
    value = FeatureMatching()(step_of(fake, Square()))
    assert value.item() == pytest.approx((2 - 5) ** 2 + (1 - 2) ** 2, rel=1e-6)
    (found,) = torch.autograd.grad(value, fake)
    # 2 (mean − wanted) · 2 x / 2
    assert torch.allclose(found, 2 * torch.tensor([-3.0, -1.0]) * FAKE, rtol=1e-6)
    assert FeatureMatching().weight == 1.0


def test_terms_say_whether_they_look_at_features():
    """By which packing, and discriminators without features, are refused before training."""
    looking = (FeatureMatching, FeatureReconstruction, MSE)
    assert [term.looks_at_features for term in looking] == [True, True, False]


def test_real_features_have_no_graph():
    torch.manual_seed(0)
    step = step_of(FAKE, nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
    layer = step.judge.discriminator[0]
    (found,) = torch.autograd.grad(FeatureMatching()(step), layer.weight)
    with torch.no_grad():
        difference = layer(FAKE).mean(0) - layer(REAL).mean(0)
    # of the generated samples' half alone: 2 (mean − wanted) E xᵀ
    assert torch.allclose(found, 2 * difference[:, None] * FAKE.mean(0), rtol=1e-5)


def test_feature_reconstruction_is_the_mean_square_and_wanted_features_have_no_graph():
    fake, real = FAKE.clone().requires_grad_(), REAL.clone().requires_grad_()
    value = FeatureReconstruction()(step_of(None, Square(), reconstruction=[(fake, real)]))
    difference = FAKE.square() - REAL.square()
    assert value.item() == pytest.approx(difference.square().mean().item(), rel=1e-6)
    (found,) = torch.autograd.grad(value, fake, retain_graph=True)
    assert torch.allclose(found, 2 * difference / 4 * 2 * FAKE, rtol=1e-6)
    assert torch.autograd.grad(value, real, allow_unused=True) == (None,)


def pictures(count=3, side=8):
    return torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("constraint", [None, SpectralNorm()])
@pytest.mark.parametrize("conditioning", ["none", "projection", "auxiliary", "per_class", "concat"])
def test_an_mlps_features_are_its_last_hidden_layer(conditioning, constraint):
    """Whatever heads judge them: the layers behind the hidden ones make this network's answer of them."""
    torch.manual_seed(0)
    network = MLPDiscriminator((1, 8, 8), [12, 6], conditioning=conditioning, classes=4)
    if constraint is not None:
        constraint.attach(network)
    network.eval()
    labels = None if conditioning in ("none", "auxiliary") else torch.tensor([0, 3, 1])
    judge, samples = Judge(network, {} if labels is None else {"labels": labels}), pictures()
    features = judge.features(samples)
    assert features.shape == (3, 6)
    assert (features != 0).any()
    given = [] if labels is None or conditioning == "concat" else [labels]
    again, judged = Judgement.of(network[-1](features, *given)), Judgement.of(network(samples, **judge.given))
    assert torch.allclose(again.logits, judged.logits, atol=1e-6)
    if conditioning == "auxiliary":
        assert torch.allclose(again.classes, judged.classes, atol=1e-6)


@pytest.mark.parametrize("attention", [False, True])
def test_a_dcgans_features_are_its_last_map(attention):
    torch.manual_seed(0)
    network = DCGANDiscriminator((1, 8, 8), channels=4, attention=attention).eval()
    features, samples = Judge(network).features(pictures()), pictures()
    map_of_it = nn.Sequential(*list(network.children())[:-1])(samples)
    expected = map_of_it if not attention else network[-1].attention(map_of_it)
    assert torch.allclose(features, expected.flatten(1), atol=1e-6)


def test_a_vae_gans_features_are_what_its_method_gives():
    torch.manual_seed(0)
    network = VAEGANDiscriminator((1, 8, 8), channels=4, norm="none").eval()
    assert torch.equal(Judge(network).features(pictures()), network.trunk(pictures()).flatten(1))


def test_features_are_taken_at_the_layer_that_runs_last_not_at_the_one_made_last():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.logit, self.hidden, self.unused = nn.Linear(3, 1), nn.Linear(2, 3), nn.Linear(7, 7)

        def forward(self, samples):
            return self.logit(self.hidden(samples).relu()).flatten()

    network = Backwards()
    assert torch.equal(Judge(network).features(REAL), network.hidden(REAL).relu())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_source_reaches_the_features():
    from gan_lab.models.patchgan import PatchGANDiscriminator

    network = PatchGANDiscriminator((1, 8, 8), (1, 8, 8), channels=4, norm="none")
    one, two = (Judge(network, {"source": factor * pictures()}).features(pictures()) for factor in (1, 2))
    assert one.shape == two.shape
    assert not torch.allclose(one, two)


def test_a_discriminator_without_layers_has_no_features():
    class Sum(nn.Module):
        def forward(self, samples):
            return samples.sum(1)

    with pytest.raises(ValueError, match="Sum: expected a discriminator with a linear layer or a convolution"):
        Judge(Sum()).features(REAL)


def test_the_gradient_passes_through_a_run_in_the_discriminators_features():
    """The term is handed the judge of a real run: its generator gets a gradient from the term alone."""
    config = composed_of(
        "model=mlp",
        "model.generator.hidden=[8]",
        "model.discriminator.hidden=[8]",
        "term=feature_matching",
        "trainer=cpu",
    )
    module = build_module(config, (1, 8, 8))
    batch = Batch(pictures(4))
    request = module.request(batch)
    fake = module.players["generator"](request.latents, request)
    value = FeatureMatching()(GeneratorStep(batch, request, fake, Judge(module.discriminator), {}))
    value.backward()
    assert all(weight.grad.abs().sum() > 0 for weight in module.generator.parameters())
