"""The bare step of an optimizer is its step."""

import pytest
import torch

from gan_lab.algorithms.bare_step import bare_step


@pytest.mark.parametrize(
    "make",
    [
        lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True),
        lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True, weight_decay=0.1, betas=(0.0, 0.9)),
        lambda weights: torch.optim.AdamW(weights, lr=0.1, fused=True),
        lambda weights: torch.optim.Adam(weights, lr=0.1, fused=True, amsgrad=True),
        lambda weights: torch.optim.RMSprop(weights, lr=0.1),
        lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9),
    ],
)
def test_a_bare_step_is_the_step(make):
    """Also where a weight has no gradient in some steps, with a new rate in each, and after the state was cleared."""
    ends = []
    for bare in (False, True):
        weights = [torch.nn.Parameter(torch.tensor([1.0, 2.0])), torch.nn.Parameter(torch.tensor([[3.0]]))]
        optimizer = make(weights)
        step = bare_step(optimizer) if bare else optimizer.step
        for number in range(12):
            weights[0].grad = torch.tensor([0.5, -1.0]) * (number + 1)
            weights[1].grad = None if number in (0, 4, 5) else torch.tensor([[0.25]])
            optimizer.param_groups[0]["lr"] = 0.1 / (number + 1)
            if number == 8:
                optimizer.state.clear()
            step()
        states = [{key: value.tolist() for key, value in optimizer.state[one].items()} for one in weights]
        ends.append(([one.tolist() for one in weights], states))
    assert ends[0] == ends[1]
    assert ends[0][0][0] != [1.0, 2.0]


def test_hooks_of_an_optimizer_are_called():
    called = []
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    optimizer.register_step_post_hook(lambda *_: called.append(1))
    bare_step(optimizer)()
    assert called == [1]


def test_a_users_optimizer_makes_its_own_step():
    class Own(torch.optim.SGD):
        def step(self, closure=None):
            self.made = True

    optimizer = Own([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    bare_step(optimizer)()
    assert optimizer.made
