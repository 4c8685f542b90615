"""Whether a discriminator may see real and fake samples in one batch."""

import copy

import torch
from torch import nn

_COUNT = 8  # samples in each of the two batches; a layer that mixes samples does so with the next few


def judges_each_alone(discriminator: nn.Module, sample_shape: tuple[int, ...]) -> bool:
    """Whether two batches get the same logits, and leave the same traces, at once as one after the other.

    It is tried out, in float64 on copies: BatchNorm couples the samples, dropout draws other masks, and spectral
    normalisation makes one step of its iteration for every pass. The copies' weights are moved a little, as a head that
    begins at zero would hide what comes before it.

    Args:
        discriminator: maps samples ``[B, *sample_shape]`` to logits.
        sample_shape: of one sample.
    """
    random = torch.Generator().manual_seed(0)
    apart = copy.deepcopy(discriminator).double().train()
    with torch.no_grad():
        for weight in apart.parameters():
            weight.add_(torch.randn(weight.shape, dtype=torch.float64, generator=random), alpha=0.02)
    joint = copy.deepcopy(apart)
    first, second = torch.randn(2, _COUNT, *sample_shape, dtype=torch.float64, generator=random)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)  # the stream goes on in between: on a CPU one dropout would draw the same masks both ways
        expected = torch.cat([apart(first), apart(second)])
        found = joint(torch.cat([first, second]))
    traces = zip(apart.buffers(), joint.buffers(), strict=True)
    return torch.allclose(expected, found, rtol=1e-9, atol=1e-9) and all(torch.equal(*pair) for pair in traces)
