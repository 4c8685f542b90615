"""Micro-batches: a whole batch's losses and gradients, with the memory of a small one.

A network is applied to one micro-batch after the other, and only its outputs are kept. Losses are computed from the
outputs of the whole batch, so that means over the batch are what they should be. In the backward pass the network is
applied to each micro-batch again, now for the gradients (Chen et al. 2016, arXiv 1604.06174, along the batch instead of
along the layers).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_lab.algorithms.joint_batch import conditions_in_float64, moved_copy
from gan_lab.models.conditions import Judgement


class MicroBatches:
    """Applies functions of a network to a batch, one micro-batch after the other.

    The result is that of the whole batch if no sample's output depends on other samples, or on random numbers drawn
    inside the network. Spectral norm makes its step of power iteration once for the whole batch.

    Args:
        network: whose weights the functions use.
        size: samples in a micro-batch; the last one of a batch may be smaller.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        self.network = network
        self.size = size

    def __call__(self, function: Callable[..., Any], inputs: Tensor, **given: Tensor | None) -> Any:
        """What the function gives for a batch: a tensor, or a `Judgement`.

        Args:
            function: maps inputs ``[b, …]``, and what is given beside them, to a tensor ``[b, …]`` or a Judgement.
            inputs: latents or samples, ``[B, …]``.
            given: tensors ``[B, …]`` by name, or None.
        """
        if len(inputs) <= self.size:
            return function(inputs, **given)
        beside = {name: tensor for name, tensor in given.items() if tensor is not None}
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        vectors = self._power_iteration()

        def outputs(part: Tensor, *conditions: Tensor) -> tuple[Tensor, ...]:
            with _with_vectors(vectors):
                made = function(part, **given | dict(zip(beside, conditions, strict=True)))
            return tuple(one for one in made if one is not None) if isinstance(made, Judgement) else (made,)

        parts = zip(*(tensor.split(self.size) for tensor in (inputs, *beside.values())), strict=True)
        made = [_Recomputed.apply(outputs, len(part), *part, *weights) for part in parts]
        joined = [torch.cat(of_parts) for of_parts in zip(*made, strict=True)]
        return joined[0] if len(joined) == 1 else Judgement(*joined)

    def _power_iteration(self) -> list[tuple[_SpectralNorm, Tensor, Tensor]]:
        """Make the step of power iteration of a pass; the spectral norms that are in training, and their vectors."""
        vectors = []
        for module in self.network.modules():
            for name, applied in getattr(module, "parametrizations", {}).items():
                norms = [one for one in applied if isinstance(one, _SpectralNorm)]
                iterating = [one for one in norms if one.training and hasattr(one, "_u")]
                if iterating:
                    with torch.no_grad():
                        getattr(module, name)  # which makes it
                    vectors += [(one, one._u.clone(), one._v.clone()) for one in iterating]
        return vectors


@contextmanager
def _with_vectors(vectors: Sequence[tuple[_SpectralNorm, Tensor, Tensor]]) -> Iterator[None]:
    """Inside, spectral norms use these vectors and do not iterate."""
    now = [(norm, norm._u, norm._v) for norm, _, _ in vectors]
    _set_vectors(vectors, training=False)
    try:
        yield
    finally:
        _set_vectors(now, training=True)


def _set_vectors(vectors: Sequence[tuple[_SpectralNorm, Tensor, Tensor]], training: bool) -> None:
    for norm, u, v in vectors:
        norm._u, norm._v, norm.training = u, v, training


class _Recomputed(Function):
    """A function whose intermediate results are computed again in the backward pass instead of being kept.

    Args:
        function: maps the first ``count`` tensors to a tuple of tensors; it uses the others, its weights, by itself.
    """

    @staticmethod
    def forward(ctx: Any, function: Callable[..., tuple[Tensor, ...]], count: int, *tensors: Tensor) -> Any:
        ctx.function, ctx.weights = function, tensors[count:]
        ctx.save_for_backward(*tensors[:count])
        return tuple(one.detach() for one in function(*tensors[:count]))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        twice = torch.is_grad_enabled()  # a gradient whose own gradient is wanted
        inputs = ctx.saved_tensors
        if not twice:
            inputs = [one.detach().requires_grad_(one.requires_grad) for one in inputs]
        with torch.enable_grad():
            outputs = ctx.function(*inputs)
        needed = ctx.needs_input_grad[2:]
        wanted = [one for one, needs in zip((*inputs, *ctx.weights), needed, strict=True) if needs]
        found = iter(torch.autograd.grad(outputs, wanted, gradients, create_graph=twice, allow_unused=True))
        return None, None, *(next(found) if needs else None for needs in needed)


def works_in_parts(
    network: nn.Module, input_shape: Sequence[int], source_shape: tuple[int, ...] | None = None, size: int = 2
) -> bool:
    """Whether micro-batches give the outputs of the whole batch, and leave the same buffers.

    It is tried out in float64 on copies, as in `judges_each_alone`.

    Args:
        network: maps inputs ``[B, *input_shape]`` to a tensor or a `Judgement`.
        input_shape: the shape of one input.
        source_shape: the shape of the image that a sample translates, or None.
        size: inputs in each of the two micro-batches.
    """
    random = torch.Generator().manual_seed(0)
    whole = moved_copy(network, random)
    parts = moved_copy(network, torch.Generator().manual_seed(0))
    inputs = torch.randn(2 * size, *input_shape, dtype=torch.float64, generator=random)
    given = conditions_in_float64(network, 2 * size, source_shape)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)  # once: seeded before each way, a single dropout would draw the same masks both times
        expected = Judgement.of(whole(inputs, **given)).logits
        found = Judgement.of(MicroBatches(parts, size)(parts, inputs, **given)).logits
    traces = zip(whole.buffers(), parts.buffers(), strict=True)
    return torch.allclose(expected, found, rtol=1e-9, atol=1e-9) and all(torch.equal(*pair) for pair in traces)
