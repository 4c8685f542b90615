"""Objectives: the pair of functions (L_D, L_G) of logits that the two players minimise.

Notation, as in the papers: ``real`` = C(x) and ``fake`` = C(G(z)) are the discriminator's raw outputs (logits, shape
``[B]``), E is the mean over the batch. No objective takes a sigmoid and then a logarithm: everything is written with
softplus(t) = log(1 + e^t), finite at any magnitude.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus


class Objective(ABC):
    """What the discriminator and the generator minimise, as functions of the logits of a real and a fake batch."""

    generator_uses_real: ClassVar[bool] = True
    """Whether L_G depends on the real logits. If not, they are never computed for it, and ``real`` is None there."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """L_D, a scalar.

        Args:
            real: logits of real samples, shape ``[B]``.
            fake: logits of generated samples, shape ``[B]``.

        Raises:
            ValueError: if either is not a vector.
        """

    @abstractmethod
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """L_G, a scalar; the same shapes and errors as `discriminator`."""


def check_logits(**logits: Tensor | None) -> None:
    """Raise ValueError, by name, unless every given tensor is a vector: a ``[B, 1]`` would broadcast to ``[B, B]``."""
    for name, value in logits.items():
        if value is not None and value.ndim != 1:
            raise ValueError(f"{name} logits have shape {list(value.shape)}: expected [B], one logit per sample")


def _check_numbers(objective: Objective, **numbers: float) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{type(objective).__name__}.{name}={value!r}: expected a finite number")


@dataclass(frozen=True)
class NonSaturating(Objective):
    """The non-saturating GAN: G maximises log D(G(z)) instead of minimising log(1 − D(G(z))).

    L_D = E softplus(−r) + E softplus(f),  L_G = E softplus(−f).

    References:
        Goodfellow et al. 2014, Generative Adversarial Networks, §3 (arXiv 1406.2661).
    """

    generator_uses_real: ClassVar[bool] = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return softplus(-fake).mean()


@dataclass(frozen=True)
class LeastSquares(Objective):
    """LSGAN: regress the logits on labels instead of classifying them.

    L_D = E (r − b)² + E (f − a)²,  L_G = E (f − c)². The paper carries a factor ½ on both players; ``scale=0.5``
    gives that form.

    Args:
        a: label D gives to fake samples.
        b: label D gives to real samples.
        c: label G wants D to give to fake samples.
        scale: factor on both losses.

    References:
        Mao et al. 2017, Least Squares Generative Adversarial Networks (arXiv 1611.04076).
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0
    scale: float = 1.0

    generator_uses_real: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_numbers(self, a=self.a, b=self.b, c=self.c, scale=self.scale)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return self.scale * ((real - self.b).square().mean() + (fake - self.a).square().mean())

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return self.scale * (fake - self.c).square().mean()


@dataclass(frozen=True)
class Wasserstein(Objective):
    """WGAN: the dual form of the earth mover's distance, for a discriminator kept Lipschitz by other means.

    L_D = E f − E r,  L_G = −E f. Alone it is unbounded: give it a penalty or a constraint.

    References:
        Arjovsky, Chintala and Bottou 2017, Wasserstein GAN (arXiv 1701.07875).
    """

    generator_uses_real: ClassVar[bool] = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return fake.mean() - real.mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return -fake.mean()


@dataclass(frozen=True)
class Relativistic(Objective):
    """RSGAN, also called RpGAN: D estimates whether a real sample is more realistic than a fake one.

    Real and fake samples are paired by their place in the batch:
    L_D = E softplus(−(r − f)),  L_G = E softplus(−(f − r)).

    The article this project began from prints ``L_D = −E log(1 + e^(−D(x) + D(G(z))))``, whose sign makes D unlearn,
    and puts a sigmoid in D; this is the paper's form, on logits.

    References:
        Jolicoeur-Martineau 2018, The relativistic discriminator (arXiv 1807.00734).
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-self._margin(real, fake)).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ValueError("real logits are missing: the generator's relativistic loss compares fake with real")
        return softplus(self._margin(real, fake)).mean()

    @staticmethod
    def _margin(real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        if real.shape != fake.shape:
            raise ValueError(f"{len(real)} real and {len(fake)} fake logits: pairs need equally many of both")
        return torch.sub(real, fake)
