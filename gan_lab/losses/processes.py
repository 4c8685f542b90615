"""One batch over several processes: what must be computed as if it were in one.

Every process holds an equal part of the batch, in the order of the ranks. Alone, a process holds all of it.
"""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_reduce


def process_count() -> int:
    """Processes that share the batch."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def global_mean(values: Tensor) -> Tensor:
    """The mean over the parts of all processes; gradients flow to all of them.

    A mean of one process's part alone would make a relativistic average depend on how the batch is split.

    Args:
        values: this process's part, of any shape.
    """
    mean = values.mean()
    return mean if process_count() == 1 else all_reduce(mean) / process_count()


def own_part(values: Tensor) -> Tensor:
    """This process's part of something that every process drew alike for the whole batch.

    Args:
        values: ``[B, …]``, B over all processes.
    """
    return values if process_count() == 1 else values.chunk(process_count())[dist.get_rank()]


def average_gradients(gradients: Sequence[Tensor]) -> None:
    """Replace this process's gradients by the means over all processes, in one message."""
    if process_count() == 1:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= process_count()
    parts = flat.split([gradient.numel() for gradient in gradients])
    torch._foreach_copy_(list(gradients), [part.view_as(to) for part, to in zip(parts, gradients, strict=True)])
