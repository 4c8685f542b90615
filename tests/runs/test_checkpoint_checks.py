"""What a checkpoint may hold: the states that optimizers and callbacks make, and no others."""

import copy

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from training_runs import unequal

from gan_lab.errors import ConfigError
from gan_lab.runs.checkpoint_checks import _is_state_of, check_callbacks
from gan_lab.training.players import build_player

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


STATES = {  # of Curves, Evaluation and Selection
    "seen": {"loss/generator": [0.5, 1.5]},
    "rows": {"metrics.csv": 3},
    "final": {"fd": float("nan"), "modes": 8},
    "signals": {"diversity": 0.5},
    "best": {"fd": {"value": 0.1, "iteration": 5}},
    "record": {"value": 0.1, "iteration": 5},
    "selected": {"metric": "fd", "iteration": 5, "value": 0.1, "metrics": {"fd": 0.2}},
    "stopped": {"metric": "fd", "iteration": 9, "best": {"value": 0.1, "iteration": 5}},
}
WRONG = {
    "seen": [{"a": 0.5}, {"a": ["b"]}, {"a": [None]}],
    "rows": [{"a": 0.5}, {"a": "3"}],
    "final": [{"fd": {}}, {5: 0.1}, {"fd": "1"}],
    "signals": [{"a": [1.0]}, {"a": True}],
    "best": [{"fd": {"value": 0.1}}, {"fd": 0.1}, {"fd": {"value": "x", "iteration": 5}}],
    "record": [{"value": 0.1}, {"value": None, "iteration": 5}],
    "selected": [{"value": 0.1}, STATES["selected"] | {"metrics": 5}, STATES["selected"] | {"value": []}],
    "stopped": [{"iteration": 9}, STATES["stopped"] | {"best": 5}],
}


def holder(**state):
    """A callback with a state, fresh."""
    made = pl.Callback()
    made.state_dict = lambda: state
    return made


@pytest.mark.parametrize("key", STATES)
def test_what_callbacks_hold_is_checked_to_its_depth(key):
    """Each is used long after the folder has been cut back: a traceback then would have lost what came later."""
    fresh = holder(**{key: {}})
    for right in ({}, STATES[key]):
        check_callbacks(None, {"callbacks": {fresh.state_key: {key: right}}}, [fresh])
    for wrong in WRONG[key]:
        with pytest.raises(ConfigError, match="the state of its Callback is none that it could have had"):
            check_callbacks(None, {"callbacks": {fresh.state_key: {key: wrong}}}, [fresh])
