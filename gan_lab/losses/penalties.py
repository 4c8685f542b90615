"""Penalties: terms added to the discriminator's loss, each a function of the discriminator and both batches.

All are means over the batch of something each sample has by itself, the gradient of its own logit. Norms are over all
dimensions of a sample: norms per pixel, per channel or over the whole batch are the commonest bugs of public code.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_lab.distributed.collectives import global_mean, own_part, process_count
from gan_lab.losses.objectives import first_head

Discriminator = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Penalty(ABC):
    """A term of L_D that looks at the discriminator itself.

    Args:
        weight: factor of the term in L_D. The call returns the unweighted value; the adversarial step applies the
            weight, once.
        every: discriminator updates between evaluations. With more than 1 the weight is multiplied by it, so that the
            average push stays the same (lazy regularisation, Karras et al. 2020, arXiv 1912.04958, appendix B).
    """

    weight: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ValueError(f"{type(self).__name__}.{name}={value!r}: expected a number of at least 0")
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(f"{type(self).__name__}.every={self.every!r}: expected a whole number of at least 1")

    @abstractmethod
    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        """The unweighted penalty, a scalar.

        Args:
            discriminator: maps samples ``[B, …]`` to logits ``[B]``, each logit of its own sample alone; of several
                heads ``[B, heads]`` the first counts.
            real: real samples, ``[B, …]``.
            fake: generated samples of the same shape, detached from the generator.
        """


def squared_gradient_norms(discriminator: Discriminator, samples: Tensor) -> Tensor:
    """‖∇ₓC(x)‖₂² of every sample, shape ``[B]``, differentiable in D's weights; autocast is off inside."""
    with torch.autocast(samples.device.type, enabled=False):
        samples = samples.detach().requires_grad_()
        logits = first_head(discriminator(samples))
        (gradients,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
        gradients = gradients.flatten(1)
        return torch.linalg.vecdot(gradients, gradients)


def gradient_norms(discriminator: Discriminator, samples: Tensor) -> Tensor:
    """‖∇ₓC(x)‖₂ of every sample, shape ``[B]``.

    The square root has an infinite slope at zero; a sample whose gradient vanishes gets norm 0 with gradient 0.
    """
    squares = squared_gradient_norms(discriminator, samples)
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())


def uniform(like: Tensor, count: int, *shape: int) -> Tensor:
    """Numbers ~ U(0, 1), ``[count, *shape]``, of the kind of ``like``: in several processes those of one."""
    return own_part(torch.rand(count * process_count(), *shape, device=like.device, dtype=like.dtype))


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """x̂ = εx_real + (1 − ε)x_fake with one ε ~ U(0, 1) per sample."""
    epsilon = uniform(real, len(real), *[1] * (real.ndim - 1))
    return torch.lerp(fake, real, epsilon)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """WGAN-GP: E (‖∇C(x̂)‖₂ − target)² at random interpolates x̂ of real and fake samples.

    Args:
        weight: λ of the paper.
        every: see `Penalty`.
        target: the gradient norm asked for.

    References:
        Gulrajani et al. 2017, Improved Training of Wasserstein GANs (arXiv 1704.00028).
    """

    target: float = 1.0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        norms = gradient_norms(discriminator, interpolate(real, fake))
        return (norms - self.target).square().mean()


@dataclass(frozen=True)
class LipschitzPenalty(Penalty):
    """WGAN-LP: E max(0, ‖∇C(x̂)‖₂ − target)² at random interpolates: gradients may be smaller than the target.

    Args:
        weight: λ of the paper.
        every: see `Penalty`.
        target: the largest gradient norm that is free.

    References:
        Petzka, Fischer and Lukovnikov 2018, On the regularization of Wasserstein GANs (arXiv 1709.08894).
    """

    target: float = 1.0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        norms = gradient_norms(discriminator, interpolate(real, fake))
        return (norms - self.target).relu().square().mean()


@dataclass(frozen=True)
class DRAGAN(Penalty):
    """DRAGAN: E (‖∇C(x̂)‖₂ − target)² around real samples, x̂ = x + ½ std(x) · U(0, 1) per element.

    std(x) is one number, the population standard deviation of all elements of the batch, as in the author's code.

    Args:
        weight: λ of the paper.
        every: see `Penalty`.
        target: the gradient norm asked for.

    References:
        Kodali et al. 2017, On Convergence and Stability of GANs (arXiv 1705.07215).
    """

    target: float = 1.0

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        deviation = global_mean((real - global_mean(real)).square()).sqrt()
        around = real + 0.5 * deviation * uniform(real, *real.shape)
        return (gradient_norms(discriminator, around) - self.target).square().mean()


@dataclass(frozen=True)
class R1(Penalty):
    """R1: ½ E ‖∇C(x)‖₂² at real samples.

    Args:
        weight: γ of the paper, whose ½ is in the value.
        every: see `Penalty`.

    References:
        Mescheder, Geiger and Nowozin 2018, Which Training Methods for GANs do actually Converge? (arXiv 1801.04406).
    """

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * squared_gradient_norms(discriminator, real).mean()


@dataclass(frozen=True)
class R2(Penalty):
    """R2: ½ E ‖∇C(x)‖₂² at generated samples; otherwise as `R1`."""

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * squared_gradient_norms(discriminator, fake).mean()


@dataclass(frozen=True)
class ZeroCentered(Penalty):
    """E ‖∇C(x̂)‖₂² at random interpolates x̂ of real and fake samples.

    Args:
        weight: λ of the paper.
        every: see `Penalty`.

    References:
        Thanh-Tung, Tran and Venkatesh 2019, Improving Generalization and Stability of GANs (arXiv 1902.03984).
    """

    def __call__(self, discriminator: Discriminator, real: Tensor, fake: Tensor) -> Tensor:
        return squared_gradient_norms(discriminator, interpolate(real, fake)).mean()
