"""The discriminator as penalties and terms see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gan_lab.losses.objectives import first_head
from gan_lab.models.conditions import Judgement


@dataclass(frozen=True, eq=False)
class Judge:
    """Maps samples ``[B, …]`` to logits ``[B]`` of the discriminator's first head, with the batch's labels bound.

    Of a discriminator that gives a map of logits it is the mean over a sample's map. Their sum would scale R1 by the
    square of their number.

    Args:
        discriminator: maps samples, and labels if they are given, to logits as `gan_lab.models.Judgement` describes
            them, or to a Judgement.
        labels: what the discriminator is given, ``[B]`` int64, or None. Real and generated samples share them, so that
            points between a real and a generated sample have a class too.
        classes: the classes of the batch, ``[B]`` int64, whether or not the discriminator is given them; or None.
        real: this update's logits of the real samples, flat, or None. Use them instead of calling the discriminator
            again.
        fake: the same for the generated samples.
        real_classes: its class logits of the real samples, ``[B, classes]``, or None if it does not classify.
        fake_classes: the same for the generated samples.
    """

    discriminator: Callable[..., Any]
    labels: Tensor | None = None
    real: Tensor | None = None
    fake: Tensor | None = None
    classes: Tensor | None = None
    real_classes: Tensor | None = None
    fake_classes: Tensor | None = None

    def __call__(self, samples: Tensor) -> Tensor:
        arguments = (samples,) if self.labels is None else (samples, self.labels)
        logits = first_head(Judgement.of(self.discriminator(*arguments)).logits)
        return logits if len(logits) == len(samples) else logits.view(len(samples), -1).mean(1)
