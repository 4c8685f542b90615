"""Relativistic objectives: real samples are to be rated above fake ones (Jolicoeur-Martineau 2018, arXiv 1807.00734).

The notation is that of `gan_lab.losses.objectives`.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from gan_lab.distributed.collectives import global_mean
from gan_lab.losses.objectives import Objective, check_logits
from gan_lab.validation import check_choice, check_number

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

    This is the paper's form, on logits. The article that this project began from prints ``L_D = −E log(1 + e^(−D(x) +
    D(G(z))))``: that sign makes D unlearn, and the sum of both directions is symmetric in real and fake. The survey
    that it cites calls the average form RSGAN and leaves E φ(−r̃) out of L_G.

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

    undecided: ClassVar[None] = None

    def __post_init__(self) -> None:
        check_number("Relativistic.scale", self.scale, above=0)
        check_choice("Relativistic.criterion", self.criterion, _CRITERIA)
        check_choice("Relativistic.pairing", self.pairing, ("paired", "average"))

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

    The survey that this project began from prints a "relative attention module" A in L_G alone, where nothing trains
    it; no paper has it. This is our completion: A is trained to rank real above fake, as C is, and G's term is the
    survey's saturating E log(1 − σ(ã_f)).

    Args:
        attention_weight: λ.

    References:
        Jolicoeur-Martineau 2018 (arXiv 1807.00734); Zhang et al. 2019, Self-Attention GAN (arXiv 1805.08318).
    """

    attention_weight: float = 1.0

    heads: ClassVar[int] = 2
    undecided: ClassVar[None] = None
    _average: ClassVar[Relativistic] = Relativistic("logistic", "average")

    def __post_init__(self) -> None:
        check_number("RelativisticAttention.attention_weight", self.attention_weight, above=0)

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
