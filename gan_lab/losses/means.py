"""Means over the batch of all processes."""

import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_reduce


def global_mean(values: Tensor) -> Tensor:
    """The mean over the batches of all processes, which must be equally large; gradients flow to all of them.

    A mean of one process's batch alone would make a relativistic average depend on how the batch is split.

    Args:
        values: this process's part, ``[B]``.
    """
    mean = values.mean()
    if dist.is_available() and dist.is_initialized():
        return all_reduce(mean) / dist.get_world_size()
    return mean
