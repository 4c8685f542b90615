"""Orthogonal regularisation of a generator's weights."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from gan_lab.losses.terms import GeneratorStep, Term


@dataclass(frozen=True)
class Orthogonal(Term):
    """½ Σ ‖W Wᵀ ∘ (1 − I)‖² over the generator's linear layers and convolutions: filters should be orthogonal.

    W has a row for each output, so an entry of W Wᵀ is the inner product of two filters; their lengths are free. The
    gradient is 2 (W Wᵀ ∘ (1 − I)) W, which the author's code adds to that of the loss; the paper's term has no ½. W is
    the trained weight, before spectral norm. Embeddings are left out. Filters of different groups of a convolution see
    different channels, and are orthogonal as they are.

    References:
        Brock, Donahue and Simonyan 2019, Large Scale GAN Training for High Fidelity Natural Image Synthesis (arXiv
        1809.11096), equation 3.
    """

    weight: float = 1e-4
    uses_real: ClassVar[bool] = False

    def __call__(self, step: GeneratorStep) -> Tensor:
        total = step.fake.new_zeros(())
        for module in step.networks["generator"].modules():
            if isinstance(module, nn.Linear | _ConvNd):
                for weight in module.parameters():  # one, whose name spectral norm changes, and perhaps a bias
                    if weight.ndim > 1:
                        groups = weight.unflatten(0, (getattr(module, "groups", 1), -1))
                        outputs = groups.transpose(1, 2) if isinstance(module, _ConvTransposeNd) else groups
                        filters = outputs.flatten(2)
                        products = filters @ filters.mT
                        others = products - torch.diag_embed(products.diagonal(dim1=1, dim2=2))
                        total = total + 0.5 * others.square().sum()
        return total
