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
    the trained weight, before spectral norm. Embeddings are left out.

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
                        outputs = weight.transpose(0, 1) if isinstance(module, _ConvTransposeNd) else weight
                        filters = outputs.flatten(1)
                        products = filters @ filters.T
                        total = total + 0.5 * (products - torch.diag(products.diagonal())).square().sum()
        return total
