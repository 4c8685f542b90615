"""What two processes compute of a shared batch equals one process on the whole batch, gradients included."""

import pytest
import torch
from torch import nn
from two_processes import half, in_two_processes

from gan_lab.datasets import Batch
from gan_lab.distributed import collectives
from gan_lab.losses import (
    DRAGAN,
    R1,
    R2,
    FeatureMatching,
    GeneratorStep,
    GradientPenalty,
    Judge,
    LipschitzPenalty,
    Relativistic,
    RelativisticAttention,
    ZeroCentered,
)

OBJECTIVES = [
    *(Relativistic(criterion, "average") for criterion in ("logistic", "least_squares", "hinge")),
    RelativisticAttention(attention_weight=0.7),
]
PENALTIES = [GradientPenalty(), LipschitzPenalty(target=0.1), DRAGAN(), R1(), R2(), ZeroCentered()]


def batch(heads: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (2, 8) if heads == 1 else (2, 8, heads)
    logits = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return logits[0].clone().requires_grad_(), logits[1].clone().requires_grad_()


def objective_gradients(part: slice) -> list[torch.Tensor]:
    """Of every objective, for both players, in the logits of the whole batch; of a part's loss."""
    gradients = []
    for objective in OBJECTIVES:
        for player in ("discriminator", "generator"):
            real, fake = batch(objective.heads)
            loss = getattr(objective, player)(real[part], fake[part])
            gradients += torch.autograd.grad(loss, (real, fake))
    return gradients


def test_relativistic_averages(tmp_path):
    found = in_two_processes(tmp_path, lambda rank: objective_gradients(half(rank)))
    for expected, one, other in zip(objective_gradients(slice(8)), *found, strict=True):
        # what DDP does to the weights' gradients: the mean over processes
        assert ((one + other) / 2 - expected).abs().max() < 1e-14


def penalty_values(part: slice) -> list[torch.Tensor]:
    """Of every penalty, its value for a part of the batch, and its gradient in the weights of D."""
    real, fake = torch.randn(2, 8, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for penalty in PENALTIES:
        weights = torch.linspace(-1, 2, 6, dtype=torch.float64).requires_grad_()
        torch.manual_seed(0)
        value = penalty(lambda samples, weights=weights: (samples.flatten(1) @ weights).sin(), real[part], fake[part])
        found += [value.detach(), *torch.autograd.grad(value, weights)]
    return found


def test_penalties(tmp_path):
    found = in_two_processes(tmp_path, lambda rank: penalty_values(half(rank)))
    for expected, one, other in zip(penalty_values(slice(8)), *found, strict=True):
        assert ((one + other) / 2 - expected).abs().max() < 1e-13


class Sines(nn.Module):
    """A discriminator whose features are the sines of its samples."""

    def features(self, samples):
        return samples.sin()


def feature_matching(part: slice) -> list[torch.Tensor]:
    """Its value for a part of the batch, and its gradient in the generated samples of the whole one."""
    real, fake = torch.randn(2, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fake.requires_grad_()
    judge = Judge(Sines())
    value = FeatureMatching()(GeneratorStep(Batch(real[part]), None, fake[part], judge, {}))
    return [value.detach(), *torch.autograd.grad(value, fake)]


def test_feature_matching(tmp_path):
    found = in_two_processes(tmp_path, lambda rank: feature_matching(half(rank)))
    for expected, one, other in zip(feature_matching(slice(8)), *found, strict=True):
        assert ((one + other) / 2 - expected).abs().max() < 1e-14


VALUES = torch.arange(24.0).reshape(4, 3, 2).square()


def collected(rank: int, count: int) -> dict[str, object]:
    """What every collective returns for a process's part of `VALUES`; of itself, where it keeps a part."""
    mine = VALUES.tensor_split(count)[rank]
    first, second = mine[0].clone(), mine[0, 0].clone()
    collectives.average([first, second])
    return {
        "count": collectives.process_count(),
        "mean": collectives.global_mean(mine),
        "mean of dims": collectives.global_mean(mine, [0, 2]),
        "own part": torch.equal(collectives.own_part(VALUES), mine),
        "all parts": torch.cat(collectives.all_parts(mine)),
        "joined": collectives.joined(mine),
        "averages": [first, second],
        "mean of each": collectives.mean_of_each(mine[0]),
        "the first's": collectives.as_the_first(rank + 5),
    }


@pytest.mark.parametrize("count", [1, 2])
def test_collectives(tmp_path, count):
    for found in in_two_processes(tmp_path, lambda rank: collected(rank, 2)) if count == 2 else [collected(0, 1)]:
        of_firsts = VALUES[:: 4 // count][:count].mean(0)  # every process averaged the first row of its part
        assert found["count"] == count
        assert found["mean"].item() == pytest.approx(VALUES.mean().item(), rel=1e-6)
        torch.testing.assert_close(found["mean of dims"], VALUES.mean([0, 2], keepdim=True))
        assert found["own part"]
        assert torch.equal(found["all parts"], VALUES)
        assert torch.equal(found["joined"], VALUES)
        torch.testing.assert_close(found["averages"], [of_firsts, of_firsts[0]])
        torch.testing.assert_close(found["mean of each"], of_firsts)
        assert found["the first's"] == 5
