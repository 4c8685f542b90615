"""Path length regularisation: against finite differences, its running mean, and who has none."""

import pytest
import torch

from gan_lab.config.checks import resolved
from gan_lab.datasets import Request
from gan_lab.errors import ConfigError
from gan_lab.losses import GeneratorStep, PathLength
from gan_lab.losses.path_length import path_lengths
from gan_lab.models import StyleGAN2Generator
from gan_lab.training.build import build_module


def small(**settings):
    torch.manual_seed(0)
    network = StyleGAN2Generator(3, (2, 8, 8), capacity=16, channels=4, style=3, mapping=1, **settings)
    return network.double().eval()  # noise is fixed, and the only random numbers are the directions


def step(network, latents, labels=None):
    return GeneratorStep(None, Request(latents, labels), None, None, {"generator": network})


def lengths_by_differences(network, styles, seed, width=1e-5):
    """‖Jᵀy‖ by central differences in every number of every style, y as `path_lengths` draws it."""
    torch.manual_seed(seed)
    directions = torch.randn(len(styles), 2, 8, 8, dtype=torch.float64) / 8
    slopes = torch.zeros_like(styles)
    with torch.no_grad():
        for layer in range(styles.shape[1]):
            for number in range(styles.shape[2]):
                moved = torch.zeros_like(styles)
                moved[:, layer, number] = width
                change = network.synthesis(styles + moved) - network.synthesis(styles - moved)
                slopes[:, layer, number] = (change * directions).sum((1, 2, 3)) / (2 * width)
    return slopes.square().sum(2).mean(1).sqrt()


def test_lengths_are_those_of_finite_differences():
    network = small()
    styles = network.styles(torch.randn(3, 3, dtype=torch.float64))
    expected = lengths_by_differences(network, styles.detach(), 5)
    torch.manual_seed(5)
    assert torch.allclose(path_lengths(network, styles), expected, rtol=1e-6)
    assert (expected > 0).all()


def test_its_gradient_is_that_of_finite_differences():
    """In a weight of the synthesis, and one of the mapping, with the mean held where it is."""
    network, term = small(), PathLength(decay=0.0)
    term.state.double().value.fill_(0.2)
    latents = torch.randn(4, 3, dtype=torch.float64)

    def value():
        torch.manual_seed(5)
        return term(step(network, latents))

    value().backward()
    for weight in (network.blocks[0].first.convolution.kernel.weight, network.start, network.first.bias,
                   network.mapping.perceptron[0].parametrizations.weight.original):  # fmt: skip
        index = (0,) * weight.ndim
        with torch.no_grad():
            ends = []
            for move in (1e-5, -2e-5):
                weight[index] += move
                with torch.enable_grad():
                    ends.append(value().item())
            weight[index] += 1e-5
        assert weight.grad[index].item() == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-9)


def test_the_mean_follows_and_half_the_batch_is_looked_at():
    """a ← a + decay · (mean − a) first; then the mean of (length − a)², of the first half of five: two."""
    network, term = small(), PathLength(decay=0.25)
    term.state.double()
    latents, before = torch.randn(5, 3, dtype=torch.float64), 0.0
    for seed in (1, 2):
        torch.manual_seed(seed)
        lengths = path_lengths(network, network.styles(latents[:2]))
        torch.manual_seed(seed)
        value = term(step(network, latents))
        mean = before + 0.25 * (lengths.mean().item() - before)
        assert term.state.value.item() == pytest.approx(mean, rel=1e-9)
        assert value.item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-9)
        before = mean
    assert PathLength()(step(small(), latents[:1].double())).isfinite()


def test_an_update_that_is_not_finite_leaves_the_mean_as_it_was():
    """A run with ``on_divergence=skip_update`` goes on after it."""
    mean = PathLength().state
    assert mean.follow(torch.tensor([2.0]), 0.5) == 1
    for bad in (torch.nan, torch.inf):
        assert mean.follow(torch.tensor([bad]), 0.5) == mean.value == 1


def test_its_settings_are_the_papers():
    term = PathLength()
    assert (term.weight, term.every, term.decay) == (2.0, 4, 0.01)
    assert not term.uses_real


def test_labels_reach_the_mapping():
    network, term = small(classes=2), PathLength()
    latents = torch.randn(4, 3, dtype=torch.float64)
    values = []
    for labels in ([0, 0, 0, 0], [1, 1, 0, 0]):
        term.state.value.zero_()
        torch.manual_seed(0)
        values.append(term(step(network, latents, torch.tensor(labels))).item())
    assert values[0] != pytest.approx(values[1], rel=1e-3)


SMALL = ["model.generator.capacity=16", "model.generator.channels=2", "model.discriminator.channels=2", "latent_dim=3"]
NARROW = [*SMALL, "model.discriminator.capacity=16", "model.generator.style=2"]


def test_its_mean_is_part_of_the_run(composed):
    module = build_module(composed("model=stylegan2", *NARROW), (1, 8, 8))
    assert module.state_dict()["states.path_length_.value"].shape == ()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["term=[path_length]"], r"loss\.terms\.path_length: it looks at the styles .* expected model=stylegan2, or"),
        (["model=progressive", "term=[path_length]"], r"loss\.terms\.path_length: it looks at the styles"),
        (
            ["model=stylegan2", *NARROW, "loss.terms.path_length.decay=2"],
            r"PathLength\.decay=2.*: expected a number from",
        ),
        (["model=stylegan2", *NARROW, "loss.terms.path_length.weight=-1"], r"PathLength\.weight=-1.*: expected"),
        (["model=stylegan2", *NARROW, "loss.terms.path_length.every=0"], r"PathLength\.every=0: expected a whole"),
    ],
)
def test_wrong_inputs(composed, overrides, message):
    with pytest.raises(ConfigError, match=message):
        build_module(resolved(composed(*overrides)), (1, 8, 8))
