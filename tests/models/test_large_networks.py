"""SAGAN, BigGAN, Mescheder's and R3GAN's networks: shapes, labels, attention, spectral norm, three iterations."""

import math

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.config.hashing import hash_of
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.models import (
    BigGANDiscriminator,
    BigGANGenerator,
    MeschederResNetDiscriminator,
    MeschederResNetGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
    SNGANResNetDiscriminator,
    SNGANResNetGenerator,
)
from gan_lab.models.conditions import takes_labels
from gan_lab.models.layers.attention import MapAttention
from gan_lab.models.packing import packed_shape
from gan_lab.training.build import build_module

NARROW = {"channels": 2}
MAKE = {
    "sagan": (
        lambda shape, **asked: SNGANResNetGenerator(24, shape, **NARROW, attention=16, spectral_norm=True, **asked),
        lambda shape, **asked: SNGANResNetDiscriminator(shape, **NARROW, wide=True, attention=16, **asked),
        [(32, 32), (64, 64), (32, 24)],
    ),
    "biggan": (
        lambda shape, **asked: BigGANGenerator(60, shape, **NARROW, attention=16, **asked),
        lambda shape, **asked: BigGANDiscriminator(shape, **NARROW, attention=16, **asked),
        [(32, 32), (64, 64), (16, 32), (128, 128)],
    ),
    "mescheder_resnet": (
        lambda shape, **asked: MeschederResNetGenerator(24, shape, **NARROW, **asked),
        lambda shape, **asked: MeschederResNetDiscriminator(shape, **NARROW, **asked),
        [(4, 4), (8, 8), (28, 28), (32, 32), (24, 16)],
    ),
    "r3gan": (
        lambda shape, **asked: R3GANGenerator(24, shape, widths(shape), **asked),
        lambda shape, **asked: R3GANDiscriminator(shape, widths(shape), **asked),
        [(4, 4), (8, 8), (28, 28), (32, 32), (24, 16)],
    ),
}
SIZES = [pytest.param(name, size, id=f"{name} {size}") for name, row in MAKE.items() for size in row[2]]


def widths(shape):
    """Of R3GAN's stages, twice as wide in the first one."""
    return [16, *[8] * (int(math.log2(max(shape[1:]))) - 2)]


def moved(network):
    """In float64, its weights moved, so that nothing is zero and no layer hides another."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.2)
    return network.double()


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_images_come_out_in_the_size_asked_for(name, size):
    make_generator, make_discriminator, _ = MAKE[name]
    latents = torch.randn(3, 60 if name == "biggan" else 24)
    for colours in (1, 3):
        samples = make_generator((colours, *size))(latents)
        assert samples.shape == (3, colours, *size)
        assert samples.min() < 0 < samples.max()
        assert (samples.abs().max() <= 1) or name == "r3gan"  # which has no tanh
    packs = torch.randn(2, *packed_shape((3, *size), 2))
    assert make_discriminator(packed_shape((3, *size), 2))(packs).shape == (2,)


@pytest.mark.parametrize("name", MAKE)
def test_a_sample_depends_on_its_own_label_alone(name):
    make, _, sizes = MAKE[name]
    network = moved(make((1, *sizes[0]), classes=3)).eval()
    assert takes_labels(network)
    latents = torch.randn(4, 60 if name == "biggan" else 24, dtype=torch.float64)
    samples, changed = (network(latents, torch.tensor(labels)) for labels in ([0, 1, 2, 1], [0, 2, 2, 1]))
    assert (samples != changed).flatten(1).any(1).tolist() == [False, True, False, False]
    network(latents[:1], torch.tensor([1])).square().sum().backward()
    tables = [m.weight.grad for m in network.modules() if isinstance(m, nn.Embedding)]
    assert len(tables) >= 1
    assert all(table[1].any() and not table[[0, 2]].any() for table in tables)
    with pytest.raises(ValueError, match=r"Generator: labels are missing, expected the class of each sample"):
        network(latents)
    assert not takes_labels(make((1, *sizes[0])))


@pytest.mark.parametrize("name", MAKE)
def test_samples_are_judged_alone(name):
    _, make, sizes = MAKE[name]
    shape = (1, *sizes[0])
    network = moved(make(shape))
    samples, order = torch.randn(6, *shape, dtype=torch.float64), torch.tensor([3, 0, 5, 1, 4, 2])
    assert torch.allclose(network(samples[order]), network(samples)[order], atol=1e-10)
    assert judges_each_alone(network, shape)


# ---- attention ----


def test_attention_by_hand():
    """y = x + γ · o(Σ_j softmax_j(q_i · k_j) v_j), keys and values the largest of 2×2 pixels; scores are not scaled."""
    block = MapAttention(1)
    with torch.no_grad():
        for layer, value in ((block.query, 2.0), (block.key, -3.0), (block.value, 5.0), (block.out, 7.0)):
            layer.weight.fill_(value)
        block.gamma.fill_(0.5)
    x = torch.tensor([[0.1, -0.4, 0.3, 0.2], [0.6, 0.5, -0.2, 0.0]])
    keys, values = (max(-3 * v for v in (0.1, -0.4, 0.6, 0.5)), max(-3 * v for v in (0.3, 0.2, -0.2, 0.0))), (3.0, 1.5)
    expected = []
    for asking in x.flatten().tolist():
        weights = [math.exp(2 * asking * key) for key in keys]
        attended = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
        expected.append(asking + 0.5 * 7 * attended)
    assert block(x[None, None]).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_attention_begins_as_the_identity_and_has_scores_of_an_eighth_of_the_channels():
    block = MapAttention(16)
    features = torch.randn(2, 16, 5, 4)
    assert torch.equal(block(features), features)
    assert [m.weight.shape[:2] for m in (block.query, block.key, block.value, block.out)] == [
        (2, 16), (2, 16), (8, 16), (16, 8)
    ]  # fmt: skip


@pytest.mark.parametrize(("side", "after"), [(8, 1), (16, 2), (32, 3)])
def test_attention_stands_after_the_block_of_its_map(side, after):
    """In the generator after the first, second and third block; in the discriminator on the same map."""
    layers = list(SNGANResNetGenerator(4, (3, 32, 32), 8, attention=side))[2:]
    assert [isinstance(layer, MapAttention) for layer in layers].index(True) == after
    if side < 32:
        layers = list(SNGANResNetDiscriminator((3, 32, 32), 8, attention=side))
        assert [isinstance(layer, MapAttention) for layer in layers].index(True) == {16: 1, 8: 2}[side]
    network = BigGANGenerator(4, (3, 32, 32), 2, attention=side)
    assert [any(isinstance(m, MapAttention) for m in block.modules()) for block in network.blocks].index(True) == (
        after - 1
    )


@pytest.mark.parametrize("name", ["sagan", "biggan"])
@pytest.mark.parametrize("classes", [None, 3])
def test_spectral_norm_of_a_generator_is_on_linear_layers_and_convolutions_alone(name, classes):
    network = MAKE[name][0]((3, 32, 32), classes=classes)
    bounded = {m for m in network.modules() if is_parametrized(m, "weight")}
    weighted = {m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    assert bounded == weighted
    tables = [m for m in network.modules() if isinstance(m, nn.Embedding)]
    assert len(tables) == (0 if classes is None else {"sagan": 12, "biggan": 1}[name])
    for module in bounded:  # attaching takes fifteen steps of power iteration
        assert torch.linalg.svdvals(module.weight.detach().flatten(1))[0].item() == pytest.approx(1, abs=0.15)
    norms = {m.parametrizations.weight[0].eps for m in bounded}
    assert norms == {{"sagan": 1e-12, "biggan": 1e-6}[name]}


# ---- three iterations: recipes, labels ----

SMALLEST = {
    "sagan": ((1, 32, 32), ["model.generator.channels=2", "model.discriminator.channels=2"]),
    "biggan": ((1, 32, 32), ["model.generator.channels=1", "model.discriminator.channels=2"]),
    "mescheder_resnet": ((1, 4, 4), ["model.generator.channels=2", "model.discriminator.channels=2"]),
    "r3gan": ((1, 4, 4), ["model.generator.widths=[4]", "model.discriminator.widths=[4]"]),
}
RECIPES = [("hinge", "projection"), ("wgan_gp", "concat"), ("r3gan", "per_class"), ("rasgan", "none")]


@pytest.mark.parametrize(("loss", "way"), RECIPES)
@pytest.mark.parametrize("model", SMALLEST)
def test_three_iterations_move_every_weight(composed, model, loss, way):
    shape, small = SMALLEST[model]
    config = composed(f"model={model}", *small, f"loss={loss}", f"conditional={way}", "latent_dim=4", "batch_size=4",
                      "n_critic=1", "term=orthogonal")  # fmt: skip
    module = build_module(config, shape, class_counts=[4, 4])
    start = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    labels = torch.tensor([0, 1, 0, 1])
    for seed in range(3):
        real = torch.randn(4, *shape, generator=torch.Generator().manual_seed(seed)).clamp(-1, 1)
        curves = module.iterate(Draw(Batch(real, labels), Batch(real, labels)))
        assert all(value.isfinite().all() for value in curves.values())
    assert "loss/orthogonal" in curves
    end = dict(module.named_parameters())
    still = [key for key in start if torch.equal(start[key], end[key]) and not key.endswith("bias")]
    assert still == []


def test_r3gans_groups_are_an_eighth_of_the_width_or_the_next_smaller_divisor():
    """The paper's widths, 768, 384, 192 and 96, keep 16 channels in a group; 56 channels have no 3 groups, but 2."""
    eighths = {768: 96, 384: 48, 192: 24, 96: 12, 8: 1, 7: 1, 4: 1}
    for width, groups in (eighths | {28: 2, 97: 2, 44: 4, 100: 10}).items():
        shape, widths = (1, 8, 8), [width, 8]
        for network in (R3GANGenerator(4, shape, widths, blocks=1), R3GANDiscriminator(shape, widths, blocks=1)):
            found = {
                layer.groups
                for layer in network.modules()
                if isinstance(layer, nn.Conv2d) and layer.in_channels == layer.out_channels == 2 * width
            }
            assert found == {groups}, width


def test_spectral_norm_of_weights_that_begin_at_zero_is_refused(composed):
    config = composed("model=r3gan", *SMALLEST["r3gan"][1], "loss=sngan", "latent_dim=4", "batch_size=4")
    with pytest.raises(ConfigError, match=r"^loss.constraint=SpectralNorm: .* begin at 0 .* \(1.branch.4\)$"):
        build_module(config, (1, 4, 4))


def test_runs_from_before_the_new_keys_keep_their_hash(composed):
    words = ["model=sngan_resnet", "penalty=[r1,r2]", "ema.half_life=3"]
    now, before = (OmegaConf.to_container(composed(*words), resolve=True) for _ in range(2))
    for key in ("lr_hold", "lr_final", "lr_iterations", "beta2_final"):
        del before[key]
    for name in ("r1", "r2"):
        del before["loss"]["penalties"][name]["final_weight"], before["loss"]["penalties"][name]["until"]
    del before["model"]["generator"]["attention"], before["model"]["generator"]["spectral_norm"]
    del before["model"]["discriminator"]["attention"], before["ema"]["rise"]
    assert hash_of(before) == hash_of(now)
    assert hash_of(now | {"lr_final": 0.5}) != hash_of(now)


# ---- wrong inputs ----

G, D = SNGANResNetGenerator, SNGANResNetDiscriminator


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: G(4, (3, 32, 32), attention=20), r"attention=20: expected null or the longer side of the "
         r"map after a block: 8, 16, 32$"),
        (lambda: G(4, (3, 32, 32), attention=4), r"attention=4: .*: 8, 16, 32$"),  # no block is before that map
        (lambda: D((3, 64, 64), attention=True), r"SNGANResNetDiscriminator.attention=true: .*: 2, 4, 8, 16, 32$"),
        (lambda: D((3, 32, 64), attention=2), r"attention=2: .*: 4, 8, 16, 32$"),  # of 1x2 pixels
        (lambda: G(4, (3, 32, 32), spectral_norm="on"), "SNGANResNetGenerator.spectral_norm='on': expected true or"),
        (lambda: G(4, (3, 256, 256)), "images of 256x256 pixels: expected a longer side of 32, 48, 64 or 128"),
        (lambda: BigGANGenerator(5, (3, 48, 48)), "biggan cannot draw images of 48x48 pixels: .* 32, 64 or 128, "),
        (lambda: BigGANGenerator(90, (3, 32, 32)), r"latent of size 90 in 4 equal parts: .* latent_dim such as 80, or"),
        (lambda: BigGANGenerator(80, (3, 32, 32), shared=None), "shared=None: .* BigGANGenerator.hierarchical=false"),
        (lambda: BigGANGenerator(80, (3, 32, 32), multiples=[4, 4]), r"multiples=\[4, 4\]: expected 4 numbers"),
        (lambda: BigGANDiscriminator((3, 32, 32), initialisation="xavier"), "initialisation='xavier': expected one"),
        (lambda: MeschederResNetGenerator(4, (3, 30, 30)), "mescheder_resnet cannot draw images of 30x30 pixels: "),
        (lambda: MeschederResNetDiscriminator((3, 32, 32), largest=0), "MeschederResNetDiscriminator.largest=0"),
        (lambda: MeschederResNetDiscriminator((1, 3, 2)), "of 3x2 pixels: expected a longer side of 4 to 7 times"),
        (lambda: R3GANGenerator(4, (2,)), r"r3gan draws images .* not samples of shape \[2\]: use model=mlp"),
        (lambda: R3GANGenerator(4, (1, 8, 8)), r"widths=\[768, 768, 768, 768\]: expected 2 of them, .* 8x8 pixels"),
        (lambda: R3GANDiscriminator((1, 8, 8), [8, 8], [3, 1]), r"groups=\[3, 1\]: .* divisor of twice the width"),
        (lambda: R3GANDiscriminator((1, 8, 8), [28, 28], [3, 3]), r"groups=\[3, 3\]: .* divisor of twice the width"),
        (lambda: R3GANDiscriminator((1, 8, 8), [8, 8], [1]), r"groups=\[1\]: expected one number for each width"),
        (lambda: R3GANDiscriminator((1, 8, 8), [8, 8], blocks=0), "R3GANDiscriminator.blocks=0"),
        (lambda: R3GANDiscriminator((1, 8, 8), [8, 8], conditioning="own"), "R3GANDiscriminator.conditioning='own'"),
    ],
)  # fmt: skip
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message) as raised:
        make()
    assert len(str(raised.value).splitlines()) == 1
