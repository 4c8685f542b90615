"""Games of small networks in float64, whose gradients are read off: the players learn by gradient descent at rate 1."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from gan_lab.algorithms.player import Player
from gan_lab.losses import Objective
from gan_lab.models.latents import Prior


class Nothing(Objective):
    """An objective without a gradient: what moves, moves for other reasons."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0 * (real.sum() + fake.sum())

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return 0 * fake.sum()


def players(**networks: nn.Module) -> dict[str, Player]:
    """Players by name, in float64."""
    return {
        name: Player(name, network.double(), torch.optim.SGD(network.parameters(), 1.0))
        for name, network in networks.items()
    }


def settings(turns: Iterable[str], dim: int = 2) -> dict:
    """What every algorithm is given beside its players and losses."""
    return {"prior": Prior("normal", dim), "noise_seed": 0, "turns": dict.fromkeys(turns, 1)}


def descents(game, update: Callable[[], None]) -> dict[str, Tensor]:
    """The gradients that an update descends, by the name of the weight; weights are put back."""
    before = {name: weight.detach().clone() for name, weight in game.named_parameters()}
    update()
    moved = {name: before[name] - weight.detach() for name, weight in game.named_parameters()}
    with torch.no_grad():
        for name, weight in game.named_parameters():
            weight.copy_(before[name])
            assert weight.grad is None, f"{name} keeps a gradient for a later update"
    return moved


def gradients(game, value: Tensor) -> dict[str, Tensor]:
    """Autograd's gradients of a scalar, by the name of the weight; zeros where there are none."""
    named = dict(game.named_parameters())
    found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
    return {
        name: torch.zeros_like(weight) if gradient is None else gradient
        for (name, weight), gradient in zip(named.items(), found, strict=True)
    }


def of(player: str, values: dict[str, Tensor]) -> Tensor:
    """Those of a player, as one vector."""
    return torch.cat([value.flatten() for name, value in values.items() if name.startswith(f"{player}.")])


def same(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12)
