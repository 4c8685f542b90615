"""Penalties: terms added to the discriminator's loss, each a function of the discriminator and both batches."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Discriminator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Penalty(ABC):
    """A term of L_D that looks at the discriminator itself.

    Args:
        weight: factor of the term in L_D. The call returns the unweighted value; the weight is applied once, by the
            adversarial step.
    """

    weight: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise ValueError(f"{type(self).__name__}.{name}={value!r}: expected a number of at least 0")

    @abstractmethod
    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """The unweighted penalty, a scalar.

        Args:
            discriminator: maps samples ``[B, …]`` to logits ``[B]``, each logit of its own sample alone.
            real: real samples, ``[B, …]``.
            fake: generated samples of the same shape, detached from the generator.
        """


def gradient_norms(discriminator: Discriminator, samples: Tensor) -> Tensor:
    """‖∇ₓC(x)‖₂ of every sample over all its dimensions, shape ``[B]``, differentiable in D's weights.

    The square root has an infinite slope at zero; a sample whose gradient vanishes gets norm 0 with gradient 0.
    """
    with torch.autocast(samples.device.type, enabled=False):
        samples = samples.detach().float() if samples.dtype != torch.float64 else samples.detach()
        samples.requires_grad_()
        (gradients,) = torch.autograd.grad(discriminator(samples).sum(), samples, create_graph=True)
        squares = gradients.flatten(1).square().sum(1)
        zero = squares == 0
        return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """x̂ = εx_real + (1 − ε)x_fake with one ε ~ U(0, 1) per sample."""
    epsilon = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    return torch.lerp(fake, real, epsilon)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """WGAN-GP: E (‖∇C(x̂)‖₂ − target)² at random interpolates x̂ of real and fake samples.

    Args:
        weight: λ of the paper.
        target: the gradient norm asked for.

    References:
        Gulrajani et al. 2017, Improved Training of Wasserstein GANs (arXiv 1704.00028).
    """

    weight: float = 10.0
    target: float = 1.0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        norms = gradient_norms(discriminator, interpolate(real, fake))
        return (norms - self.target).square().mean()
