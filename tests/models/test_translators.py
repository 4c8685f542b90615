"""Networks from picture to picture, and VAE/GAN's: counts, shapes, first weights, and what each promises."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.models import (
    CycleGANDiscriminators,
    CycleGANGenerators,
    PatchGANDiscriminator,
    ResNetTranslator,
    UNetGenerator,
    VAEGANDiscriminator,
    VAEGANEncoder,
    VAEGANGenerator,
)


def square(side: int, colours: int = 3) -> tuple[int, int, int]:
    return colours, side, side


# ---- parameters. "Built": counted on the public network; "by hand": computed from its source ----

with torch.device("meta"):  # nothing is drawn
    BIG, MIDDLE, SMALL = square(256), square(64), square(32)
    COUNTS = {
        "unet 256": (UNetGenerator(BIG, BIG), 54_413_955, "pix2pix in PyTorch, built"),
        "unet 128": (UNetGenerator(square(128), square(128)), 41_828_995, "pix2pix in PyTorch, built"),
        "resnet_translator 256": (ResNetTranslator(BIG, BIG), 11_378_179, "CycleGAN in PyTorch, built"),
        "resnet_translator 128": (ResNetTranslator(square(128), square(128)), 7_837_699, "CycleGAN in PyTorch, built"),
        "patchgan with source": (PatchGANDiscriminator(BIG, BIG), 2_768_705, "pix2pix in PyTorch, built"),
        "patchgan alone": (PatchGANDiscriminator(BIG, norm="instance"), 2_764_737, "CycleGAN in PyTorch, built"),
        "cyclegan generators": (CycleGANGenerators(BIG, BIG), 2 * 11_378_179, "two translators"),
        "cyclegan discriminators": (CycleGANDiscriminators(BIG, BIG), 2 * 2_764_737, "two PatchGANs"),
        "vae_gan encoder 64": (VAEGANEncoder(128, MIDDLE), 18_071_360, "the authors' code, by hand"),
        "vae_gan generator 64": (VAEGANGenerator(128, MIDDLE), 4_693_155, "the authors' code, by hand"),
        "vae_gan discriminator 64": (VAEGANDiscriminator(MIDDLE), 10_953_857, "the authors' code, by hand"),
        "vae_gan encoder 32": (VAEGANEncoder(256, SMALL), 5_750_848, "the authors' code, by hand"),
        "vae_gan generator 32": (VAEGANGenerator(256, SMALL), 3_005_475, "the authors' code, by hand"),
        "vae_gan discriminator 32": (VAEGANDiscriminator(SMALL), 4_047_873, "the authors' code, by hand"),
    }


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_as_many_as_published(name):
    network, expected, source = COUNTS[name]
    assert sum(p.numel() for p in network.parameters()) == expected, source


# ---- shapes ----

SIZES = [(8, 8), (16, 16), (32, 32), (64, 64), (128, 128), (256, 256), (8, 24), (32, 16)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_unet_translates_one_picture_or_more_into_others_of_its_size(size, mode):
    """In training, too: BatchNorm sees no map of one pixel (pix2pix's errata)."""
    network = UNetGenerator((2, *size), (1, *size), channels=1).train(mode == "train")
    for count in (1, 3):
        samples = network(torch.randn(count, 5), torch.randn(count, 1, *size))
        assert samples.shape == (count, 2, *size)
        assert samples.isfinite().all()


def test_a_unet_halves_to_one_pixel_and_gives_each_map_to_the_block_of_its_size():
    """The authors' network (NETWORKS.md A13), at 16 pixels; no BatchNorm after the first and the innermost."""
    network = UNetGenerator(square(16, 1), square(16, 1), 2, dropout=0.0).double().eval()
    seen: list[tuple[int, ...]] = []
    for block in [*network.down, *network.up]:
        block.register_forward_hook(lambda _, given, made: seen.append((given[0].shape[1], *made.shape[1:])))
    network(torch.zeros(1, 1), torch.randn(1, 1, 16, 16, dtype=torch.float64))
    down = [(1, 2, 8, 8), (2, 4, 4, 4), (4, 8, 2, 2), (8, 16, 1, 1)]  # channels in, channels and sides out
    up = [
        (16, 8, 2, 2),
        (16, 4, 4, 4),
        (8, 2, 8, 8),
    ]  # the skips double what they are given
    assert seen == down + up
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in block.modules()) for block in [*network.down, *network.up]]
    assert norms == [0, 1, 1, 0, 1, 1, 1]


@pytest.mark.parametrize("side", [8, 12, 28, 64, (8, 20)])
def test_a_residual_translator_keeps_the_size(side):
    size = (side, side) if isinstance(side, int) else side
    network = ResNetTranslator((3, *size), (1, *size), channels=2, blocks=1)
    samples = network(None, torch.randn(2, 1, *size))
    assert samples.shape == (2, 3, *size)


@pytest.mark.parametrize(("side", "blocks"), [(8, 6), (252, 6), (256, 9)])
def test_blocks_of_the_residual_translator_follow_the_longer_side(side, blocks):
    """Zhu et al. 2017, appendix: 6 for 128 pixels, 9 for 256 and more."""
    with torch.device("meta"):
        network = ResNetTranslator((1, 8, side), (1, 8, side), 1)
    assert sum(isinstance(module, nn.Identity) for module in network.modules()) == blocks


PATCHES = {8: (2, 16), 16: (6, 16), 28: (5, 34), 32: (6, 34), 64: (6, 70), 128: (14, 70), 256: (30, 70)}
"""Side of an image → side of the map, receptive field: the docstring's table; 256 → 30 and 70 are the paper's."""


@pytest.mark.parametrize("norm", ["none", "batch", "instance", "layer"])
@pytest.mark.parametrize("side", [8, 28, 64])
def test_a_patchgan_gives_a_map_of_logits(side, norm):
    for source in (None, square(side, 2)):
        network = PatchGANDiscriminator(square(side, 1), source, 2, norm)
        given = [] if source is None else [torch.randn(1, *source)]
        assert network(torch.randn(1, 1, side, side), *given).shape == (1, 1, *[PATCHES[side][0]] * 2)
        assert network.uses_source == (source is not None)


@pytest.mark.parametrize("size", [8, 9, 16, 28, 32, 40, 64, (5, 17), (1, 1)])
def test_vae_gan_takes_images_of_any_size(size):
    shape = (2, *((size, size) if isinstance(size, int) else size))
    samples = VAEGANGenerator(5, shape, 2)(torch.randn(3, 5))
    assert samples.shape == (3, *shape)
    assert VAEGANDiscriminator(shape, 2)(samples).shape == (3,)
    assert [part.shape for part in VAEGANEncoder(5, shape, 2)(samples)] == [(3, 5), (3, 5)]


@pytest.mark.parametrize(
    ("side", "features"),
    [(64, (256, 8, 8)), (32, (256, 4, 4)), (28, (256, 4, 4)), (16, (192, 4, 4)), (10, (192, 3, 3)), (8, (128, 4, 4))],
)
def test_features_of_vae_gan_are_those_of_the_last_strided_convolution_before_its_norm(side, features):
    """The third, for 64 and 32 pixels (NETWORKS.md: Larsen's code)."""
    network = VAEGANDiscriminator(square(side))
    samples = torch.randn(2, 3, side, side)
    strided = [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.stride == (2, 2)]
    made = []
    strided[-1].register_forward_hook(lambda *call: made.append(call[2]))
    found = network.features(samples)
    assert found.shape == (2, *features)
    assert torch.equal(found, made[0])
    assert len(strided) == {64: 3, 32: 3, 28: 3, 16: 2, 10: 2, 8: 1}[side]
    assert torch.equal(network.head(found), copy.deepcopy(network)(samples))


def test_the_encoder_has_two_heads_of_their_own():
    network = VAEGANEncoder(3, (1, 8, 8), 2)
    with torch.no_grad():
        network.log_variance.weight.zero_()
        network.log_variance.bias.copy_(torch.tensor([-5.0, 0.0, 7.0]))  # no activation cuts it
    mean, log_variance = network(torch.randn(4, 1, 8, 8))
    assert log_variance.tolist() == [[-5.0, 0.0, 7.0]] * 4
    assert mean.std(0).min() > 0


@pytest.mark.parametrize(
    "network",
    [
        UNetGenerator(square(8), square(8), 1),
        ResNetTranslator(square(8), square(8), 1, 1),
        VAEGANGenerator(5, square(8), 1),
    ],
    ids=["unet", "resnet_translator", "vae_gan"],
)
@torch.no_grad()
def test_pixels_end_in_a_tanh(network):
    given = (
        [torch.zeros(2, 5)] if isinstance(network, VAEGANGenerator) else [torch.zeros(2, 5), torch.zeros(2, 3, 8, 8)]
    )
    last = [module for module in network.modules() if isinstance(module, WEIGHTED)][-1]
    last.bias.copy_(torch.tensor([-0.5, 0.0, 3.0]))
    expected = last.bias.tanh()[:, None, None].expand(2, 3, 8, 8)
    assert torch.allclose(network(*given), expected, atol=1e-6)  # all else is zero


# ---- first weights ----

WEIGHTED = nn.Linear | nn.modules.conv._ConvNd
NORMAL = {
    "unet": lambda: UNetGenerator(square(8), square(8), 16),
    "resnet_translator": lambda: ResNetTranslator(square(8), square(8), 16, 1),
    "patchgan": lambda: PatchGANDiscriminator(square(64), square(64), 8),
}


@pytest.mark.parametrize("name", NORMAL)
def test_normal_first_weights(name):
    """N(0, 0.02) in both papers (NETWORKS.md A13); biases are 0."""
    torch.manual_seed(0)
    network = NORMAL[name]()
    layers = [module for module in network.modules() if isinstance(module, WEIGHTED)]
    drawn = torch.cat([layer.weight.flatten() for layer in layers])
    assert drawn.std().item() == pytest.approx(0.02, rel=0.01)
    assert drawn.mean().item() == pytest.approx(0, abs=4e-4)
    assert (drawn.abs() > 0.04).double().mean().item() == pytest.approx(0.0455, abs=0.005)  # of a normal distribution
    biases = [p for key, p in network.named_parameters() if key.endswith("bias")]
    assert biases
    assert all(not bias.any() for bias in biases)


@pytest.mark.parametrize(
    "make",
    [
        lambda: VAEGANEncoder(64, square(16)),
        lambda: VAEGANGenerator(64, square(16)),
        lambda: VAEGANDiscriminator(square(16)),
    ],
    ids=["encoder", "generator", "discriminator"],
)
def test_first_weights_of_vae_gan(make):
    """U(−a, a), a = 1/√(3·fan_in): the AutoFiller of the authors' library; its deviation is a/√3."""
    torch.manual_seed(0)
    for module in make().modules():
        if isinstance(module, WEIGHTED):
            bound = (3 * math.prod(module.weight.shape[1:])) ** -0.5
            assert module.weight.abs().max().item() == pytest.approx(bound, rel=0.02)
            assert module.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)
            assert module.bias is None or not module.bias.any()


# ---- PatchGAN ----


@pytest.mark.parametrize(("side", "field"), [(27, 16), (55, 34), (128, 70), (256, 70)])
def test_a_logit_sees_a_patch(side, field):
    """Fields of 16 and 70 pixels are the paper's (Isola et al. 2017, §4.4)."""
    torch.manual_seed(0)
    network = PatchGANDiscriminator(square(side, 1), None, 1, "none").double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_()
    image = torch.randn(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    logits = network(image)
    middle = logits.shape[2] // 2
    logits[0, 0, middle, middle].backward()
    rows, columns = image.grad[0, 0].nonzero().unbind(1)
    assert [rows.max() - rows.min() + 1, columns.max() - columns.min() + 1] == [field, field]


@pytest.mark.parametrize("side", PATCHES)
def test_the_table_of_patchgan(side):
    """Each strided convolution doubles what is seen, and adds 2: fields of 7, 16, 34, 70."""
    network = PatchGANDiscriminator(square(side, 1), None, 1)
    with torch.no_grad():
        found = network(torch.zeros(1, 1, side, side)).shape[2]
    field = 1
    for layer in [module for module in network.modules() if isinstance(module, nn.Conv2d)][::-1]:
        field = (field - 1) * layer.stride[0] + layer.kernel_size[0]
    assert (found, field) == PATCHES[side]


def test_a_patchgan_looks_at_the_source():
    torch.manual_seed(0)
    network = PatchGANDiscriminator(square(8, 1), square(8, 2), 4, "none")
    samples, source = torch.randn(2, 1, 8, 8), torch.randn(2, 2, 8, 8)
    assert (network(samples, source) - network(samples, source.flip(0))).abs().max() > 1e-6
    assert (network(samples, source) - network(samples.flip(0), source)).abs().max() > 1e-6


ALONE = {
    "patchgan": lambda norm: (PatchGANDiscriminator((1, 8, 8), None, 2, norm), (1, 8, 8)),
    "cyclegan": lambda norm: (CycleGANDiscriminators((1, 8, 8), (3, 8, 8), 2, norm), (1, 8, 8)),
    "vae_gan": lambda norm: (VAEGANDiscriminator((1, 8, 8), 2, norm), (1, 8, 8)),
}


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "instance"])
@pytest.mark.parametrize("name", ALONE)
def test_samples_are_judged_alone_unless_there_is_batchnorm(name, norm):
    if (name, norm) == ("vae_gan", "instance"):
        norm = "layer"
    network, shape = ALONE[name](norm)
    assert judges_each_alone(network, shape) == (norm != "batch")


@torch.no_grad()
def test_a_residual_translator_treats_each_picture_alone():
    network = ResNetTranslator(square(8, 1), square(8, 1), 2, 1).double()
    source = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    alone = torch.cat([network(None, one[None]) for one in source])
    assert torch.allclose(network(None, source), alone, rtol=0, atol=1e-12)
    assert not list(network.buffers())


# ---- instance norm and reflection ----


@pytest.mark.parametrize(
    "network",
    [ResNetTranslator(square(8), square(8), 2, 1), PatchGANDiscriminator(square(8), None, 2, "instance")],
    ids=["resnet_translator", "patchgan"],
)
def test_instance_norm_has_nothing_to_learn_and_convolutions_have_biases(network):
    norms = [module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)]
    assert norms
    assert not any(list(norm.parameters()) or list(norm.buffers()) for norm in norms)
    assert all(module.bias is not None for module in network.modules() if isinstance(module, WEIGHTED))


def test_instance_norm_makes_contrast_and_brightness_of_the_source_vanish():
    """Of a translator whose first convolution looks at one pixel: a·x + b becomes x, for a > 0."""
    network = ResNetTranslator(square(16, 1), square(16, 1), 2, 1).double()
    with torch.no_grad():
        network.layers[0].weight.zero_()[:, :, 3, 3] = 1.0
        source = torch.randn(2, 1, 16, 16, dtype=torch.float64)
        assert torch.allclose(network(None, 3 * source + 1), network(None, source), atol=1e-5)
        assert not torch.allclose(network(None, -source), network(None, source), atol=1e-5)


def test_borders_are_reflected():
    """Convolutions that keep the side: as without padding, on a picture that was continued by its reflection."""
    network = ResNetTranslator(square(8, 1), square(8, 1), 2, 1)
    keeping = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.stride == (1, 1)]
    assert [m.kernel_size[0] for m in keeping] == [7, 3, 3, 7]
    for layer in keeping:
        reach = layer.kernel_size[0] // 2
        picture = torch.randn(1, layer.in_channels, 6, 6)
        continued = pad(picture, (reach,) * 4, "reflect")
        assert torch.allclose(layer(picture), nn.functional.conv2d(continued, layer.weight, layer.bias), atol=1e-6)


# ---- CycleGAN ----


@torch.no_grad()
@pytest.mark.parametrize(("side", "channels", "blocks", "judge"), [(8, 16, 2, 32), (32, 16, 2, 32), (64, 64, 6, 64)])
def test_cyclegans_networks_follow_the_side(side, channels, blocks, judge):
    def count(network):
        return sum(weight.numel() for weight in network.parameters())

    shape = (1, 8, side)
    with torch.device("meta"):
        translator = ResNetTranslator(shape, shape, channels, blocks)
        assert count(CycleGANGenerators(shape, shape)) == 2 * count(translator)
        single = PatchGANDiscriminator(shape, channels=judge, norm="instance")
        assert count(CycleGANDiscriminators(shape, shape)) == 2 * count(single)


def test_cyclegan_translates_there_and_back():
    torch.manual_seed(0)
    generators = CycleGANGenerators(square(8, 1), square(8, 3), 2, 1)
    discriminators = CycleGANDiscriminators(square(8, 1), square(8, 3), 2)
    latents, source = torch.randn(2, 5), torch.randn(2, 3, 8, 8)
    samples = generators(latents, source)
    assert torch.equal(samples, generators.to_sample(None, source))
    assert samples.shape == (2, 1, 8, 8)
    assert generators.to_source(latents, samples).shape == (2, 3, 8, 8)
    assert torch.equal(discriminators(samples), discriminators.of_sample(samples))
    assert discriminators.of_source(source).shape == (2, 1, 2, 2)
    assert not discriminators.uses_source


# ---- wrong inputs ----

POINT, EIGHT = (2,), (3, 8, 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UNetGenerator((3, 28, 28), (3, 28, 28)), r"unet cannot translate .* 28x28 pixels: .*8, 16, 32 .*"),
        (lambda: UNetGenerator((3, 4, 4), (3, 4, 4)), "unet cannot translate images of 4x4 pixels"),
        (lambda: UNetGenerator((3, 16, 24), (3, 16, 24)), "unet cannot translate images of 16x24 pixels"),
        (lambda: UNetGenerator(EIGHT, (3, 16, 16)), "unet cannot .* 16x16 pixels into images of 8x8: .* equal sides"),
        (lambda: UNetGenerator(EIGHT, EIGHT, dropout=1.0), "UNetGenerator.dropout=1.0: .* from 0 to below 1"),
        (lambda: UNetGenerator(EIGHT, EIGHT, channels=0), "UNetGenerator.channels=0"),
        (lambda: ResNetTranslator(EIGHT, POINT), r"resnet_translator .* a source of shape \[2\], expected \[C, H, W\]"),
        (lambda: ResNetTranslator((3, 30, 30), (3, 30, 30)), "resnet_translator .* 30x30 pixels: .* multiples of 4"),
        (lambda: ResNetTranslator((3, 4, 8), (3, 4, 8)), "resnet_translator .* 4x8 pixels: .* 8 pixels and more"),
        (lambda: ResNetTranslator(EIGHT, EIGHT, blocks=0), "ResNetTranslator.blocks=0"),
        (lambda: PatchGANDiscriminator((3, 8, 7)), "patchgan cannot judge images of 8x7 pixels: .* at least 8"),
        (lambda: PatchGANDiscriminator(EIGHT, (3, 8, 16)), "patchgan cannot translate images of 8x16"),
        (lambda: PatchGANDiscriminator(EIGHT, norm="spectral"), "PatchGANDiscriminator.norm='spectral'"),
        (lambda: PatchGANDiscriminator(EIGHT, EIGHT)(torch.zeros(1, *EIGHT)), "the source is missing"),
        (lambda: CycleGANDiscriminators(EIGHT, (3, 16, 16)), "cyclegan cannot translate images of 16x16"),
        (lambda: VAEGANEncoder(0, EIGHT), "VAEGANEncoder.latent_dim=0"),
        (lambda: VAEGANGenerator(5, POINT), r"vae_gan draws images .* not samples of shape \[2\]: use model=mlp"),
        (lambda: VAEGANDiscriminator(EIGHT, norm="instance"), "VAEGANDiscriminator.norm='instance'"),
    ],
)
def test_bad_arguments_end_with_a_sentence(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
