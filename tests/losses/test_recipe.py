"""Recipes refuse parts of the wrong kind; constraints do what they say."""

import pytest
import torch
from torch import nn

from gan_lab.losses import GradientPenalty, LeCam, PathLength, Recipe, SpectralNorm, Wasserstein, WeightClip
from gan_lab.models import StyleGAN2Discriminator
from gan_lab.models.layers.equalised import equalise


def test_wrong_parts_are_named():
    with pytest.raises(TypeError, match=r"loss.objective is a WeightClip"):
        Recipe(WeightClip())
    with pytest.raises(TypeError, match=r"loss.penalties.gp is a Wasserstein"):
        Recipe(Wasserstein(), {"gp": Wasserstein()})
    with pytest.raises(TypeError, match=r"loss.constraint is a GradientPenalty"):
        Recipe(Wasserstein(), constraint=GradientPenalty())


def test_names_by_which_parts_could_not_be_told_apart():
    with pytest.raises(ValueError, match=r"loss.penalties.generator: a player's loss is logged under this name"):
        Recipe(Wasserstein(), {"generator": GradientPenalty()})
    with pytest.raises(ValueError, match=r"loss.terms.both: a penalty has this name, and both keep a state"):
        Recipe(Wasserstein(), {"both": LeCam()}, terms={"both": PathLength()})
    Recipe(Wasserstein(), {"both": GradientPenalty()}, terms={"both": PathLength()})  # one state is no clash


def test_weight_clip_clamps_every_parameter_and_nothing_more():
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.5, -0.004]]))
        net.bias.fill_(-3.0)
    WeightClip(0.01).project(net)
    assert net.weight.tolist() == [pytest.approx([0.01, -0.004])]
    assert net.bias.item() == pytest.approx(-0.01)


def test_weight_clip_bounds_equalised_weights_and_biases_as_they_are_used():
    """N(0, 1) over √400 = 0.05 in use and a bias of 0.5 in use: of both the bound is reached and not passed."""
    torch.manual_seed(0)
    net = nn.Sequential(equalise(nn.Linear(400, 30), rate=0.1, bias=0.5), equalise(nn.Linear(30, 1)), nn.Linear(1, 1))
    with torch.no_grad():
        net[1].bias.fill_(-2.0)
        net[2].weight.fill_(3.0)
    before = net[0].weight.detach().clone()
    WeightClip(0.02).project(net)
    assert torch.allclose(net[0].weight, before.clamp(-0.02, 0.02), rtol=1e-5, atol=0)
    assert net[0].bias.tolist() == pytest.approx([0.02] * 30, rel=1e-5)
    assert net[1].weight.abs().max().item() == pytest.approx(0.02, rel=1e-5)
    assert (net[1].bias.item(), net[2].weight.item()) == pytest.approx((-0.02, 0.02), rel=1e-6)


def test_weight_clip_leaves_stylegan2s_discriminator_weights_of_the_size_of_the_bound():
    torch.manual_seed(0)
    net = StyleGAN2Discriminator((1, 8, 8), capacity=64)
    WeightClip(0.01).project(net)
    used = [layer.weight for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    assert [weight.abs().max().item() for weight in used] == pytest.approx([0.01] * len(used), rel=1e-5)


@pytest.mark.parametrize("bound", [0, -1, "abc"])
def test_the_bound_names_itself(bound):
    with pytest.raises(ValueError, match=r"WeightClip.bound="):
        WeightClip(bound)


def test_spectral_norm_divides_every_weight_by_its_largest_singular_value():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.Flatten(2), nn.Conv1d(5, 3, 1), nn.Flatten(), nn.Linear(12, 4), nn.Linear(4, 1)
    )
    original = [p.detach().clone() for p in net.parameters() if p.ndim > 1]
    SpectralNorm().attach(net)
    for _ in range(100):  # power iteration, a step each
        net(torch.randn(1, 2, 4, 4))
    for layer, before in zip((net[0], net[2], net[4], net[5]), original, strict=True):
        top = torch.linalg.svdvals(before.flatten(1))[0]
        assert torch.allclose(layer.weight, before / top, atol=1e-4)
        assert torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item() == pytest.approx(1, abs=1e-3)


def test_a_spectrally_normed_discriminator_is_lipschitz_as_shipped():
    """Each layer's slope is at most about 1, LeakyReLU's is 1: gradients stay bounded near 0, where norms scale up."""
    from gan_lab.losses.penalties import gradient_norms
    from gan_lab.models import DCGANDiscriminator

    torch.manual_seed(0)
    net = DCGANDiscriminator((1, 8, 8), 16, "none")
    SpectralNorm().attach(net)
    for _ in range(50):
        net(torch.randn(4, 1, 8, 8))
    # the norm of a convolution's matrix of weights bounds its slope up to √(4·4 / 2·2) = 2 overlapping windows
    for scale in (1e-3, 1e-1, 1.0):
        assert gradient_norms(net, scale * torch.randn(64, 1, 8, 8)).max() < 2**2


def test_spectral_norm_reaches_every_kind_of_layer_with_weights():
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d)
    net = nn.Sequential(nn.Linear(2, 2), *(kind(2, 2, 1) for kind in convolutions), nn.LeakyReLU())
    SpectralNorm().attach(net)
    assert [hasattr(layer, "parametrizations") for layer in net] == [*[True] * 5, False]


def test_default_bound_of_the_paper():
    assert WeightClip().bound == 0.01
