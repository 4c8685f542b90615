"""Progressive growing: parameter counts, what each size draws and looks at, fades by hand, and what is saved."""

import copy

import pytest
import torch
from configurations import composed_of
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from gan_lab.errors import ConfigError
from gan_lab.models import Judgement, ProgressiveDiscriminator, ProgressiveGenerator
from gan_lab.models.conditions import takes_labels
from gan_lab.models.progressive import averaged, faded, repeated
from gan_lab.runs.components import build_network

SMALL = {"capacity": 64, "channels": 8}
COUNTS = {
    32: (20_719_628, 20_726_785),
    64: (22_490_383, 22_498_049),
    128: (22_933_394, 22_941_313),
    1024: (23_079_115, 23_087_249),
}
"""Computed from the public code; the paper prints 23.1 million each for 1024 pixels."""


@pytest.mark.parametrize("side", COUNTS)
def test_parameters_are_as_many_as_published(side):
    config = composed_of("model=progressive", "latent_dim=512")
    with torch.device("meta"):  # nothing is drawn
        made = [build_network(config, role, (3, side, side)) for role in ("generator", "discriminator")]
    assert tuple(sum(p.numel() for p in network.parameters()) for network in made) == COUNTS[side]


def pair(side=16, **settings):
    torch.manual_seed(0)
    labelled = {"classes": settings["classes"]} if "classes" in settings else {}
    generator = ProgressiveGenerator(5, (3, side, side), **SMALL, **labelled)
    return generator, ProgressiveDiscriminator((3, side, side), **SMALL, **settings)


def grown(network, side, alpha=1.0):
    network.grow(side, alpha)
    return network


# ---- sizes ----


@pytest.mark.parametrize("side", [4, 8, 16])
def test_small_pictures_are_shown_at_full_size(side):
    generator, _ = pair()
    picture = grown(generator, side)(torch.randn(2, 5))
    assert picture.shape == (2, 3, 16, 16)
    squares = picture.unflatten(3, (side, -1)).unflatten(2, (side, -1))
    assert torch.equal(squares, squares[:, :, :, :1, :, :1].expand_as(squares))  # of equal pixels
    assert len(squares[0, 0, :, 0, :, 0].unique()) == side * side


@pytest.mark.parametrize("side", [4, 8, 16])
def test_the_discriminator_sees_averages(side):
    """Details that average out do not change the logit; a change of the average does."""
    _, discriminator = pair(group=1)
    samples = torch.randn(2, 3, 16, 16)
    logits = grown(discriminator, side)(samples)
    assert logits.shape == (2,)
    assert torch.allclose(discriminator(repeated(averaged(samples, side), 16)), logits, atol=1e-5)
    assert not torch.allclose(discriminator(samples + 0.5), logits, atol=1e-3)


@pytest.mark.parametrize(("side", "alpha"), [(4, 1.0), (8, 0.5), (8, 1.0), (16, 0.5)])
def test_only_the_layers_of_a_size_learn(side, alpha):
    generator, discriminator = pair()
    grown(discriminator, side, alpha)(grown(generator, side, alpha)(torch.randn(4, 5))).square().sum().backward()
    for network in (generator, discriminator):
        for name, weight in network.named_parameters():
            of_size = next((int(part) for part in name.split(".") if part in ("4", "8", "16") and "blocks" in name), 4)
            if any(part in name for part in ("colours", "looks")):
                pictured = int(name.split(".")[1])
                expected = pictured == side or (alpha < 1 and pictured == side // 2)
            else:
                expected = of_size <= side
            assert (weight.grad is not None) == expected, name


# ---- fades ----


def test_a_fade_of_the_generator_by_hand():
    """(1 − α) · the size before, its pixels repeated, + α · the new one."""
    generator, _ = pair()
    latents = torch.randn(2, 5)
    before, after = grown(generator, 8)(latents), grown(generator, 16)(latents)
    for alpha in (0.0, 0.3, 0.999):
        expected = (1 - alpha) * before + alpha * after
        assert torch.allclose(grown(generator, 16, alpha)(latents), expected, atol=1e-5)


def test_a_fade_of_the_discriminator_by_hand():
    """At α = 0 it is the smaller one; features of both sizes are mixed behind the new block."""
    _, discriminator = pair()
    samples = torch.randn(4, 3, 16, 16)
    small = grown(discriminator, 8)(samples)
    assert torch.allclose(grown(discriminator, 16, 0.0)(samples), small, atol=1e-5)
    grown(discriminator, 16, 0.25)
    new = discriminator.blocks["16"](discriminator.looks["16"](samples))
    old = discriminator.looks["8"](avg_pool2d(samples, 2))
    mixed = discriminator.end(discriminator.blocks["8"](0.75 * old + 0.25 * new))
    assert torch.allclose(discriminator(samples), discriminator.head(mixed), atol=1e-5)


@pytest.mark.parametrize(("side", "alpha"), [(8, 0.25), (16, 0.5), (16, 1.0)])
def test_real_pictures_fade_as_generated_ones_do(side, alpha):
    pictures = torch.randn(2, 3, 16, 16)
    small = avg_pool2d(pictures, 16 // side)
    smaller = interpolate(avg_pool2d(small, 2), scale_factor=2)
    expected = interpolate((1 - alpha) * smaller + alpha * small, scale_factor=16 // side)
    assert torch.allclose(faded(pictures, side, torch.tensor(alpha)), expected, atol=1e-6)


# ---- layers and first weights ----


def test_the_generator_by_hand():
    """At 4×4: pixel norm of the latent, dense, bias, LeakyReLU, pixel norm; convolution, LeakyReLU, pixel norm."""
    generator, _ = pair()
    latents = torch.randn(2, 5)

    def norm(x):
        return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()

    weight = generator.dense.parametrizations.weight.original * 2**0.5 / 4 / 5**0.5
    features = (norm(latents) @ weight.T).view(2, 8, 4, 4)
    features = norm(nn.functional.leaky_relu(features, 0.2))
    convolution = generator.first[2]
    scaled = convolution.parametrizations.weight.original * (2 / 72) ** 0.5
    features = norm(nn.functional.leaky_relu(nn.functional.conv2d(features, scaled, padding=1), 0.2))
    colours = generator.colours["4"].parametrizations.weight.original / 8**0.5
    expected = nn.functional.conv2d(features, colours)
    assert torch.allclose(generator(latents)[:, :, ::4, ::4], expected, atol=1e-5)


def test_first_weights():
    """N(0, 1), and biases 0."""
    torch.manual_seed(0)
    for network in (ProgressiveGenerator(64, (3, 16, 16), 1024, 64), ProgressiveDiscriminator((3, 16, 16), 1024, 64)):
        for name, weight in network.named_parameters():
            if "bias" in name:
                assert not weight.any(), name
            elif weight.numel() > 1000:
                assert weight.std().item() == pytest.approx(1, rel=0.05), name
        gains = [
            m.weight.std().item() * m.weight[0].numel() ** 0.5 for m in network.modules() if isinstance(m, nn.Conv2d)
        ]
        assert all(gain == pytest.approx(2**0.5, rel=0.2) or gain == pytest.approx(1, rel=0.2) for gain in gains)
        assert sum(gain > 1.2 for gain in gains) == 5 + 3 * isinstance(network, ProgressiveDiscriminator)


def test_the_first_layer_has_a_quarter_of_the_gain():
    """√2 / 4, as in the authors' code; pixel norm hides it at first, the bias does not."""
    torch.manual_seed(0)
    dense = ProgressiveGenerator(64, (3, 8, 8), 1024, 64).dense
    assert dense.weight.std().item() * 8 == pytest.approx(2**0.5 / 4, rel=0.02)


# ---- what is saved ----


def test_the_size_is_saved():
    generator, discriminator = pair()
    latents = torch.randn(2, 5)
    expected = grown(generator, 8, 0.25)(latents)
    other, _ = pair()
    other.load_state_dict(generator.state_dict())
    assert torch.equal(other(latents), expected)
    assert torch.equal(copy.deepcopy(generator)(latents), expected)
    other.load_state_dict(grown(generator, 16).state_dict())
    assert (other.now, other.fades) == (16, False)
    assert {"side", "alpha"} <= dict(discriminator.named_buffers()).keys()


@pytest.mark.parametrize("side", [0, 7, 32])
def test_a_file_with_a_size_that_cannot_be(side):
    generator, _ = pair()
    state = generator.state_dict() | {"side": torch.tensor(side)}
    with pytest.raises(ConfigError, match=rf"ProgressiveGenerator\.side={side}: expected 4, 8, 16 \.\.\. 16"):
        generator.load_state_dict(state)


# ---- labels ----

LABELS = torch.tensor([0, 1, 2, 1])


def test_a_sample_depends_on_its_own_label_alone():
    generator, _ = pair(classes=3)
    assert takes_labels(generator)
    assert not takes_labels(pair()[0])
    latents = torch.randn(4, 5)
    made, changed = generator(latents, LABELS), generator(latents, torch.tensor([0, 2, 2, 1]))
    assert ((made - changed).abs().flatten(1).amax(1) > 1e-4).tolist() == [False, True, False, False]


@pytest.mark.parametrize("conditioning", ["concat", "projection", "per_class"])
@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_a_logit_depends_on_its_own_label_alone(conditioning, alpha):
    _, discriminator = pair(classes=3, conditioning=conditioning, group=1)
    samples = torch.randn(4, 3, 16, 16)
    logits = grown(discriminator, 8, alpha)(samples, LABELS)
    changed = discriminator(samples, torch.tensor([0, 2, 2, 1]))
    assert ((logits - changed).abs() > 1e-5).tolist() == [False, True, False, False]


def test_an_auxiliary_classifier():
    _, discriminator = pair(classes=3, conditioning="auxiliary")
    assert not takes_labels(discriminator)
    judged = discriminator(torch.randn(4, 3, 16, 16))
    assert isinstance(judged, Judgement)
    assert judged.classes.shape == (4, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ProgressiveGenerator(5, (3, 24, 24)), r"progressive cannot draw images of 24x24 pixels: expected squ"),
        (lambda: ProgressiveDiscriminator((2,)), r"progressive draws images .* not samples of shape \[2\]"),
        (lambda: ProgressiveGenerator(5, (3, 8, 8), channels=1.5), r"ProgressiveGenerator\.channels=1\.5: expected"),
        (lambda: ProgressiveGenerator(5, (3, 8, 8), conditioning="mapping"), r"conditioning='mapping': expected one"),
        (lambda: ProgressiveDiscriminator((3, 8, 8), capacity=7), r"ProgressiveDiscriminator\.capacity=7: expected at"),
        (lambda: ProgressiveDiscriminator((3, 8, 8), group=-1), r"ProgressiveDiscriminator\.group=-1: expected"),
        (
            lambda: pair(classes=3)[0](torch.zeros(2, 5)),
            r"ProgressiveGenerator: labels are missing, expected the class",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
