"""StyleGAN2: parameter counts, shapes, style mixing, truncation, labels and first weights."""

import pytest
import torch
from configurations import composed_of
from torch import nn

from gan_lab.losses import SpectralNorm
from gan_lab.models import Judgement, StyleGAN2Discriminator, StyleGAN2Generator
from gan_lab.models.conditions import takes_labels
from gan_lab.models.layers.mapping import Mapping, Truncated, has_mapping
from gan_lab.runs.components import build_network

SMALL = {"capacity": 64, "channels": 8}
FLAT = torch.zeros(2, 1, 8, 8)
TINY = {**SMALL, "style": 6}


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def rows():
    """As the public networks were counted, whose names these are: G, D, and their numbers."""
    full, wide = {"capacity": 32768}, {"capacity": 32768, "mapping": 8}
    generator, discriminator = StyleGAN2Generator, StyleGAN2Discriminator

    def pair(side, of_g, of_d):
        return generator(512, (3, side, side), **of_g), discriminator((3, side, side), **of_d)

    cifar = {**full, "shortcuts": "none", "group": 32}
    labelled = {**cifar, "conditioning": "projection", "classes": 10}
    with torch.device("meta"):  # nothing is drawn
        return {
            "cifar": (*pair(32, full, cifar), 19_947_539, 20_720_641),
            "cifar, 10 classes": (*pair(32, {**full, "classes": 10}, labelled), 20_215_315, 23_089_664),
            "auto 64": (*pair(64, {}, {}), 22_243_608, 23_407_361),
            "auto 256": (*pair(256, {}, {}), 23_191_522, 24_001_089),
            "paper256": (*pair(256, {"mapping": 8}, {}), 24_767_458, 24_001_089),
            "config F 256": (*pair(256, wide, full), 30_034_338, 28_864_129),
            "config F 1024": (*pair(1024, wide, full), 30_370_060, 29_012_513),
        }


def test_parameters_are_as_many_as_published():
    published = rows()
    assert {name: (count(one[0]), count(one[1])) for name, one in published.items()} == {
        name: one[2:] for name, one in published.items()
    }


@pytest.mark.parametrize(
    ("model", "side", "classes", "expected"),
    [
        ("stylegan2", 64, None, (22_243_608, 23_407_361)),
        ("stylegan2_cifar", 32, [1] * 10, (20_215_315, 23_089_664)),
    ],
)
def test_the_files_describe_these_networks(model, side, classes, expected):
    asked = "none" if classes is None else "projection"
    config = composed_of(f"model={model}", "latent_dim=512", f"conditional={asked}")
    with torch.device("meta"):
        made = [build_network(config, role, (3, side, side), classes) for role in ("generator", "discriminator")]
    assert tuple(map(count, made)) == expected
    assert ("path_length" in config.loss.terms) == (model == "stylegan2")


def test_the_mapping_has_its_own_count():
    """525 312 of CIFAR-10's generator, 793 088 with labels."""
    with torch.device("meta"):
        assert count(Mapping(512, 512, 2)) == 525_312
        assert count(Mapping(512, 512, 2, 10)) == 793_088


@pytest.mark.parametrize("side", [8, 32, 128])
@pytest.mark.parametrize("shortcuts", ["none", "skip", "residual"])
def test_every_form_and_size(side, shortcuts):
    torch.manual_seed(0)
    settings = {"capacity": 2 * side, "channels": 4, "shortcuts": shortcuts}
    generator = StyleGAN2Generator(5, (2, side, side), style=6, **settings)
    made = generator(torch.randn(3, 5))
    assert made.shape == (3, 2, side, side)
    assert made.isfinite().all()
    assert has_mapping(generator)
    assert StyleGAN2Discriminator((2, side, side), **settings)(made).shape == (3,)


def test_forms_by_hand():
    """Skip sums pictures of all sizes; residual adds the upsampled input; none has one picture, of the last size."""
    torch.manual_seed(0)
    skip, residual, plain = (
        StyleGAN2Generator(5, (3, 16, 16), shortcuts=shortcuts, **TINY).eval()
        for shortcuts in ("skip", "residual", "none")
    )
    assert [list(one.colours) for one in (skip, residual, plain)] == [["4", "8", "16"], ["16"], ["16"]]
    styles = skip.styles(torch.randn(2, 5))
    with torch.no_grad():
        for colours in list(skip.colours.values())[1:]:
            colours.bias.fill_(7.0)
            colours.convolution.kernel.parametrizations.weight.original.zero_()
        small = skip.colours["4"](skip.first(skip.start.expand(2, -1, -1, -1), styles[:, 0]), styles[:, 1])
        expected = skip.upsample(skip.upsample(small) + 7) + 7
        assert torch.allclose(skip.synthesis(styles), expected, atol=1e-5)
        block, features = residual.blocks[0], torch.randn(2, 8, 4, 4)
        inside = block.second(block.first(features, styles[:, 1]), styles[:, 2])
        assert torch.allclose(
            block(features, styles[:, 1], styles[:, 2]), (inside + block.shortcut(features)) / 2**0.5, atol=1e-6
        )
        judge = StyleGAN2Discriminator((3, 16, 16), **SMALL)
        block, features = judge.blocks[0], torch.randn(2, 4, 16, 16)
        made = (block.main(features) + block.shortcut(features)) / 2**0.5
        assert torch.allclose(block(features), made, atol=1e-6)


def test_a_picture_follows_the_style_of_its_layers():
    """A style's layers are used in order: that of a size leaves smaller pictures as they are."""
    torch.manual_seed(0)
    network = StyleGAN2Generator(5, (3, 16, 16), shortcuts="skip", **TINY).eval()
    assert network.layers == 6
    seen = []
    for layer in [module for name, module in network.named_modules() if name.endswith("convolution")]:
        layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[1][0, 0].item()))
    styles = torch.arange(6.0)[None, :, None].expand(1, 6, 6)
    network.synthesis(styles)
    assert seen == [0, 1, 1, 2, 3, 3, 4, 5]  # a convolution; its picture; two and a picture; two and a picture


def test_style_mixing():
    """Each sample's with the probability; the second latent takes over from layer 1, 2 … 5, all alike often."""
    torch.manual_seed(0)
    network = StyleGAN2Generator(5, (3, 16, 16), mixing=0.75, **TINY)
    latents = torch.randn(4000, 5)
    with torch.no_grad():
        mixed, own = network.styles(latents), network.mapping(latents)
    differs = (mixed != own[:, None]).any(2)
    assert not differs[:, 0].any()
    assert differs[:, -1].double().mean().item() == pytest.approx(0.75, abs=0.03)
    starts = 6 - differs.sum(1)[differs[:, -1]]
    assert (differs == (torch.arange(6) >= 6 - differs.sum(1)[:, None])).all()  # from there to the end
    assert (starts.bincount(minlength=6)[1:] / len(starts)).tolist() == pytest.approx([0.2] * 5, abs=0.04)
    others = mixed[differs[:, -1], -1]
    assert len(others.unique(dim=0)) == len(others)
    assert torch.equal(network.eval().styles(latents), own[:, None].expand(-1, 6, -1))


def test_a_sample_is_a_function_of_its_request_in_evaluation():
    torch.manual_seed(0)
    network = StyleGAN2Generator(5, (3, 16, 16), **TINY)
    for name, weight in network.named_parameters():
        if name.endswith("strength"):
            nn.init.constant_(weight, 0.5)
    latents = torch.randn(4, 5)
    assert not torch.equal(network(latents), network(latents))
    network.eval()
    state, made = torch.get_rng_state(), network(latents)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.allclose(network(latents[[2, 0]]), made[[2, 0]], atol=1e-5)
    other = StyleGAN2Generator(5, (3, 16, 16), **TINY).eval()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(latents), made)  # its noise is part of the state


def test_first_weights():
    """N(0, 1) everywhere, N(0, 100²) in the mapping; style biases 1, other biases and noise strengths 0."""
    torch.manual_seed(0)
    network = StyleGAN2Generator(64, (3, 32, 32), capacity=2048, channels=64, style=64)
    judge = StyleGAN2Discriminator((3, 32, 32), capacity=2048, channels=64)
    for name, weight in [*network.named_parameters(), *judge.named_parameters()]:
        if "bias" in name or name.endswith("strength"):
            expected = 1.0 if "scales.bias" in name else 0.0
            assert weight.eq(expected).all(), name
        elif weight.numel() > 1000:
            expected = 100 if "mapping" in name else 1
            assert weight.std().item() == pytest.approx(expected, rel=0.1), name
    styles = network.styles(torch.randn(500, 64))
    assert styles.square().mean().item() == pytest.approx(1.04**2, abs=0.15)  # LeakyReLU · √2 has a gain of 1.04


# ---- labels ----

LABELS = torch.tensor([0, 1, 2, 1])


def test_a_sample_depends_on_its_own_label_alone():
    torch.manual_seed(0)
    network = StyleGAN2Generator(5, (1, 8, 8), classes=3, **TINY).eval()
    assert takes_labels(network)
    assert not takes_labels(StyleGAN2Generator(5, (1, 8, 8), **TINY))
    latents = torch.randn(4, 5)
    made, changed = network(latents, LABELS), network(latents, torch.tensor([0, 2, 2, 1]))
    assert ((made - changed).abs().flatten(1).amax(1) > 1e-4).tolist() == [False, True, False, False]


@pytest.mark.parametrize("conditioning", ["concat", "projection", "per_class"])
def test_a_logit_depends_on_its_own_label_alone(conditioning):
    torch.manual_seed(0)
    network = StyleGAN2Discriminator((1, 8, 8), group=1, conditioning=conditioning, classes=3, **SMALL)
    assert takes_labels(network)
    samples = torch.randn(4, 1, 8, 8)
    logits, changed = network(samples, LABELS), network(samples, torch.tensor([0, 2, 2, 1]))
    assert logits.shape == (4,)
    assert ((logits - changed).abs() > 1e-5).tolist() == [False, True, False, False]


def test_the_projection_by_hand():
    """⟨features through a linear layer, the label's style⟩ / √features, and no other logit."""
    torch.manual_seed(0)
    network = StyleGAN2Discriminator((1, 8, 8), conditioning="projection", classes=3, **SMALL)
    samples = torch.randn(4, 1, 8, 8)
    features, styles = network.head.last(network.features(samples)), network.head.mapping(None, LABELS)
    assert torch.allclose(network(samples, LABELS), (features * styles).sum(1) / 8**0.5, atol=1e-6)


def test_an_auxiliary_classifier():
    judged = StyleGAN2Discriminator((1, 8, 8), conditioning="auxiliary", classes=3, **SMALL)(torch.randn(4, 1, 8, 8))
    assert isinstance(judged, Judgement)
    assert (judged.logits.shape, judged.classes.shape) == ((4,), (4, 3))


# ---- truncation ----


@pytest.mark.parametrize("classes", [None, 4])
def test_truncation(classes):
    """w̄ + ψ (w − w̄); with labels each class has its own mean, of those asked for."""
    torch.manual_seed(0)
    network = StyleGAN2Generator(5, (1, 8, 8), classes=classes, **TINY).eval()
    latents, others = torch.randn(3, 5), torch.randn(50, 5)
    labels = None if classes is None else torch.tensor([3, 1, 3])
    asked = None if classes is None else [1, 3]
    means = [network.styles(others, None if one is None else torch.full((50,), one)).mean(0) for one in asked or [None]]
    mean = torch.stack(means)[[0, 0, 0] if classes is None else [1, 0, 1]]
    for psi in (0.0, 0.4, 1.0):
        expected = network.synthesis(mean + psi * (network.styles(latents, labels) - mean))
        assert torch.allclose(Truncated(network, psi, others, asked)(latents, labels), expected, atol=1e-5)
    assert takes_labels(Truncated(network, 0.5, others, asked)) == (classes is not None)


# ---- losses ----


def test_spectral_norm_bounds_the_weights_in_use():
    network = StyleGAN2Discriminator((1, 8, 8), **SMALL)
    SpectralNorm().attach(network)
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            assert torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("shortcuts", ["none", "skip", "residual"])
def test_every_weight_gets_second_gradients(shortcuts):
    """As R1 takes them; biases behind the last activation have none."""
    torch.manual_seed(0)
    network = StyleGAN2Discriminator((1, 8, 8), shortcuts=shortcuts, **SMALL)
    samples = torch.randn(4, 1, 8, 8, requires_grad=True)
    (slopes,) = torch.autograd.grad(network(samples).sum(), samples, create_graph=True)
    slopes.square().sum().backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert all("bias" in name for name in without)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StyleGAN2Generator(5, (3, 28, 28)), r"images of 28x28 pixels: expected squares of 8, 16, 32"),
        (lambda: StyleGAN2Discriminator((3, 32, 16)), r"images of 32x16 pixels: expected squares"),
        (lambda: StyleGAN2Generator(5, (3, 4, 4)), r"images of 4x4 pixels: expected squares"),
        (lambda: StyleGAN2Generator(5, (2,)), r"not samples of shape \[2\]: use model=mlp"),
        (lambda: StyleGAN2Generator(5, (3, 8, 8), capacity=4), r"capacity=4: expected at least 8, the side"),
        (lambda: StyleGAN2Generator(5, (3, 8, 8), channels=0), r"StyleGAN2Generator\.channels=0: expected a whole"),
        (lambda: StyleGAN2Generator(5, (3, 8, 8), mapping=0), r"StyleGAN2Generator\.mapping=0: expected a whole"),
        (lambda: StyleGAN2Generator(5, (3, 8, 8), mixing=1.5), r"mixing=1\.5: expected a number from 0 to 1"),
        (lambda: StyleGAN2Generator(5, (3, 8, 8), shortcuts="dense"), r"shortcuts='dense': expected one of none, skip"),
        (lambda: StyleGAN2Generator(5, (3, 8, 8), conditioning="concat"), r"conditioning='concat': expected one of"),
        (lambda: StyleGAN2Discriminator((3, 8, 8), group=0), r"StyleGAN2Discriminator\.group=0: expected a whole"),
        (lambda: StyleGAN2Discriminator((3, 8, 8), conditioning="projection"), r"expected none, or conditional="),
        (
            lambda: StyleGAN2Generator(5, (1, 8, 8), classes=3, **TINY)(torch.randn(2, 5)),
            r"StyleGAN2Generator: labels are missing",
        ),
        (
            lambda: StyleGAN2Discriminator((1, 8, 8), conditioning="per_class", classes=3, **SMALL)(FLAT),
            r"StyleGAN2Discriminator: labels are missing",
        ),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
