"""Terms that compare what a generator makes with what it should have made.

An algorithm says what is compared: a translation and its target, an encoded and decoded picture and the picture itself,
a picture and what comes back from the other domain. All are means over the numbers of a sample and over the batch.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, l1_loss, mse_loss

from gan_lab.losses.penalties import batch_mean
from gan_lab.losses.terms import GeneratorStep, Term


@dataclass(frozen=True)
class Comparison(Term):
    """The sum of a distance over the pairs that the algorithm compares."""

    def pairs(self, step: GeneratorStep) -> Sequence[tuple[Tensor, Tensor]]:
        """What is compared: batches ``[B, …]`` made, and those wanted."""
        assert self.compared is not None
        return step.compares[self.compared]()

    @staticmethod
    @abstractmethod
    def distance(made: Tensor, wanted: Tensor) -> Tensor:
        """The mean distance of two batches ``[B, …]``, a scalar."""

    def __call__(self, step: GeneratorStep) -> Tensor:
        return torch.stack([self.distance(made, wanted) for made, wanted in self.pairs(step)]).sum()


@dataclass(frozen=True)
class L1(Comparison):
    """E |y − x| over all numbers.

    References:
        Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks (arXiv 1611.07004), whose
        weight is 100.
    """

    compared: ClassVar[str | None] = "reconstruction"

    @staticmethod
    def distance(made: Tensor, wanted: Tensor) -> Tensor:
        return l1_loss(made, wanted)


@dataclass(frozen=True)
class MSE(Comparison):
    """E (y − x)² over all numbers: −log p(x | y) of a normal distribution around y, up to constants.

    References:
        Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric (arXiv 1512.09300).
    """

    compared: ClassVar[str | None] = "reconstruction"

    @staticmethod
    def distance(made: Tensor, wanted: Tensor) -> Tensor:
        return mse_loss(made, wanted)


@dataclass(frozen=True)
class BCE(Comparison):
    """−E [p log q + (1 − p) log(1 − q)] over all pixels, which are taken from [−1, 1] to p and q in [0, 1].

    The logarithms are bounded below by −100, as in `torch.nn.BCELoss`.

    References:
        Kingma and Welling 2014, Auto-Encoding Variational Bayes (arXiv 1312.6114), appendix C.1.
    """

    compared: ClassVar[str | None] = "reconstruction"

    @staticmethod
    def distance(made: Tensor, wanted: Tensor) -> Tensor:
        return binary_cross_entropy((made / 2 + 0.5).clamp(0, 1), (wanted / 2 + 0.5).clamp(0, 1))


@dataclass(frozen=True)
class Cycle(L1):
    """E |F(G(a)) − a| + E |G(F(b)) − b|: what is translated there and back should be what it was.

    References:
        Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks
        (arXiv 1703.10593), equation 2, whose weight is 10.
    """

    weight: float = 10.0
    compared: ClassVar[str | None] = "cycle"


@dataclass(frozen=True)
class Identity(L1):
    """E |G(b) − b| + E |F(a) − a|: what is of the other domain already should stay as it is.

    References:
        Zhu et al. 2017 (arXiv 1703.10593), §5.2, whose weight is 5.
    """

    weight: float = 5.0
    compared: ClassVar[str | None] = "identity"


@dataclass(frozen=True)
class KL(Term):
    """E KL(N(μ, σ²) ‖ N(0, 1)) = E ½ Σ (μ² + σ² − log σ² − 1) of the latents that an encoder gives; its loss alone.

    References:
        Kingma and Welling 2014, Auto-Encoding Variational Bayes (arXiv 1312.6114), appendix B.
    """

    compared: ClassVar[str | None] = "posterior"

    def __call__(self, step: GeneratorStep) -> Tensor:
        ((mean, log_variance),) = step.compares["posterior"]()
        return batch_mean((mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2)
