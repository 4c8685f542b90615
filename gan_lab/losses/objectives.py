"""Objectives: the pair of functions (L_D, L_G) of logits that the two players minimise.

Notation, as in the papers: ``real`` = r = C(x) and ``fake`` = f = C(G(z)) are the discriminator's raw outputs (logits,
shape ``[B]``), E is the mean over the batch. No objective takes a sigmoid and then a logarithm: everything is written
with softplus(t) = log(1 + e^t), finite at any magnitude.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from gan_lab.validation import check_number


class Objective(ABC):
    """What the discriminator and the generator minimise, as functions of the logits of a real and a fake batch."""

    generator_uses_real: ClassVar[bool] = True
    """Whether L_G depends on the real logits. If not, they are never computed for it, and ``real`` is None there."""

    heads: ClassVar[int] = 1
    """Logits the discriminator gives a sample: with more than one, logits are ``[B, heads]``."""

    @property
    def undecided(self) -> float | None:
        """The logit that is best for L_D where real and generated samples are equally likely.

        None where none is, as adding a number to all logits changes neither loss.
        """
        return 0.0

    @property
    def state(self) -> nn.Module | None:
        """What it must remember from one update to the next, as buffers, which are saved with the run; or None."""
        return self if isinstance(self, nn.Module) else None

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """L_D, a scalar.

        Args:
            real: logits of real samples, shape ``[B]``.
            fake: logits of generated samples, shape ``[B]``.

        Raises:
            ValueError: if either is of another shape.
        """

    @abstractmethod
    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """L_G, a scalar; the same shapes and errors as `discriminator`."""


def first_head(logits: Tensor) -> Tensor:
    """The logits ``[B]`` of the discriminator's first or only head."""
    return logits if logits.ndim == 1 else logits[:, 0]


def check_logits(**logits: Tensor | None) -> None:
    """Raise ValueError, by name, unless every given tensor is a vector: a ``[B, 1]`` would broadcast to ``[B, B]``."""
    for name, value in logits.items():
        if value is not None and value.ndim != 1:
            raise ValueError(f"{name} logits have shape {list(value.shape)}: expected [B], one logit per sample")


@dataclass(frozen=True)
class NonSaturating(Objective):
    """The non-saturating GAN: G maximises log D(G(z)) instead of minimising log(1 − D(G(z))).

    L_D = E softplus(−r) + E softplus(f),  L_G = E softplus(−f).

    Args:
        label_smoothing: s in [0, 1): D is trained towards the label 1 − s on real samples, and 0 on fake ones
            (one-sided smoothing, Salimans et al. 2016, arXiv 1606.03498, §3.4).

    References:
        Goodfellow et al. 2014, Generative Adversarial Networks, §3 (arXiv 1406.2661).
    """

    label_smoothing: float = 0.0

    generator_uses_real: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number(f"{type(self).__name__}.label_smoothing", self.label_smoothing, at_least=0, below=1)

    @property
    def undecided(self) -> float:
        # the root of L_D's slope, (1 − s)(σ − 1) + sσ + σ
        return math.log((1 - self.label_smoothing) / (1 + self.label_smoothing))

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        # (1 − s) softplus(−r) + s softplus(r) = softplus(−r) + s r, as softplus(r) − softplus(−r) = r
        return (softplus(-real) + self.label_smoothing * real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return softplus(-fake).mean()


@dataclass(frozen=True)
class Minimax(NonSaturating):
    """The original zero-sum game: G minimises log(1 − D(G(z))), which saturates where D is sure.

    L_D = E softplus(−r) + E softplus(f),  L_G = −E softplus(f).

    References:
        Goodfellow et al. 2014, Generative Adversarial Networks, equation 1 (arXiv 1406.2661).
    """

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return -softplus(fake).mean()


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
        for name in ("a", "b", "c"):
            check_number(f"LeastSquares.{name}", getattr(self, name))
        check_number("LeastSquares.scale", self.scale, above=0)

    @property
    def undecided(self) -> float:
        return (self.a + self.b) / 2

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return self.scale * ((real - self.b).square().mean() + (fake - self.a).square().mean())

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return self.scale * (fake - self.c).square().mean()


@dataclass(frozen=True)
class Hinge(Objective):
    """The hinge loss: D stops caring about samples it is sure of by a margin of 1.

    L_D = E relu(1 − r) + E relu(1 + f),  L_G = −E f.

    References:
        Lim and Ye 2017, Geometric GAN (arXiv 1705.02894); Miyato et al. 2018 (arXiv 1802.05957).
    """

    generator_uses_real: ClassVar[bool] = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return -fake.mean()


@dataclass(frozen=True)
class Wasserstein(Objective):
    """WGAN: the dual form of the earth mover's distance, for a discriminator kept Lipschitz by other means.

    L_D = E f − E r,  L_G = −E f. Alone it is unbounded: give it a penalty or a constraint.

    References:
        Arjovsky, Chintala and Bottou 2017, Wasserstein GAN (arXiv 1701.07875).
    """

    generator_uses_real: ClassVar[bool] = False
    undecided: ClassVar[None] = None

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return fake.mean() - real.mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return -fake.mean()
