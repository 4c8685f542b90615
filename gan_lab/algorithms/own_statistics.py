"""What a network derives from its weights, estimated anew for weights that were not trained with it.

A moving average of weights has none of its own: BatchNorm's running statistics are those of the network that was
trained, and so are the vectors of spectral norm. With them the average would be judged by another network's statistics.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

from gan_lab.datasets.batch import Request
from gan_lab.distributed.batchnorm import GlobalBatchNorm
from gan_lab.models.conditions import conditions_for
from gan_lab.models.copies import copied
from gan_lab.models.latents import drawn_alike


@torch.no_grad()
def with_own_statistics(network: nn.Module, requests: Iterable[Request]) -> nn.Module:
    """A copy in eval mode whose BatchNorm statistics and spectral norm vectors are of its own weights.

    Statistics are the means over all requests. The network itself is returned if it derives nothing from its weights.
    PyTorch's global random state does not change; dropout is off.

    Args:
        network: the network, which stays as it is.
        requests: batches of latents, with labels and sources if it takes them.
    """
    if not derives_from_weights(network):
        return network
    own = copied(network).eval()
    momenta = {}
    for module in filter(_derives, own.modules()):
        module.train()
        if isinstance(module, _NormBase):
            module.reset_running_stats()
            momenta[module] = module.momentum
        if isinstance(module, GlobalBatchNorm):
            module.alone = True  # other processes may not be here
    weight = next(own.parameters())
    for number, request in enumerate(requests, 1):
        for module in momenta:
            module.momentum = 1 / number  # the mean over all batches
        asked = request.map(lambda tensor: tensor.to(weight.device))
        with drawn_alike(asked.latents):
            own(asked.latents.to(weight), **conditions_for(own, asked))
    for module, momentum in momenta.items():
        module.momentum = momentum
    return own.eval()


def derives_from_weights(network: nn.Module) -> bool:
    """Whether a network keeps, beside its weights, what follows from them."""
    return any(map(_derives, network.modules()))


def _derives(module: nn.Module) -> bool:
    """Whether a module keeps, beside its weights, what follows from them."""
    older = any(isinstance(hook, SpectralNorm) for hook in module._forward_pre_hooks.values())
    return isinstance(module, _SpectralNorm) or older or (isinstance(module, _NormBase) and module.track_running_stats)
