"""Operations over a batch that several processes share, so that the result is that of one process with all of it.

Every process holds an equal part of the batch, in the order of the ranks; a single process holds all of it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

T = TypeVar("T")

_count = 1  # of processes; every iteration reads it many times, and asking PyTorch is slower
_hosts: Any = None  # a gloo group for decisions: NCCL messages would queue behind GPU kernels


def connect() -> None:
    """Let the connected processes share their batches and decisions from here on."""
    global _count, _hosts
    _count = dist.get_world_size()
    _hosts = dist.new_group(backend="gloo")


def disconnect() -> None:
    """Disconnect the processes, if they are connected."""
    global _count, _hosts
    _count, _hosts = 1, None
    if dist.is_initialized():
        dist.destroy_process_group()


def process_count() -> int:
    """The number of processes that share the batch."""
    return _count


def global_mean(values: Tensor, dims: list[int] | None = None) -> Tensor:
    """The mean over the whole batch; gradients flow back to the parts of all processes.

    The mean of one process's part would make a relativistic average depend on how the batch is split.

    Args:
        values: this process's part, of any shape.
        dims: dimensions to average over, the batch's among them, kept with size 1; None averages over all of them
            and keeps none.
    """
    mean = values.mean() if dims is None else values.mean(dims, keepdim=True)
    return mean if process_count() == 1 else _Sum.apply(mean) / process_count()


def own_part(values: Tensor) -> Tensor:
    """This process's part of values ``[B, …]`` of the whole batch, which every process has."""
    return values if process_count() == 1 else values.tensor_split(process_count())[dist.get_rank()]


def joined(part: Tensor) -> Tensor:
    """The parts ``[B, …]`` of all processes one after the other, in the order of the ranks; no gradients flow."""
    if process_count() == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(process_count())]
    dist.all_gather(parts, part.contiguous())
    return torch.cat(parts)


def all_parts(own: T) -> list[T]:
    """The objects of all processes, in the order of the ranks."""
    if process_count() == 1:
        return [own]
    parts: list[T | None] = [None] * process_count()
    dist.all_gather_object(parts, own, _hosts)
    return parts  # type: ignore[return-value]


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over all processes, in one message; no gradients flow."""
    if process_count() == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= process_count()
    parts = flat.split([tensor.numel() for tensor in tensors])
    torch._foreach_copy_(list(tensors), [part.view_as(to) for part, to in zip(parts, tensors, strict=True)])


def mean_of_each(values: Tensor) -> Tensor:
    """The mean of each value over all processes; no gradients flow.

    The sum follows the order of the ranks, so that a value's mean does not depend on its position in the tensor. In
    `average` it does: the all-reduce splits its message, and adds each piece in another order.
    """
    if process_count() == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(process_count())]
    dist.all_gather(parts, values)
    return sum(parts[1:], parts[0]) / process_count()


def as_the_first(value: T) -> T:
    """The first process's value, in all of them: their clocks and signals differ, their decisions must not."""
    if process_count() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, group=_hosts)
    return values[0]


class _Sum(Function):
    """The sum over all processes. Every process's loss depends on every part, so gradients are summed as well."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)
