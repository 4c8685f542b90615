"""Penalties for few samples: the same logit for a sample when it is transformed, and logits near running means."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gan_lab.distributed.collectives import mean_of_each
from gan_lab.losses.judge import Judge, of_each
from gan_lab.losses.objectives import first_head
from gan_lab.losses.penalties import Penalty, batch_mean
from gan_lab.losses.weighted import A_PART
from gan_lab.validation import check_number, is_whole, quoted


@dataclass(frozen=True)
class Consistency(Penalty):
    """CR: E (C(x) − C(Tx))² of real samples x; bCR: the same of generated ones too.

    T mirrors and moves a sample (`gan_lab.augmentations.FlipShift`). Both logits are trained. With an augmentation,
    both are of augmented samples. With packing T moves a pack as a whole.

    Args:
        weight: λ of the paper; of bCR, that of the real samples.
        every: see `Penalty`.
        transform: T, which maps samples ``[B, C, H, W]`` to such, by random numbers of PyTorch's global generator.
        fake: factor on what generated samples add: 0 for CR, and 1 for bCR's equal weights.

    References:
        Zhang et al. 2020, Consistency Regularization for Generative Adversarial Networks (arXiv 1910.12027).
        Zhao et al. 2021, Improved Consistency Regularization for GANs (arXiv 2002.04724).
    """

    transform: Any = field(kw_only=True, metadata=A_PART)
    fake: float = 0.0
    per_sample_gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.transform):
            said = f"Consistency.transform={quoted(self.transform)}"
            raise ValueError(f"{said}: expected a block such as that of gan_lab.augmentations.FlipShift")

    @property
    def transforms(self) -> Any:
        return self.transform

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        value = self._of(judge, judge.real, real)
        return value + self.fake * self._of(judge, judge.fake, fake) if self.fake else value

    def _of(self, judge: Judge, logits: Tensor | None, samples: Tensor) -> Tensor:
        own = judge.again(samples) if logits is None else of_each(first_head(logits), len(samples))
        return batch_mean((own - judge.again(self.transform(samples))).square())


class Means(nn.Module):
    """Running means of the logits of real and of generated samples, ``[2]``, and after how many updates."""

    values: Tensor
    done: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(2))
        self.register_buffer("done", torch.tensor(0))


@dataclass(frozen=True)
class LeCam(Penalty):
    """LeCam: E relu(r − m_f)² + E relu(m_r − f)², with m_r and m_f running means of the logits r and f.

    A real sample should not be rated far above what generated ones have been rated, nor a generated one far below real
    ones. Until ``start``, the means are those of the last update, and the penalty is 0. In several processes they are
    of the whole batch. Logits that are not finite leave them as they are.

    Args:
        weight: λ of the paper.
        every: see `Penalty`; the means follow the same updates.
        decay: of the running means.
        start: updates of the discriminator before it begins.

    References:
        Tseng et al. 2021, Regularizing Generative Adversarial Networks under Limited Data (arXiv 2104.03310).
    """

    weight: float = 0.3
    decay: float = 0.99
    start: int = 1000
    means: Means = field(default_factory=Means, init=False, compare=False, repr=False, metadata=A_PART)
    per_sample_gradient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_number("LeCam.decay", self.decay, at_least=0, below=1)
        if not is_whole(self.start) or self.start < 0:
            raise ValueError(f"LeCam.start={self.start}: expected a whole number of at least 0")
        super().__post_init__()

    @property
    def state(self) -> Means:
        return self.means

    @property
    def begins(self) -> int:
        return -(-self.start // self.every) * self.every  # the first update from ``start`` on in which it is computed

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        if judge.real is None or judge.fake is None:
            raise ValueError("LeCam: expected the logits of this update")
        r, f = first_head(judge.real), first_head(judge.fake)
        begun = self.means.done >= self.start
        self._follow(r.detach(), f.detach(), begun)
        of_real, of_fake = self.means.values.to(r).unbind()
        value = batch_mean(relu(r - of_fake).square()) + batch_mean(relu(of_real - f).square())
        return torch.where(begun, value, 0.0)

    def _follow(self, real: Tensor, fake: Tensor, begun: Tensor) -> None:
        means = self.means
        now = mean_of_each(torch.stack([real.mean(), fake.mean()])).to(means.values)
        followed = torch.where(begun, torch.lerp(now, means.values, self.decay), now)
        means.values.copy_(torch.where(followed.isfinite(), followed, means.values))
        means.done += self.every
