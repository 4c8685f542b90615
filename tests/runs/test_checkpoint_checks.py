"""What a checkpoint may hold: the states that optimizers and callbacks make, and no others."""

import copy

import pytest
import torch
from torch import nn
from training_runs import unequal

from gan_lab.runs.checkpoint_checks import _is_state_of
from gan_lab.training.module import build_player

REFUSED = {"Optimizer", "LBFGS", "SparseAdam", "Muon"}  # these need a closure, sparse gradients, matrices alone
OPTIMIZERS = [one for one in torch.optim.__all__ if isinstance(getattr(torch.optim, one), type) and one not in REFUSED]


class Restless(torch.optim.Optimizer):
    """One of a user's: it counts in plain numbers, and has an attribute that PyTorch does not pickle."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})
        self.by = 1

    @torch.no_grad()
    def step(self, closure=None):
        for weight in (one for group in self.param_groups for one in group["params"] if one.grad is not None):
            self.state[weight]["count"] = self.state[weight].get("count", 0) + self.by


@pytest.fixture
def player_of(composed):
    """Makes a player of a small network with an optimizer by its name."""

    def make(name, **settings):
        config = composed(f"allowed_targets=[{__name__}]")
        config.optimizer.generator = {"_target_": name, "_partial_": True, "lr": 0.1, **settings}
        return build_player(config, "generator", nn.Sequential(nn.Linear(3, 4), nn.Conv2d(2, 3, 3)))

    return make


def stepped(player):
    """The state of its optimizer after a step, as a checkpoint holds it."""
    for weight in player.weights:
        weight.grad = torch.randn_like(weight)
    player.optimizer.step()
    player.advance()
    return copy.deepcopy(player.optimizer.state_dict())


@pytest.mark.parametrize("name", [*(f"torch.optim.{name}" for name in OPTIMIZERS), f"{__name__}.Restless"])
def test_a_run_goes_on_with_the_state_of_every_optimizer_that_it_can_have(player_of, name):
    state, fresh = stepped(player_of(name)), player_of(name)
    before = copy.deepcopy([fresh.weights, fresh.optimizer.state_dict()["state"]])
    assert _is_state_of(fresh, state, 1)
    assert unequal([fresh.weights, fresh.optimizer.state_dict()["state"]], before) == []  # nothing has moved
    for entry in state["state"].values():
        for key, value in entry.items():
            others = [torch.zeros(7), "word", value[:1]] if torch.is_tensor(value) and value.ndim else ["word"]
            for other in others:
                entry[key] = other
                assert not _is_state_of(fresh, state, 1), (key, other)
            del entry[key]
            assert not _is_state_of(fresh, state, 1), key
            entry[key] = value
            break


def test_an_optimizer_for_a_gpu_is_tried_before_its_weights_are_there(player_of):
    player = player_of("torch.optim.Adam", capturable=True)
    assert _is_state_of(player, copy.deepcopy(player.optimizer.state_dict()), 0)
