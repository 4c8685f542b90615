"""What BigGAN's, Mescheder's and R3GAN's layers do, and how they begin (NETWORKS.md A4, A6, A7)."""

import math

import pytest
import torch
from torch import nn

from gan_lab.models import (
    BigGANDiscriminator,
    BigGANGenerator,
    MeschederResNetDiscriminator,
    MeschederResNetGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
)
from gan_lab.models.layers.labelled import ModulatedBatchNorm
from gan_lab.models.layers.resampling import Downsample, Upsample


def kinds(network, *of):
    return [module for module in network.modules() if isinstance(module, of)]


def given_to(modules):
    """A list that fills, in the modules' forward passes, with their inputs."""
    seen = []
    for module in modules:
        module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    return seen


# ---- BigGAN ----


def test_each_block_is_told_the_class_and_its_part_of_the_latent():
    """Parts of a latent of 8: two numbers for the linear layer, and two for each of three blocks, in this order."""
    network = BigGANGenerator(8, (3, 32, 32), 1, shared=5, classes=3)
    first, told = given_to([network.start[0]]), given_to([norm.gain for norm in kinds(network, ModulatedBatchNorm)])
    latents, labels = torch.randn(2, 8), torch.tensor([2, 0])
    network(latents, labels)
    assert torch.equal(first[0], latents[:, :2])
    assert len(told) == 6
    for number, given in enumerate(told):
        part = 2 + 2 * (number // 2)
        assert torch.equal(given, torch.cat([network.shared(labels), latents[:, part : part + 2]], 1))


def test_without_labels_each_block_is_told_its_part_by_maps_with_a_bias():
    network = BigGANGenerator(8, (3, 32, 32), 1)
    norms = kinds(network, ModulatedBatchNorm)
    told = given_to([norm.offset for norm in norms])
    latents = torch.randn(2, 8)
    network.eval()
    assert torch.equal(network(latents), network(latents, torch.tensor([0, 1])))  # as others without labels do
    assert torch.equal(told[4], latents[:, 6:])
    assert kinds(network, nn.Embedding) == []
    assert all(norm.gain.bias is not None and norm.offset.bias is not None for norm in norms)
    labelled = kinds(BigGANGenerator(8, (3, 32, 32), 1, classes=3), ModulatedBatchNorm)
    assert all(norm.gain.bias is None and norm.offset.bias is None for norm in labelled)


def test_a_latent_that_is_not_split():
    """The first layer has all of it: blocks are told the class, by a map of an embedding or a table, or nothing."""
    for shared, classes, kind in ((5, 3, nn.Linear), (None, 3, nn.Embedding), (None, None, None)):
        network = BigGANGenerator(7, (1, 32, 32), 1, shared=shared, hierarchical=False, classes=classes)
        assert network.start[0].in_features == 7
        norms = kinds(network, ModulatedBatchNorm)
        assert len(norms) == (0 if kind is None else 6)
        assert all(isinstance(norm.gain, kind) for norm in norms)
        assert network(torch.randn(2, 7), *([] if classes is None else [torch.tensor([0, 1])])).shape == (2, 1, 32, 32)


def test_modulated_batchnorm_by_hand():
    """(x − mean) / √(var + eps) · (1 + g(c)) + o(c); mean and variance of 1 and 3 make ±1."""
    norm = ModulatedBatchNorm(1, lambda channels: nn.Linear(1, channels, bias=False), 1e-12)
    with torch.no_grad():
        norm.gain.weight.fill_(2.0)
        norm.offset.weight.fill_(0.5)
    x, told = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1), torch.tensor([[1.0], [-3.0]])
    assert norm(x, told).flatten().tolist() == pytest.approx([-3 + 0.5, -5 - 1.5])
    assert norm.norm.weight is None


def test_biggan_begins_orthogonal_or_normal():
    """Rows or columns of each weight, whichever are fewer, are orthonormal; biases are 0. CIFAR script: N(0, 0.02)."""
    torch.manual_seed(0)
    for network in (BigGANGenerator(8, (3, 32, 32), 2, classes=3),
                    BigGANDiscriminator((3, 32, 32), 2, conditioning="projection", classes=3)):  # fmt: skip
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                rows = weight.detach().flatten(1)
                product = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
                assert torch.allclose(product, torch.eye(len(product)), atol=1e-5), name
            elif name.endswith("bias"):
                assert not weight.any()
    drawn = [p.flatten() for p in BigGANGenerator(80, (3, 32, 32), 8, initialisation="normal", classes=9).parameters()
             if p.ndim > 1]  # fmt: skip
    assert torch.cat(drawn).std().item() == pytest.approx(0.02, rel=0.01)
    assert {m.eps for m in kinds(BigGANGenerator(8, (3, 32, 32), 2), nn.BatchNorm2d)} == {1e-5}


def test_biggans_activations_and_resampling():
    """A4, block as A2: ReLU, nearest, average pools; the fourth block of 64 pixels is the last that pools."""
    generator, discriminator = BigGANGenerator(8, (3, 32, 32), 1), BigGANDiscriminator((3, 64, 64), 1)
    assert [module.mode for module in kinds(generator, nn.Upsample)] == ["nearest"] * 6
    assert len(kinds(generator, nn.ReLU)) == 7
    assert kinds(generator, nn.LeakyReLU) == kinds(discriminator, nn.LeakyReLU) == []
    pools = kinds(discriminator, nn.AvgPool2d)
    assert [(pool.kernel_size, pool.stride) for pool in pools] == [(2, 2)] * 5  # two in the first block
    maps = given_to([discriminator[-2]])
    discriminator(torch.randn(2, 3, 64, 64))
    assert maps[0].shape == (2, 16, 4, 4)


# ---- Mescheder ----


def test_mescheders_block_by_hand():
    """shortcut + 0.1 · branch with slopes of 0.2, as 1×1 convolutions would do it: only the middle pixel counts."""
    from gan_lab.models.mescheder_resnet import _Block

    block = _Block(2, 1)
    with torch.no_grad():
        for weight in block.parameters():
            weight.zero_()
        block.branch[1].weight[0, 0, 1, 1] = 3.0
        block.branch[1].bias.fill_(-4.0)
        block.branch[3].weight[0, 0, 1, 1] = 5.0
        block.branch[3].bias.fill_(1.0)
        block.shortcut.weight[0, 1] = 7.0
    x = torch.tensor([[[[2.0]], [[1.0]]], [[[-5.0]], [[-1.0]]]])
    expected = [7 + 0.1 * (5 * (3 * 2 - 4) + 1), -7 + 0.1 * (5 * 0.2 * (3 * -1 - 4) + 1)]
    assert block(x).flatten().tolist() == pytest.approx(expected)
    assert block.branch[1].out_channels == 1  # the smaller width
    assert isinstance(_Block(3, 3).shortcut, nn.Identity)


def test_mescheders_networks_in_detail():
    generator = MeschederResNetGenerator(4, (3, 16, 16), 4, embedding=6, classes=3)
    discriminator = MeschederResNetDiscriminator((3, 16, 16), 4, conditioning="per_class", classes=3)
    for network in (generator, discriminator):
        assert {module.negative_slope for module in kinds(network, nn.LeakyReLU)} == {0.2}
        assert kinds(network, nn.BatchNorm2d, nn.GroupNorm, nn.ReLU) == []
    assert [module.mode for module in kinds(generator, nn.Upsample)] == ["nearest"] * 2
    pools = kinds(discriminator, nn.AvgPool2d)
    assert [(pool.kernel_size, pool.stride, pool.padding) for pool in pools] == [(3, 2, 1)] * 2
    assert isinstance(generator[-3], nn.LeakyReLU)
    assert isinstance(discriminator[-3], nn.LeakyReLU)
    told = given_to([generator[1]])
    latents = torch.randn(2, 4)
    generator(latents, torch.tensor([2, 1]))
    table = generator[0].embedding.weight.detach()
    assert torch.allclose(told[0], torch.cat([latents, nn.functional.normalize(table[[2, 1]])], 1))
    assert MeschederResNetGenerator(4, (1, 32, 32), 4, 8)[2].branch[1].in_channels == 8  # 4 · 2³ without it


def test_mescheders_first_weights_are_pytorchs():
    """U(−1/√fan_in, 1/√fan_in), whose deviation is 1/√(3·fan_in)."""
    torch.manual_seed(0)
    for conv in kinds(MeschederResNetDiscriminator((3, 16, 16), 32), nn.Conv2d)[1:]:
        fan_in = conv.weight[0].numel()
        assert conv.weight.std().item() == pytest.approx((3 * fan_in) ** -0.5, rel=0.03)
        assert conv.weight.abs().max().item() == pytest.approx(fan_in**-0.5, rel=0.01)


# ---- R3GAN ----


def test_r3gans_blocks_begin_as_the_identity():
    """The last layer of each branch is 0: the generator is its basis, resampled, and the discriminator is linear."""
    generator, discriminator = R3GANGenerator(4, (3, 8, 8), [16, 8]), R3GANDiscriminator((3, 8, 8), [16, 8])
    features = torch.randn(2, 16, 4, 4)
    blocks = [layer for layer in generator if hasattr(layer, "branch")]
    assert len(blocks) == 4
    assert all(torch.equal(block(features), features) for block in blocks[:2])
    assert all(layer.branch[4].weight.count_nonzero() == 0 for layer in discriminator if hasattr(layer, "branch"))
    one, other = torch.randn(2, 3, 3, 8, 8)
    assert torch.allclose(discriminator(one) + discriminator(other), discriminator(one + other), atol=1e-5)


def test_r3gans_first_weights():
    """N(0, g/√fan_in), fan_in of a group; g = √(2/1.04) · L^(−1/4) in a block, L = 6 blocks here, and 1 elsewhere."""
    torch.manual_seed(0)
    gain = (2 / 1.04) ** 0.5 * 6**-0.25
    networks = (R3GANGenerator(64, (3, 16, 16), [64, 32, 32], classes=30),
                R3GANDiscriminator((3, 16, 16), [64, 32, 32], conditioning="projection", classes=30))  # fmt: skip
    for network in networks:
        inside = {module for block in network if hasattr(block, "branch") for module in block.branch}
        for layer in kinds(network, nn.Conv2d, nn.Linear):
            if layer.weight.any():
                expected = (gain if layer in inside else 1) / layer.weight[0].numel() ** 0.5
                tolerance = 5 / (2 * layer.weight.numel()) ** 0.5  # five deviations of a measured deviation
                assert layer.weight.std().item() == pytest.approx(expected, rel=tolerance)
            assert layer.bias is None or not layer.bias.any()
        biased = [layer for layer in inside if getattr(layer, "bias", None) is not None]
        assert len(biased) == 2 * 6  # of three in each block
        assert all(layer in biased or layer.bias is None for layer in kinds(network, nn.Conv2d, nn.Linear))
    generator, discriminator = networks
    assert generator[1].basis.std().item() == pytest.approx(1, rel=0.1)
    assert generator[0].embedding.weight.std().item() == pytest.approx(30**-0.5, rel=0.1)  # one-hot: fan_in = classes
    assert discriminator[-1].embedding.weight.std().item() == pytest.approx((64 * 30) ** -0.5, rel=0.1)


def test_r3gans_layers():
    """A6: slopes of 0.2, groups of 16 channels by default, nothing normalised, no tanh, a depth-wise end."""
    generator, discriminator = R3GANGenerator(4, (3, 8, 8), [16, 8]), R3GANDiscriminator((3, 8, 8), [16, 8])
    for network in (generator, discriminator):
        assert {module.negative_slope for module in kinds(network, nn.LeakyReLU)} == {0.2}
        assert kinds(network, nn.BatchNorm2d, nn.GroupNorm, nn.ReLU, nn.Tanh) == []
        grouped = [layer for layer in kinds(network, nn.Conv2d) if layer.kernel_size == (3, 3)]
        assert {(layer.in_channels, layer.in_channels // layer.groups) for layer in grouped} == {(32, 16), (16, 16)}
    assert isinstance(generator[-1], nn.Conv2d)
    end = discriminator[-3]
    assert (end.kernel_size, end.groups, end.padding) == ((4, 4), 16, (0, 0))
    down = [type(layer) for layer in discriminator].index(Downsample)
    assert discriminator[down + 1].in_channels == 8  # narrow maps are halved, then widened
    up = [type(layer) for layer in generator].index(Upsample)
    assert generator[up - 1].out_channels == 8


def test_r3gans_basis_and_projection_by_hand():
    generator = R3GANGenerator(2, (1, 4, 4), [3])
    with torch.no_grad():
        generator[0].scales.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, -1.0]]))
    found = generator[0](torch.tensor([[3.0, 5.0]]))[0]
    assert torch.allclose(found, generator[0].basis * torch.tensor([3.0, 10.0, -2.0])[:, None, None])
    head = R3GANDiscriminator((1, 4, 4), [2], conditioning="projection", classes=2)[-1]
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        head.embedding.weight.copy_(torch.tensor([[1.0, 0.0], [3.0, -1.0]]))
    assert head(torch.tensor([[1.0, 4.0], [1.0, 4.0]]), torch.tensor([0, 1])).tolist() == [9.0, 27.0 - 4.0]


def test_resampling_by_hand():
    """The kernel [1, 3, 3, 1] each way: an impulse, constants away from the border, and one transposed to the other."""
    up, down = Upsample().double(), Downsample().double()
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    impulse = torch.zeros(1, 2, 5, 5, dtype=torch.float64)
    impulse[0, 1, 2, 2] = 1
    found = up(impulse)
    assert found.shape == (1, 2, 10, 10)
    assert not found[0, 0].any()
    assert torch.allclose(found[0, 1, 3:7, 3:7], torch.outer(line, line) / 16)
    assert found.sum().item() == pytest.approx(4)
    ones = torch.ones(1, 3, 8, 6, dtype=torch.float64)
    assert torch.allclose(up(ones)[:, :, 1:-1, 1:-1], torch.ones(1, 3, 14, 10, dtype=torch.float64))
    assert torch.allclose(down(ones)[:, :, 1:-1, 1:-1], torch.ones(1, 3, 2, 1, dtype=torch.float64))
    small, large = torch.randn(1, 2, 3, 4, dtype=torch.float64), torch.randn(1, 2, 6, 8, dtype=torch.float64)
    assert (up(small) * large).sum().item() == pytest.approx(4 * (small * down(large)).sum().item())
    assert list(up.state_dict()) == []
    assert math.isclose(float(up.kernel.sum()), 4)
