"""Operations over the batches of several replicas that train as one program, so that each gets what it would alone.

Replicas lie one after the other in every batch: of ``R`` replicas with ``B`` samples each it is ``[R·B, …]``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

_generators: Sequence[torch.Generator] = ()  # the random generator of each replica; empty outside of a stack
_order = torch.zeros(1)  # what draws of a compiled function seem to change, which keeps them in their order


@contextmanager
def stacked(generators: Sequence[torch.Generator]) -> Iterator[None]:
    """Inside, batches are of so many replicas, each of which draws from a random generator of its own."""
    global _generators
    before, _generators = _generators, generators
    try:
        yield
    finally:
        _generators = before


def replica_count() -> int:
    """The number of replicas in a batch; 1 outside of a stack."""
    return len(_generators) or 1


def mean_of_each_replica(values: Tensor) -> Tensor:
    """The mean of values ``[R·B]`` of each replica, ``[R]``; outside of a stack the mean of all, a scalar."""
    return values.unflatten(0, (len(_generators), -1)).mean(1) if _generators else values.mean()


def over_each_replica(samples: Tensor, mean: Tensor) -> Tensor:
    """A number of each replica ``[R]``, at each of its samples ``[R·B, …]``; outside of a stack a scalar as it is."""
    if not _generators:
        return mean
    return mean.repeat_interleave(len(samples) // len(_generators)).view(-1, *[1] * (samples.ndim - 1))


def uniform_of_each_replica(count: int, *shape: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Numbers ~ U(0, 1), ``[count, *shape]``, drawn by each replica for its own part of the batch."""
    if not _generators:
        return torch.rand(count, *shape, device=device, dtype=dtype)
    own = [count // len(_generators), *shape]
    return _drawn_in_order(_order, own, dtype, device) if torch.compiler.is_compiling() else _drawn(own, dtype, device)


def _drawn(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.cat([torch.rand(*shape, device=device, dtype=dtype, generator=one) for one in _generators])


@torch.library.custom_op("gan_lab::drawn_in_order", mutates_args=("order",))
def _drawn_in_order(order: Tensor, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """`_drawn` as one operation of a compiled function, which cannot look into random generators."""
    return _drawn(shape, dtype, device)


@_drawn_in_order.register_fake
def _(order: Tensor, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    own, *rest = shape
    return torch.empty(own * len(_generators), *rest, device=device, dtype=dtype)
