"""Constraints: conditions on the discriminator's weights that hold throughout training."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan_lab.models.layers.equalised import factor_in_use
from gan_lab.validation import check_number


class Constraint:
    """Something that holds for the discriminator's weights after every one of its updates."""

    def attach(self, discriminator: nn.Module) -> None:
        """Prepare the freshly initialised discriminator, once, before its optimizer is made."""

    def project(self, discriminator: nn.Module) -> None:
        """Restore the constraint after an update."""


@dataclass(frozen=True)
class WeightClip(Constraint):
    """WGAN's clipping: every parameter of D is clamped to ±bound after each of its updates.

    Of equalised layers the weights and biases in use are bounded: those that are trained, to ±bound / factor.

    References:
        Arjovsky, Chintala and Bottou 2017, Wasserstein GAN, Algorithm 1 (arXiv 1701.07875).
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        check_number("WeightClip.bound", self.bound, above=0)

    def project(self, discriminator: nn.Module) -> None:
        with torch.no_grad():
            for module in discriminator.modules():
                bound = self.bound / factor_in_use(module)
                for parameter in module.parameters(recurse=False):
                    parameter.clamp_(-bound, bound)


@dataclass(frozen=True)
class SpectralNorm(Constraint):
    """SN-GAN: every linear, convolution and embedding weight of D is divided by its largest singular value.

    PyTorch's parametrization estimates it by one step of power iteration in every forward pass of training.

    References:
        Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks (arXiv 1802.05957); embeddings as
        in the authors' code for Miyato and Koyama 2018, cGANs with Projection Discriminator (arXiv 1802.05637).
    """

    def attach(self, discriminator: nn.Module) -> None:
        for _, module in self.layers(discriminator):
            spectral_norm(module)

    @staticmethod
    def layers(discriminator: nn.Module) -> list[tuple[str, nn.Module]]:
        """The layers whose weights are divided, with their names."""
        convolutions = nn.Conv1d | nn.Conv2d | nn.Conv3d
        transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
        weighted = nn.Linear | nn.Embedding | convolutions | transposed
        return [(name, module) for name, module in discriminator.named_modules() if isinstance(module, weighted)]
