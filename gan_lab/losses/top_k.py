"""Top-k training: the generator learns from those of its samples that the discriminator rates highest."""

import math
from dataclasses import dataclass

from torch import Tensor

from gan_lab.validation import check_between, check_positive

_ROUNDING = 1e-9  # 0.29 of 100 is 28.999999999999996


@dataclass(frozen=True)
class TopK:
    """The k largest logits of a batch of B generated samples, k = B · max(γ^epoch, ν), rounded down, and 1 at least.

    The generator's objective is the mean over these alone. Its terms, and the discriminator, see all samples.

    Args:
        every: the generator's updates of an epoch; in the paper, those in which the training samples are seen once.
        decay: γ, from 0 to 1; 1 keeps all samples.
        floor: ν, the share of samples that k never falls below, from 0 to 1.

    Raises:
        ValueError: for a number out of range.

    References:
        Sinha et al. 2020, Top-k Training of GANs (arXiv 2002.06224).
    """

    every: int
    decay: float = 0.99
    floor: float = 0.5

    def __post_init__(self) -> None:
        check_positive("TopK.every", self.every)
        check_between("TopK.decay", self.decay, 0, 1)
        check_between("TopK.floor", self.floor, 0, 1)

    def count(self, batch: int, updates: int) -> int:
        """k in the next update, after so many updates of the generator."""
        share = max(self.decay ** (updates // self.every), self.floor)
        return max(math.floor(batch * share + _ROUNDING), 1)

    def __call__(self, logits: Tensor, updates: int) -> Tensor:
        """The largest of the logits ``[B]``, ``[k]``, after so many updates of the generator."""
        return logits.topk(self.count(len(logits), updates)).values
