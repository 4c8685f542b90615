"""Copies of networks, a user's own among them."""

import copy
from typing import TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def copied(network: Network) -> Network:
    """A deep copy, in which tensors with a graph that layers keep beside their weights have none.

    Layers of `torch.nn.utils.spectral_norm` and `weight_norm` keep the weight of their last pass in this way, which
    `copy.deepcopy` refuses. The next pass makes it anew.
    """
    kept = [one for module in network.modules() for one in vars(module).values() if isinstance(one, Tensor)]
    return copy.deepcopy(network, {id(one): one.detach().clone() for one in kept if not one.is_leaf})
