"""Recipes refuse parts of the wrong kind; constraints do what they say."""

import pytest
import torch
from torch import nn

from gan_lab.losses import GradientPenalty, Recipe, Wasserstein, WeightClip


def test_wrong_parts_are_named():
    with pytest.raises(TypeError, match=r"loss.objective is a WeightClip"):
        Recipe(WeightClip())
    with pytest.raises(TypeError, match=r"loss.penalties.gp is a Wasserstein"):
        Recipe(Wasserstein(), {"gp": Wasserstein()})
    with pytest.raises(TypeError, match=r"loss.constraint is a GradientPenalty"):
        Recipe(Wasserstein(), constraint=GradientPenalty())


def test_weight_clip_clamps_every_parameter_and_nothing_more():
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.5, -0.004]]))
        net.bias.fill_(-3.0)
    WeightClip(0.01).project(net)
    assert net.weight.tolist() == [pytest.approx([0.01, -0.004])]
    assert net.bias.item() == pytest.approx(-0.01)


@pytest.mark.parametrize("bound", [0, -1, "abc"])
def test_the_bound_names_itself(bound):
    with pytest.raises(ValueError, match=r"WeightClip.bound="):
        WeightClip(bound)
