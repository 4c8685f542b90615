"""Penalties: terms added to the discriminator's loss, each a function of the discriminator and both batches.

All are means over the batch of something each sample has by itself, the gradient of its own logit. Norms are over all
dimensions of a sample: norms per pixel, per channel or over the whole batch are the commonest bugs of public code.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_lab.distributed.collectives import global_mean, own_part, process_count
from gan_lab.distributed.replicas import (
    mean_of_each_replica,
    over_each_replica,
    replica_count,
    uniform_of_each_replica,
)
from gan_lab.losses.judge import Judge
from gan_lab.losses.weighted import Weighted


@dataclass(frozen=True)
class Penalty(Weighted):
    """A term of L_D that looks at the discriminator itself; see `Weighted` for its arguments."""

    block: ClassVar[str] = "penalties"
    per_sample_gradient: ClassVar[bool] = True
    """Whether it takes the gradient of each sample's own logit. BatchNorm in the discriminator leaves that undefined,
    half precision overflows in it, and ``protocol=tuned`` searches its weight."""

    @property
    def transforms(self) -> Any | None:
        """The augmentation (`gan_lab.augmentations.Augmentation`) that it applies to samples itself, or None."""
        return None

    @property
    def begins(self) -> int:
        """Updates of the discriminator after which it adds something: 0 for one that adds from the first on."""
        return 0

    @abstractmethod
    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The unweighted penalty, a scalar.

        Args:
            judge: maps samples ``[B, …]`` to logits ``[B]``, each a function of its own sample alone.
            real: real samples, ``[B, …]``.
            fake: generated samples of the same shape, detached from the generator.
        """


def batch_mean(values: Tensor) -> Tensor:
    """The mean over the batch, ``[B]`` → scalar; of stacked replicas that of each, ``[R·B]`` → ``[R]``.

    In several processes it is that of this process's part: the players average their gradients over the processes.
    """
    return mean_of_each_replica(values)


def deviation(samples: Tensor) -> Tensor:
    """The population standard deviation of all numbers of the batch, a scalar; of replicas that of each's own batch."""
    if replica_count() == 1:
        return global_mean((samples - global_mean(samples)).square()).sqrt()
    of_each = samples.unflatten(0, (replica_count(), -1)).flatten(1)
    return over_each_replica(samples, of_each.std(1, correction=0))


def squared_gradient_norms(judge: Judge, samples: Tensor) -> Tensor:
    """‖∇ₓC(x)‖₂² of every sample, shape ``[B]``, differentiable in D's weights; autocast is off inside."""
    if isinstance(judge, Judge) and judge.micro_batches is not None:
        return judge.in_parts(squared_gradient_norms, samples)
    with torch.enable_grad(), torch.autocast(samples.device.type, enabled=False):
        samples = samples.detach().requires_grad_()
        (gradients,) = torch.autograd.grad(judge(samples).sum(), samples, create_graph=True)
        gradients = gradients.flatten(1)
        return torch.linalg.vecdot(gradients, gradients)


def gradient_norms(judge: Judge, samples: Tensor) -> Tensor:
    """‖∇ₓC(x)‖₂ of every sample, shape ``[B]``; a sample whose gradient vanishes gets norm 0 with gradient 0."""
    return roots(squared_gradient_norms(judge, samples))


def roots(squares: Tensor) -> Tensor:
    """The square roots of numbers of at least 0; at 0, where the slope is infinite, with gradient 0."""
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())


def uniform(like: Tensor, count: int, *shape: int) -> Tensor:
    """Numbers ~ U(0, 1), ``[count, *shape]``, of the kind of ``like``: in several processes those of one.

    Of stacked replicas, each draws its part as it would alone.
    """
    return own_part(uniform_of_each_replica(count * process_count(), *shape, device=like.device, dtype=like.dtype))


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

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        norms = gradient_norms(judge, interpolate(real, fake))
        return batch_mean((norms - self.target).square())


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

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        norms = gradient_norms(judge, interpolate(real, fake))
        return batch_mean((norms - self.target).relu().square())


@dataclass(frozen=True)
class DRAGAN(Penalty):
    """DRAGAN: E (‖∇C(x̂)‖₂ − target)² around real samples, x̂ = x + α · ½ std(x) · u.

    u ~ U(0, 1) for each element and α ~ U(0, 1) for each sample. std(x) is one number, the population standard
    deviation of all elements of the batch. Both are as in the author's code.

    Args:
        weight: λ of the paper.
        every: see `Penalty`.
        target: the gradient norm asked for.

    References:
        Kodali et al. 2017, On Convergence and Stability of GANs (arXiv 1705.07215).
    """

    target: float = 1.0

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        reach = uniform(real, len(real), *[1] * (real.ndim - 1))
        around = real + reach * 0.5 * deviation(real) * uniform(real, *real.shape)
        return batch_mean((gradient_norms(judge, around) - self.target).square())


@dataclass(frozen=True)
class R1(Penalty):
    """R1: ½ E ‖∇C(x)‖₂² at real samples.

    Args:
        weight: γ of the paper, whose ½ is in the value.
        every: see `Penalty`.

    References:
        Mescheder, Geiger and Nowozin 2018, Which Training Methods for GANs do actually Converge? (arXiv 1801.04406).
    """

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * batch_mean(squared_gradient_norms(judge, real))


@dataclass(frozen=True)
class R2(Penalty):
    """R2: ½ E ‖∇C(x)‖₂² at generated samples; otherwise as `R1`."""

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * batch_mean(squared_gradient_norms(judge, fake))


@dataclass(frozen=True)
class ZeroCentered(Penalty):
    """E ‖∇C(x̂)‖₂² at random interpolates x̂ of real and fake samples.

    Args:
        weight: λ of the paper.
        every: see `Penalty`.

    References:
        Thanh-Tung, Tran and Venkatesh 2019, Improving Generalization and Stability of GANs (arXiv 1902.03984).
    """

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return batch_mean(squared_gradient_norms(judge, interpolate(real, fake)))
