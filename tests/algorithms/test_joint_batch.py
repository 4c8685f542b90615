"""Which discriminators may see real and fake samples in one batch."""

import copy

import pytest
import torch
from torch import nn

from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.models.dcgan import DCGANDiscriminator
from gan_lab.models.mlp import MLPDiscriminator
from gan_lab.models.stylegan2 import StyleGAN2Discriminator

IMAGE = (1, 8, 8)


def behind_a_zero_head(*layers: nn.Module) -> nn.Sequential:
    """A discriminator whose logits are all 0 before its first update."""
    head = nn.Linear(8, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 8), *layers, head, nn.Flatten(0))


ALONE = {
    "mlp": lambda: (MLPDiscriminator((2,), hidden=[16, 16]), (2,)),
    "dcgan": lambda: (DCGANDiscriminator(IMAGE, 4, norm="layer"), IMAGE),
    "zero head": lambda: (behind_a_zero_head(nn.LayerNorm(8), nn.ReLU()), (2,)),
}
COUPLED = {
    "BatchNorm": lambda: (DCGANDiscriminator(IMAGE, 4, norm="batch"), IMAGE),
    "dropout": lambda: (nn.Sequential(MLPDiscriminator((2,), hidden=[16]), nn.Dropout(0.5)), (2,)),
    "spectral norm": lambda: (
        nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8)), nn.Linear(8, 1), nn.Flatten(0)),
        (8,),
    ),
    "BatchNorm behind a zero head": lambda: (
        behind_a_zero_head(nn.BatchNorm1d(8, track_running_stats=False), nn.ReLU()),
        (2,),
    ),
    "dropout behind a zero head": lambda: (behind_a_zero_head(nn.Dropout(0.5)), (2,)),
}


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in ALONE.items()])
def test_samples_alone(make):
    assert judges_each_alone(*make())


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in COUPLED.items()])
def test_samples_coupled(make):
    assert not judges_each_alone(*make())


def test_trying_leaves_no_trace():
    """On the network, its mode or the random stream of the run."""
    network = COUPLED["BatchNorm"]()[0].eval()
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    judges_each_alone(network, IMAGE)
    assert not network.training
    assert torch.equal(torch.get_rng_state(), state)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize(("batch", "alone"), [(2, False), (4, True), (5, False), (6, False), (64, True), (66, False)])
def test_minibatch_deviation_couples_some_sizes_of_a_batch(batch, alone):
    """Groups of four consecutive samples: real and fake ones share a group unless it divides their number."""
    torch.manual_seed(0)
    network = StyleGAN2Discriminator(IMAGE, 16, 4)
    assert judges_each_alone(network, IMAGE, batch=batch) == alone
    network.double()
    with torch.no_grad():
        first, second = torch.randn(2, batch, *IMAGE, dtype=torch.float64)
        apart, joint = torch.cat([network(first), network(second)]), network(torch.cat([first, second]))
    assert torch.allclose(apart, joint) == alone
