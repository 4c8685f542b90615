"""Layers of StyleGAN2 and of progressive growing, by other means: SciPy, loops over samples, closed forms."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from gan_lab.models.layers.activation import ScaledLeakyReLU
from gan_lab.models.layers.equalised import equalise, equalise_all
from gan_lab.models.layers.mapping import Mapping
from gan_lab.models.layers.minibatch_deviation import MinibatchDeviation, coupled_count
from gan_lab.models.layers.modulation import ModulatedConv2d, Noise, StyledColours, StyledConv2d
from gan_lab.models.layers.normalisation import PixelNorm
from gan_lab.models.layers.resampling import Downsample, Smooth, Upsample

TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def doubles(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


# ---- resampling, by scipy.signal.upfirdn along both axes ----


def filtered(features: torch.Tensor, up: int, gain: float) -> np.ndarray:
    """All that zero insertion and the filter give, ends included."""
    result = features.numpy()
    for axis in (2, 3):
        result = scipy.signal.upfirdn(TAPS * math.sqrt(gain), result, up, 1, axis=axis)
    return result


@pytest.mark.parametrize("size", [(4, 4), (6, 10)])
def test_resampling_is_scipys(size):
    features = doubles(2, 3, *size)
    full = filtered(features, 2, 4.0)
    assert np.allclose(Upsample().double()(features), full[:, :, 1:-1, 1:-1])
    full = filtered(features, 1, 1.0)
    height, width = (side // 2 for side in size)
    assert np.allclose(Downsample().double()(features), full[:, :, 2::2, 2::2][:, :, :height, :width])
    assert np.allclose(Smooth(2, 3.0).double()(features), 3 * full[:, :, 1:-1, 1:-1])
    assert np.allclose(Smooth(1).double()(features), full[:, :, 2:-2, 2:-2])


def test_resampling_keeps_constants():
    inside = Upsample()(torch.full((1, 1, 8, 8), 3.0))[..., 1:-1, 1:-1]
    assert torch.allclose(inside, torch.full((1, 1, 14, 14), 3.0))
    assert torch.allclose(Downsample()(torch.full((1, 1, 8, 8), 3.0))[..., 1:-1, 1:-1], torch.full((1, 1, 2, 2), 3.0))


@pytest.mark.parametrize("layer", [Upsample(), Downsample(), Smooth(2, 4.0)], ids=["up", "down", "smooth"])
def test_resampling_differentiates_twice(layer):
    features = doubles(1, 2, 4, 4).requires_grad_()
    layer = layer.double()
    assert torch.autograd.gradcheck(layer, features)
    assert torch.autograd.gradgradcheck(lambda x: layer(x).square(), features)


def test_filters_are_no_part_of_a_checkpoint():
    assert not Upsample().state_dict()


# ---- modulation, sample by sample ----


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulated_convolution_is_a_loop_over_samples(up, demodulate):
    """w' = s · w, over √(Σ w'² + 1e-8) if demodulated; the weights themselves are changed here."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(5, 3, 4, 3, demodulate=demodulate, up=up).double()
    features, styles = doubles(6, 3, 8, 8), doubles(6, 5)
    found = layer(features, styles)
    for sample, style, made in zip(features, styles, found, strict=True):
        scales = functional.linear(style, layer.scales.weight, layer.scales.bias)
        weight = layer.kernel.weight * scales[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:
            wide = functional.conv_transpose2d(sample[None], weight.transpose(0, 1), stride=2)
            expected = filtered(wide.detach(), 1, 4.0)[:, :, 2:-2, 2:-2][0]
            expected = torch.from_numpy(expected)
        else:
            expected = functional.conv2d(sample[None], weight, padding=1)[0]
        assert torch.allclose(made, expected)


def test_modulated_convolution_is_a_grouped_one():
    """The form of the paper: as many groups as samples."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(5, 3, 4, 3).double()
    features, styles = doubles(6, 3, 8, 8), doubles(6, 5)
    weights = layer.kernel.weight[None] * layer.scales(styles)[:, None, :, None, None]
    weights = weights / (weights.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    grouped = functional.conv2d(features.reshape(1, -1, 8, 8), weights.flatten(0, 1), padding=1, groups=6)
    assert torch.allclose(layer(features, styles), grouped.view(6, 4, 8, 8))


@pytest.mark.parametrize("up", [False, True])
def test_modulated_convolution_in_float16_is_that_in_float32(up):
    """Features of 256, the clamp of the layer before, times scales of thousands are beyond float16's 65504."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 16, 16, 3, up=up)
    features, styles = torch.randn(3, 16, 8, 8).sign() * 256, 1000 * torch.randn(3, 4)
    wanted = layer(features, styles)
    with torch.autocast("cpu", torch.float16):
        found = layer(features, styles)
    assert found.dtype == torch.float16
    assert torch.allclose(found.float(), wanted, atol=0.005 * wanted.abs().max().item())


def test_modulated_convolution_differentiates_twice():
    layer = ModulatedConv2d(2, 2, 2, 3, up=True).double()
    features, styles = doubles(2, 2, 4, 4).requires_grad_(), doubles(2, 2).requires_grad_()
    assert torch.autograd.gradgradcheck(layer, (features, styles))


@pytest.mark.parametrize("up", [False, True])
def test_demodulated_features_have_unit_size(up):
    """Of independent N(0, 1) features, whatever the style; the filter of an upsampling one takes some away."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 64, 64, 3, up=up)
    made = layer(torch.randn(8, 64, 16, 16), 10 * torch.randn(8, 4))[..., 2:-2, 2:-2]
    assert made.std().item() == pytest.approx(0.62 if up else 1, abs=0.03)
    colours = StyledColours(4, 256, 3)
    assert colours(torch.randn(64, 256, 4, 4), torch.zeros(64, 4)).std().item() == pytest.approx(1, abs=0.2)


def test_a_style_that_scales_all_to_zero_gives_zero():
    layer = ModulatedConv2d(2, 3, 3, 3)
    nn.init.zeros_(layer.scales.bias)
    assert not layer(torch.randn(1, 3, 8, 8), torch.zeros(1, 2)).any()


def test_noise_is_fresh_in_training_and_fixed_in_evaluation():
    torch.manual_seed(0)
    layer, features = Noise(8), torch.zeros(2, 3, 8, 8)
    assert not layer(features).any()  # its strength begins at 0
    nn.init.constant_(layer.strength, 2.0)
    first, second = layer(features), layer(features)
    assert first.std().item() == pytest.approx(2, abs=0.5)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first[:, 0], first[:, 2])  # one value a pixel
    layer.eval()
    state = torch.get_rng_state()
    fixed = layer(features)
    assert torch.equal(fixed, 2 * layer.fixed.expand(2, 3, 8, 8))
    assert torch.equal(torch.get_rng_state(), state)
    assert list(layer.state_dict()) == ["strength", "fixed"]


def test_a_styled_layer_by_hand():
    """Convolution, then noise, then the bias, then LeakyReLU · √2."""
    torch.manual_seed(0)
    layer = StyledConv2d(4, 3, 2, 8).eval()
    nn.init.constant_(layer.noise.strength, 0.5)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, -2.0]))
    features, styles = torch.randn(2, 3, 8, 8), torch.randn(2, 4)
    before = layer.convolution(features, styles) + 0.5 * layer.noise.fixed + layer.bias[:, None, None]
    expected = torch.where(before > 0, before, 0.2 * before) * 2**0.5
    assert torch.allclose(layer(features, styles), expected)


def test_float16_is_clamped():
    activation = ScaledLeakyReLU()
    large = torch.tensor([-3000.0, 1000.0, 1.0])
    assert activation(large.half()).tolist() == pytest.approx([-256, 256, 2**0.5], rel=1e-3)
    assert activation(large).tolist() == pytest.approx([-600 * 2**0.5, 1000 * 2**0.5, 2**0.5])


# ---- equalised learning rates ----


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [(nn.Linear(300, 200), 300), (nn.Conv2d(50, 60, 3), 450), (nn.Embedding(300, 200), 200)],
    ids=["linear", "convolution", "embedding"],
)
def test_equalised_weights(layer, fan_in):
    """Trained ones are N(0, 1 / rate²); those in use are gain / √fan_in as large, however small the rate."""
    torch.manual_seed(0)
    equalise(layer, gain=3.0, rate=0.01, bias=0.5)
    trained = layer.parametrizations.weight.original
    assert trained.std().item() == pytest.approx(100, rel=0.02)
    assert layer.weight.std().item() == pytest.approx(3 / fan_in**0.5, rel=0.02)
    assert trained.mean().item() == pytest.approx(0, abs=2)
    if hasattr(layer, "bias"):
        assert layer.bias.tolist() == pytest.approx([0.5] * len(layer.bias))
        assert layer.parametrizations.bias.original[0].item() == pytest.approx(50)


def test_equalised_layers_learn_at_the_same_relative_rate():
    """Adam moves trained weights by its rate, so those in use move by rate · gain / √fan_in, relative to their size."""
    for fan_in in (4, 400):
        layer = equalise(nn.Linear(fan_in, 1, bias=False), rate=0.5)
        before = layer.weight.detach().clone()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        layer(torch.ones(1, fan_in)).sum().backward()
        optimizer.step()
        moved = (layer.weight - before).abs() * fan_in**0.5
        assert moved.flatten().tolist() == pytest.approx([0.05] * fan_in, rel=1e-3)


def test_everything_in_a_network_is_equalised():
    network = equalise_all(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Conv2d(1, 1, 3)), nn.ReLU()))
    assert [parametrize.is_parametrized(layer) for layer in (network[0], network[1][0])] == [True, True]


def test_pixel_norm_by_hand():
    """(3, 4): the mean square is 12.5."""
    vector = torch.tensor([[3.0, 4.0]])
    assert PixelNorm()(vector)[0].tolist() == pytest.approx([3 / 12.5**0.5, 4 / 12.5**0.5])
    maps = PixelNorm()(torch.randn(2, 5, 3, 3))
    assert torch.allclose(maps.square().mean(1), torch.ones(2, 3, 3), atol=1e-5)
    assert torch.equal(PixelNorm()(torch.zeros(1, 4)), torch.zeros(1, 4))


# ---- minibatch deviation ----


def test_minibatch_deviation_of_pairs_by_hand():
    """Two numbers deviate by half their difference: groups (1, 5), (2, 2), and one left over."""
    features = torch.tensor([1.0, 5.0, 2.0, 2.0, 9.0])[:, None, None, None].expand(-1, 3, 2, 2)
    made = MinibatchDeviation(2)(features)
    assert made.shape == (5, 4, 2, 2)
    assert torch.equal(made[:, :3], features)
    expected = torch.tensor([2.0, 2.0, 0.0, 0.0, 0.0])[:, None, None].expand(-1, 2, 2)
    assert torch.allclose(made[:, 3], expected, atol=2e-4)  # √1e-8 where nothing differs


def test_minibatch_deviation_is_a_mean_over_channels_and_positions():
    features = doubles(8, 3, 4, 4)
    made = MinibatchDeviation(4)(features)[:, 3]
    for first in (0, 4):
        expected = features[first : first + 4].numpy().std(0).mean()
        assert made[first : first + 4].numpy() == pytest.approx(np.full((4, 4, 4), expected), rel=1e-6)
    small = MinibatchDeviation(4)(features[:3])[:, 3]
    assert small.numpy() == pytest.approx(np.full((3, 4, 4), features[:3].numpy().std(0).mean()), rel=1e-6)


def test_minibatch_deviation_differentiates_twice_where_nothing_differs():
    features = torch.ones(4, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    made = MinibatchDeviation(4)(features)
    (slopes,) = torch.autograd.grad(made[:, 2].sum(), features, create_graph=True)
    slopes.square().sum().backward()
    assert not slopes.any()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(("group", "batch", "tried"), [(4, 64, 4), (4, 3, 3), (4, 66, 6), (32, 100, 36), (32, 32, 32)])
def test_a_smaller_batch_that_is_grouped_alike(group, batch, tried):
    assert coupled_count(nn.Sequential(MinibatchDeviation(group)), batch) == tried
    assert coupled_count(nn.Linear(1, 1), batch) is None


def test_a_wrong_group():
    with pytest.raises(ValueError, match=r"MinibatchDeviation\.group=0: expected a whole number of at least 1"):
        MinibatchDeviation(0)


# ---- the mapping ----


def test_the_mapping_by_hand():
    """Latent and embedding of unit mean square, side by side; then layers of weights · 0.01, LeakyReLU, · √2."""
    torch.manual_seed(0)
    mapping, latents, labels = Mapping(3, 4, 2, classes=2), 5 * torch.randn(6, 3), torch.tensor([0, 1, 1, 0, 1, 0])
    embedded = mapping.embedding.parametrizations.weight.original.T[labels] / 2**0.5
    features = torch.cat([x / x.square().mean(1, keepdim=True).sqrt() for x in (latents, embedded)], 1)
    for layer in (mapping.perceptron[0], mapping.perceptron[2]):
        weight = layer.parametrizations.weight.original * 0.01 / layer.in_features**0.5
        features = nn.functional.leaky_relu(features @ weight.T, 0.2) * 2**0.5
    assert torch.allclose(mapping(latents, labels), features, atol=1e-5)
