"""Whether a discriminator may see real and fake samples in one batch."""

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import Judgement, some_conditions
from gan_lab.models.copies import copied
from gan_lab.models.layers.minibatch_deviation import coupled_count

_COUNT = 8  # samples in each of the two batches


def judges_each_alone(
    discriminator: nn.Module,
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None = None,
    batch: int = _COUNT,
) -> bool:
    """Whether two batches in one pass get the same logits, and leave the same buffers, as in two passes.

    It is tried out in float64 on copies: BatchNorm couples the samples of a batch, dropout draws other masks, and
    spectral normalisation makes one step of power iteration in every pass. Minibatch deviation couples the samples of a
    group, and thus real and fake ones for some sizes of a batch and not for others. The copies' weights are moved a
    little first, because a last layer that begins at zero would hide the layers before it.

    Args:
        discriminator: maps samples ``[B, *sample_shape]`` to logits.
        sample_shape: the shape of one sample.
        source_shape: the shape of the image that a sample translates, or None.
        batch: samples in a batch of training; it matters to minibatch deviation alone.
    """
    tried = coupled_count(discriminator, batch) or _COUNT
    random = torch.Generator().manual_seed(0)
    apart = moved_copy(discriminator, random)
    joint = copied(apart)
    first, second = torch.randn(2, tried, *sample_shape, dtype=torch.float64, generator=random)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)  # once: seeded before each way, a single dropout would draw the same masks both times
        each, both = (conditions_in_float64(discriminator, count, source_shape) for count in (tried, 2 * tried))
        expected = torch.cat([Judgement.of(apart(samples, **each)).logits for samples in (first, second)])
        found = Judgement.of(joint(torch.cat([first, second]), **both)).logits
    traces = zip(apart.buffers(), joint.buffers(), strict=True)
    return torch.allclose(expected, found, rtol=1e-9, atol=1e-9) and all(torch.equal(*pair) for pair in traces)


def moved_copy(network: nn.Module, random: torch.Generator) -> nn.Module:
    """A copy in float64, in training, whose weights are moved a little."""
    moved = copied(network).double().train()
    with torch.no_grad():
        for weight in moved.parameters():
            weight.add_(torch.randn(weight.shape, dtype=torch.float64, generator=random), alpha=0.02)
    return moved


def conditions_in_float64(network: nn.Module, count: int, source_shape: tuple[int, ...] | None) -> dict[str, Tensor]:
    """`some_conditions` for a network in float64."""
    given = some_conditions(network, count, source_shape)
    return {name: one.double() if one.is_floating_point() else one for name, one in given.items()}
