"""Micro-batches train as the whole batch does, to rounding, and no network is given more of it at once."""

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.micro_batch import MicroBatches, works_in_parts
from gan_lab.datasets import Batch, Draw
from gan_lab.losses import Penalty
from gan_lab.models.conditions import Judgement
from gan_lab.models.layers.minibatch_deviation import MinibatchDeviation
from gan_lab.training.build import build_module

RING = [
    "dataset=ring8",
    "model.generator.hidden=[8,8]",
    "model.discriminator.hidden=[8,8]",
    "batch_size=12",
    "trainer.precision=64-true",
]
CASES = {
    "wgan_gp": ["loss=wgan_gp", "loss.penalties.gradient_penalty.weight=0.1"],
    "wgan": ["loss=wgan", "joint_batch=false"],
    "dragan": ["loss=dragan", "loss.penalties.dragan.weight=0.1"],
    "rasgan": ["loss=rasgan", "ema_decay=0.9", "n_generator=2"],
    "ralsgan, R1": ["loss=ralsgan", "penalty=r1", "loss.penalties.r1.every=2", "clip_grad.discriminator=0.05"],
    "rsgan, packs": ["loss=rsgan_gp", "loss.penalties.gradient_penalty.weight=0.1", "model.packing=2"],
    "ragan_attention": ["loss=ragan_attention"],
    "r3gan": ["loss=r3gan", "loss.penalties.r1.weight=0.1", "loss.penalties.r2.weight=0.1"],
    "sngan": ["loss=sngan", "penalty=r1", "loss.penalties.r1.weight=0.1"],
    "projection": ["loss=hinge", "conditional=projection", "penalty=r1", "loss.penalties.r1.weight=0.1"],
    "auxiliary": ["loss=rahinge", "conditional=auxiliary"],
    "logits and features": ["loss=lsgan", "penalty=lecam", "loss.penalties.lecam.start=2", "term=feature_matching"],
    "more fakes": ["loss=minimax", "generator_batch_factor=2"],
}
CLASSES = 8


def plain(config: DictConfig) -> DictConfig:
    """Gradient descent, which hides no difference of scale."""
    for player in ("generator", "discriminator"):
        config.optimizer[player] = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.05}
    return config


def built(config: DictConfig) -> GAN:
    counts = None if config.conditional == "none" else [10] * CLASSES
    return build_module(plain(config), (2,), class_counts=counts).double()


def draws(config: DictConfig, count: int) -> list[Draw]:
    random = torch.Generator().manual_seed(1)
    own = config.batch_size * config.model.packing
    sizes = own * config.n_critic, own * config.n_generator * config.generator_batch_factor

    def batch(size: int) -> Batch:
        samples = torch.randn(size, 2, generator=random, dtype=torch.float64)
        labels = torch.randint(0, CLASSES, (size,), generator=random)
        return Batch(samples, None if config.conditional == "none" else labels)

    return [Draw(*map(batch, sizes)) for _ in range(count)]


def trained(config: DictConfig, iterations: int = 4) -> tuple[GAN, dict[str, Tensor], dict[str, int]]:
    """The game after some iterations, the curves of the last one, and the most that each network was given at once."""
    game = built(config)
    given: dict[str, int] = {}
    for role, player in game.players.items():

        def seen(module, inputs, role=role):
            given[role] = max(given.get(role, 0), len(inputs[0]))

        player.network.register_forward_pre_hook(seen)
    torch.manual_seed(2)  # of the penalties' own draws
    curves = {}
    for draw in draws(config, iterations):
        curves = game.iterate(draw)
    return game, curves, given


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max((one[key] - other[key]).abs().max().item() for key in one)


@pytest.mark.parametrize("case", CASES)
def test_weights_and_curves_are_those_of_the_whole_batch(composed, case):
    config = composed(*RING, *CASES[case])
    whole, curves, given = trained(config)
    parts, curves_of_parts, given_of_parts = trained(OmegaConf.merge(config, {"micro_batch": 4}))
    # buffers too: running means, power iterations
    assert largest_difference(whole.state_dict(), parts.state_dict()) < 1e-12
    assert largest_difference(curves, curves_of_parts) < 1e-12
    assert largest_difference(built(config).state_dict(), parts.state_dict()) > 1e-4
    assert given_of_parts == {"generator": 4 * config.model.packing, "discriminator": 4}
    assert min(given.values()) >= 12


class OwnGradient(Penalty):
    """A penalty that differentiates the judge by itself."""

    def __call__(self, judge, real, fake):
        samples = real.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(judge(samples).sum(), samples, create_graph=True)
        return slopes.pow(4).sum()


def test_a_penalty_that_differentiates_twice_by_itself(composed):
    config, states = composed(*RING), []
    for size in (None, 3):
        game = built(OmegaConf.merge(config, {"micro_batch": size}))
        game.loss.penalties["own"] = OwnGradient(0.1)
        for draw in draws(config, 3):
            game.iterate(draw)
        states.append(game.state_dict())
    assert largest_difference(*states) < 1e-12
    without = trained(config, 3)[0].state_dict()
    assert largest_difference(states[0], without) > 1e-6


def test_half_precision_gradients_reach_the_weights(composed):
    """bfloat16 rounds the outputs of each sample alike, and the gradients of a part more finely than their sum."""
    config, states = composed(*RING), []
    for size in (None, 4):
        game = built(OmegaConf.merge(config, {"micro_batch": size, "trainer": {"precision": "32-true"}})).float()
        start = {key: value.clone() for key, value in game.state_dict().items()}
        with torch.autocast("cpu", torch.bfloat16), game._full_precision():  # as in a training step
            for draw in draws(config, 3):
                game.iterate(draw.map(lambda tensor: tensor.float()))
        states.append(game.state_dict())
    moved = largest_difference(start, states[0])
    assert largest_difference(*states) < 0.03 * moved
    assert all(not torch.equal(start[key], states[1][key]) for key in start if key.endswith("weight"))


class Map(nn.Module):
    """A map of logits, and classes."""

    def __init__(self):
        super().__init__()
        self.logits, self.classes = nn.Conv2d(1, 1, 3), nn.Linear(16, 3)

    def forward(self, samples, source):
        return Judgement(self.logits(samples * source).tanh(), self.classes(samples.flatten(1)).exp())


def test_maps_classes_and_sources_come_back_in_order():
    torch.manual_seed(0)
    network = Map().double()
    samples = torch.randn(7, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    source = torch.randn(7, 1, 4, 4, dtype=torch.float64)
    whole, parts = network(samples, source), MicroBatches(network, 3)(network, samples, source=source)
    assert parts.logits.shape == whole.logits.shape == (7, 1, 2, 2)
    wanted = [samples, *network.parameters()]
    found = []
    for judged in (whole, parts):
        loss = judged.logits.pow(2).sum() + judged.classes.softmax(0)[2].sum()
        found.append(torch.autograd.grad(loss, wanted))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-14)
        assert one.abs().max() > 1e-3


class Twice(nn.Module):
    """A layer that a pass comes through twice, which would make two steps of power iteration."""

    def __init__(self):
        super().__init__()
        self.layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))

    def forward(self, samples):
        return self.layer(self.layer(samples).tanh())


NETWORKS = {
    "linear": (lambda: nn.Linear(4, 4), True),
    "spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), True),
    "spectral norm, twice": (Twice, False),
    "older spectral norm": (lambda: nn.utils.spectral_norm(nn.Linear(4, 4)), False),
    "BatchNorm": (lambda: nn.BatchNorm1d(4), False),
    "dropout": (lambda: nn.Dropout(0.5), False),
    "deviation of a group": (lambda: nn.Sequential(nn.Unflatten(1, (4, 1, 1)), MinibatchDeviation(2)), True),
    "deviation of more": (lambda: nn.Sequential(nn.Unflatten(1, (4, 1, 1)), MinibatchDeviation(4)), False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_which_networks_work_in_parts(name):
    torch.manual_seed(0)
    make, works = NETWORKS[name]
    network, state = make(), torch.get_rng_state()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert works_in_parts(network, (4,)) == works
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_nothing_but_inputs_is_kept_for_the_backward_pass():
    network = nn.Sequential(*(layer for _ in range(5) for layer in (nn.Linear(4, 4), nn.Tanh())))
    samples, kept = torch.randn(9, 4), []
    parts = MicroBatches(network, 3)

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = parts(network, samples)
        assert kept == [12, 12, 12]
        network(samples)
    assert sum(kept) > 2 * 5 * samples.numel()  # each layer's input or output
    assert torch.allclose(found, network(samples), atol=1e-6)
