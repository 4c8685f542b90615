"""AC-GAN's two cross entropies: the discriminator classifies, and the generator draws what is classified as asked."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import cross_entropy

from gan_lab.losses.judge import Judge
from gan_lab.losses.penalties import Penalty, batch_mean
from gan_lab.losses.terms import GeneratorStep, Term


@dataclass(frozen=True)
class Classification(Penalty):
    """L_D: −E log p(c | x) of real samples x of class c, and of generated samples that were asked to be of class c.

    It needs a discriminator that classifies (``conditional=auxiliary``).

    Args:
        weight: see `Penalty`.
        every: see `Penalty`.
        fake: whether generated samples count too.

    References:
        Odena, Olah and Shlens 2017, Conditional Image Synthesis with Auxiliary Classifier GANs (arXiv 1610.09585).
    """

    weight: float = 1.0
    fake: bool = True
    per_sample_gradient: ClassVar[bool] = False

    def __call__(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        loss = _cross_entropy(judge.real_classes, judge.classes)
        return loss + _cross_entropy(judge.fake_classes, judge.classes) if self.fake else loss


@dataclass(frozen=True)
class ClassificationTerm(Term):
    """L_G: −E log p(c | G(z, c)) by the discriminator's classifier; the paper is that of `Classification`."""

    uses_real: ClassVar[bool] = False

    def __call__(self, step: GeneratorStep) -> Tensor:
        return _cross_entropy(step.judge.fake_classes, step.judge.classes)


def _cross_entropy(logits: Tensor | None, labels: Tensor | None) -> Tensor:
    if logits is None or labels is None:
        raise ValueError("classification: expected a discriminator that classifies, and data with labels")
    return batch_mean(cross_entropy(logits, labels, reduction="none"))
