"""CycleGAN on small linear networks."""

import torch
from linear_games import Nothing, players, settings
from torch import nn

from gan_lab.algorithms.cyclegan import CycleGAN
from gan_lab.datasets import Batch
from gan_lab.losses import Recipe


class Translator(nn.Module):
    """Linear in the picture."""

    def __init__(self, *sizes):
        super().__init__()
        self.layer = nn.Linear(*sizes)

    def forward(self, latents, source):
        assert latents is None
        return self.layer(source)


class Generators(nn.Module):
    def __init__(self, samples=2, sources=2):
        super().__init__()
        self.to_sample, self.to_source = Translator(sources, samples), Translator(samples, sources)

    def forward(self, latents, source):
        return self.to_sample(None, source)


class Discriminators(nn.Module):
    """Each linear, in its picture's domain."""

    def __init__(self, samples=2, sources=2):
        super().__init__()
        self.of_sample, self.of_source = nn.Linear(samples, 1), nn.Linear(sources, 1)

    def forward(self, samples):
        return self.of_sample(samples)


def game_of(objective=None, terms=None, penalties=None, history=0, constraint=None, **changes):
    torch.manual_seed(0)
    made = players(generator=Generators(), discriminator=Discriminators())
    recipe = Recipe(objective or Nothing(), penalties or {}, constraint, terms or {})
    given = {**made, "loss": recipe, "sample_shape": (2,), "source_shape": (2,), **settings(made), **changes}
    return CycleGAN(history=history, **given).double()


def batch(seed=1, count=4):
    generator = torch.Generator().manual_seed(seed)
    samples, source = torch.randn(2, count, 2, generator=generator, dtype=torch.float64)
    return Batch(samples, None, source)
