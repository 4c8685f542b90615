"""One batch over several processes: what must be computed as if it were in one.

Every process holds an equal part of the batch, in the order of the ranks. Alone, a process holds all of it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

T = TypeVar("T")

_count = 1  # kept, as it is asked for at every turn of every iteration
_hosts: Any = None  # the group of all processes, without their GPUs: over NCCL every word would wait for what these do


def meet() -> None:
    """From here on processes that are connected share their batches, and tell each other what they decide."""
    global _count, _hosts
    _count = dist.get_world_size()
    _hosts = dist.new_group(backend="gloo")


def part() -> None:
    """End what connects the processes, if anything does."""
    global _count, _hosts
    _count, _hosts = 1, None
    if dist.is_initialized():
        dist.destroy_process_group()


def process_count() -> int:
    """Processes that share the batch."""
    return _count


def global_mean(values: Tensor, dims: list[int] | None = None) -> Tensor:
    """The mean over the parts of all processes; gradients flow to all of them.

    A mean of one process's part alone would make a relativistic average depend on how the batch is split.

    Args:
        values: this process's part, of any shape.
        dims: dimensions to take it over, the batch's among them, which are kept; all for None, and none is kept.
    """
    mean = values.mean() if dims is None else values.mean(dims, keepdim=True)
    return mean if process_count() == 1 else _Sum.apply(mean) / process_count()


def own_part(values: Tensor) -> Tensor:
    """This process's part of something that every process has for the whole batch.

    Args:
        values: ``[B, …]``, B over all processes.
    """
    return values if process_count() == 1 else values.tensor_split(process_count())[dist.get_rank()]


def all_parts(own: T) -> list[T]:
    """The parts of all processes, of any kind, in the order of the ranks."""
    if process_count() == 1:
        return [own]
    parts: list[T | None] = [None] * process_count()
    dist.all_gather_object(parts, own, _hosts)
    return parts  # type: ignore[return-value]


def average(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its mean over all processes, in one message; without gradients."""
    if process_count() == 1:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= process_count()
    parts = flat.split([tensor.numel() for tensor in tensors])
    torch._foreach_copy_(list(tensors), [part.view_as(to) for part, to in zip(parts, tensors, strict=True)])


def mean_of_each(values: Tensor) -> Tensor:
    """The mean of each value over all processes, whatever stands beside it; without gradients.

    Added up in the order of the ranks: `average` leaves the order to the message, in which it depends on the place.
    """
    if process_count() == 1:
        return values
    parts = [torch.empty_like(values) for _ in range(process_count())]
    dist.all_gather(parts, values)
    return sum(parts[1:], parts[0]) / process_count()


def as_the_first(value: T) -> T:
    """What the first process has, in all of them: clocks and signals differ, decisions may not."""
    if process_count() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, group=_hosts)
    return values[0]


class _Sum(Function):
    """The sum over all processes. What depends on it in any process reaches every process's part, so its gradient is
    summed as well."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)
