"""How networks are given labels: as a second argument named ``labels``, if they have one."""

import inspect

import torch
from torch import Tensor, nn


def takes_labels(network: nn.Module) -> bool:
    """Whether the network's forward method has an argument ``labels``."""
    return "labels" in inspect.signature(network.forward).parameters


def some_labels(network: nn.Module, count: int) -> list[Tensor]:
    """The labels ``[count]`` to try a network with, all of class 0, or nothing if it takes none."""
    return [torch.zeros(count, dtype=torch.long)] if takes_labels(network) else []
