"""Objectives: the pair of functions (L_D, L_G) of logits that the two players minimise.

Notation, as in the papers: ``real`` = r = C(x) and ``fake`` = f = C(G(z)) are the discriminator's raw outputs (logits,
shape ``[B]``), E is the mean over the batch. No objective takes a sigmoid and then a logarithm: everything is written
with softplus(t) = log(1 + e^t), finite at any magnitude.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from gan_lab.distributed.collectives import global_mean


class Objective(ABC):
    """What the discriminator and the generator minimise, as functions of the logits of a real and a fake batch."""

    generator_uses_real: ClassVar[bool] = True
    """Whether L_G depends on the real logits. If not, they are never computed for it, and ``real`` is None there."""

    heads: ClassVar[int] = 1
    """Logits the discriminator gives a sample: with more than one, logits are ``[B, heads]``."""

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


def _check_numbers(objective: Objective, **numbers: float) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{type(objective).__name__}.{name}={value!r}: expected a finite number")
        if name in ("scale", "attention_weight") and value <= 0:
            raise ValueError(f"{type(objective).__name__}.{name}={value!r}: expected a number above 0")


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
        _check_numbers(self, label_smoothing=self.label_smoothing)
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"{type(self).__name__}.label_smoothing={self.label_smoothing}: expected a number from 0 to below 1"
            )

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
        _check_numbers(self, a=self.a, b=self.b, c=self.c, scale=self.scale)

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

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        check_logits(real=real, fake=fake)
        return fake.mean() - real.mean()

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        check_logits(fake=fake)
        return -fake.mean()


_CRITERIA = {  # the cost of a margin that ought to be large
    "logistic": lambda margin: softplus(-margin),
    "least_squares": lambda margin: (margin - 1).square(),
    "hinge": lambda margin: relu(1 - margin),
}


@dataclass(frozen=True)
class Relativistic(Objective):
    """The relativistic family: D estimates whether real samples are more realistic than fake ones; G the reverse.

    With the criterion's cost φ of a margin (softplus(−t), (t − 1)² or relu(1 − t)):

    - ``paired`` (RSGAN, also called RpGAN): L_D = E φ(r − f), L_G = E φ(f − r), pairs by place in the batch;
    - ``average`` (RaSGAN, RaLSGAN, RaHingeGAN), with r̃ = r − E f and f̃ = f − E r over the global batch:
      L_D = E φ(r̃) + E φ(−f̃), L_G = E φ(f̃) + E φ(−r̃).

    The author's code halves the average form's sums, which doubles what a penalty's weight means; here they are whole,
    and ``scale=0.5`` gives the halved form.

    The relativistic article this project began from prints ``L_D = −E log(1 + e^(−D(x) + D(G(z))))``, whose sign makes
    D unlearn, and sums both directions, which is symmetric in real and fake; its survey calls the average form RSGAN
    and leaves E φ(−r̃) out of L_G. This is the paper's form, on logits.

    Args:
        criterion: logistic, least_squares or hinge.
        pairing: paired or average.
        scale: factor on both losses.

    References:
        Jolicoeur-Martineau 2018, The relativistic discriminator (arXiv 1807.00734).
    """

    criterion: str = "logistic"
    pairing: str = "paired"
    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_numbers(self, scale=self.scale)
        for name, value, allowed in (
            ("criterion", self.criterion, tuple(_CRITERIA)),
            ("pairing", self.pairing, ("paired", "average")),
        ):
            if value not in allowed:
                raise ValueError(f"Relativistic.{name}={value!r}: expected one of {', '.join(allowed)}")

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return self._prefer(real, fake)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ValueError("real logits are missing: the generator's relativistic loss compares fake with real")
        return self._prefer(fake, real)

    def _prefer(self, better: Tensor, worse: Tensor) -> Tensor:
        """The cost of ``better`` not being ranked above ``worse``: the players differ in which is which."""
        check_logits(real=better, fake=worse)
        cost = _CRITERIA[self.criterion]
        if self.pairing == "average":
            above = cost(better - global_mean(worse)).mean()
            below = cost(global_mean(better) - worse).mean()
            return self.scale * (above + below)
        if better.shape != worse.shape:
            raise ValueError(f"batches of {len(better)} and {len(worse)} logits: pairs need as many real as fake ones")
        return self.scale * cost(better - worse).mean()


@dataclass(frozen=True)
class RelativisticAttention(Objective):
    """A relativistic average GAN whose discriminator has a second head on a self-attention block.

    With C and A the two heads, RaSGAN as in `Relativistic`, and ã_f = A(G(z)) − E A(x):

    L_D = RaSGAN_D(C) + λ RaSGAN_D(A),  L_G = RaSGAN_G(C) − λ E softplus(ã_f).

    The loss survey this project began from prints a "relative attention module" A in L_G alone, where nothing trains
    it, and no paper has it: this is our completion. A is trained to rank real above fake as C is, and G's term is the
    survey's, E log(1 − σ(ã_f)), saturating.

    Args:
        attention_weight: λ.

    References:
        Jolicoeur-Martineau 2018 (arXiv 1807.00734); Zhang et al. 2019, Self-Attention GAN (arXiv 1805.08318).
    """

    attention_weight: float = 1.0

    heads: ClassVar[int] = 2
    _average: ClassVar[Relativistic] = Relativistic("logistic", "average")

    def __post_init__(self) -> None:
        _check_numbers(self, attention_weight=self.attention_weight)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        (first_real, attention_real), (first_fake, attention_fake) = self._heads(real=real, fake=fake)
        attention = self._average.discriminator(attention_real, attention_fake)
        return self._average.discriminator(first_real, first_fake) + self.attention_weight * attention

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ValueError("real logits are missing: the generator's relativistic loss compares fake with real")
        (first_real, attention_real), (first_fake, attention_fake) = self._heads(real=real, fake=fake)
        attention = -softplus(attention_fake - global_mean(attention_real)).mean()
        return self._average.generator(first_real, first_fake) + self.attention_weight * attention

    @staticmethod
    def _heads(**logits: Tensor) -> list[tuple[Tensor, ...]]:
        for name, value in logits.items():
            if value.ndim != 2 or value.shape[1] != 2:
                raise ValueError(
                    f"{name} logits have shape {list(value.shape)}: expected [B, 2], of a discriminator with attention"
                )
        return [torch.unbind(value, 1) for value in logits.values()]
