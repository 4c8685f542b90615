"""CycleGAN: its settings, and those that cannot be."""

import pytest
import torch
from cyclegan_game import Discriminators, Generators, game_of
from linear_games import Nothing, players, settings
from torch import nn

from gan_lab.algorithms.cyclegan import CycleGAN
from gan_lab.datasets import Batch, Draw
from gan_lab.errors import ConfigError
from gan_lab.losses import Cycle, Identity, Recipe


def test_its_settings_unless_they_are_given():
    made = players(generator=Generators(), discriminator=Discriminators())
    game = CycleGAN(**made, loss=Recipe(Nothing()), sample_shape=(2,), source_shape=(2,), **settings(made))
    assert [len(history.kept) for history in game.histories.values()] == [50, 50]  # the paper's
    assert (CycleGAN.compares, CycleGAN.translates_back, CycleGAN.needs_pairs) == (("cycle", "identity"), True, False)
    assert CycleGAN.generator_uses_real


def test_sides_may_have_other_channels_without_identity():
    made = players(generator=Generators(3, 1), discriminator=Discriminators(3, 1))
    shapes = {"sample_shape": (3,), "source_shape": (1,)}
    recipe = Recipe(Nothing(), terms={"cycle": Cycle()})
    game = CycleGAN(**made, loss=recipe, **shapes, **settings(made), history=3)
    game.double()
    assert [history.kept.shape for history in game.histories.values()] == [(3, 3), (3, 1)]
    samples, source = torch.randn(4, 3).double(), torch.randn(4, 1).double()
    game.iterate(Draw(Batch(samples, None, source), Batch(samples, None, source)))
    recipe = Recipe(Nothing(), terms={"cycle": Cycle(), "own": Identity()})
    with pytest.raises(ConfigError) as refused:
        CycleGAN(**made, loss=recipe, **shapes, **settings(made))
    expected = "loss.terms.own: expected none, such as term=[cycle], as samples have 3 channels and sources 1"
    assert str(refused.value) == expected


HISTORY = "expected a whole number from 0 to 100000"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"history": -1}, f"algorithm.history=-1: {HISTORY}"),
        ({"history": 2.5}, f"algorithm.history=2.5: {HISTORY}"),
        ({"history": None}, f"algorithm.history=null: {HISTORY}"),
        ({"history": 100_001}, f"algorithm.history=100001: {HISTORY}"),
        (
            {"history": 5, "processes": 2},
            "algorithm.history=5: expected 0 in several processes, which share no history",
        ),
        ({"compile_mode": "cudagraph"}, "compile=cudagraph: expected false with algorithm=cyclegan"),
    ],
)
def test_what_cannot_be_is_refused(changes, sentence):
    with pytest.raises(ConfigError) as refused:
        game_of(**changes)
    assert str(refused.value) == sentence


def test_several_processes_without_a_history_are_taken():
    assert len(game_of(history=0, processes=2).histories["sample"].kept) == 0
    assert len(game_of(history=100_000).histories["sample"].kept) == 100_000


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_networks_of_another_algorithm_are_refused(role):
    made = players(generator=Generators(), discriminator=Discriminators())
    made |= players(**{role: nn.Linear(2, 2)})
    with pytest.raises(ConfigError) as refused:
        CycleGAN(**made, loss=Recipe(Nothing()), sample_shape=(2,), source_shape=(2,), **settings(made))
    part = {"generator": "to_sample", "discriminator": "of_sample"}[role]
    assert str(refused.value) == (
        f"model.{role}: Linear has no network {part}; expected model=cyclegan with algorithm=cyclegan"
    )
