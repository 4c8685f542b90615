"""Adaptive pseudo augmentation (Jiang et al. 2021, arXiv 2111.06849)."""

from typing import ClassVar

import torch
from torch import Tensor

from gan_lab.augmentations.augmentation import Augmentation
from gan_lab.augmentations.draws import Draws
from gan_lab.augmentations.probability import Probability
from gan_lab.distributed.collectives import joined, own_part


class APA(Augmentation):
    """With probability p the discriminator's update takes a generated sample for real.

    It is one of the generator's latest update, detached, at the same place in the batch. Objective and penalties look
    at it as at a real sample. Samples are not transformed, so that they need not be images. p is a `Probability`.

    Where the generator is asked for classes, a real sample is replaced by the first generated one of its class from its
    own place on, and is left if there is none. The published code passes the class of the real sample along with a
    generated sample of another.

    Args:
        sample_shape: of a sample.
        batch_size: samples in an update.
        p, schedule, target, speed, every, most, updates: see `Probability`.

    Raises:
        ValueError: for settings that cannot be.
    """

    changes_samples: ClassVar[bool] = False
    keeps_pairs: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    kept: Tensor
    classes: Tensor
    filled: Tensor

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        batch_size: int,
        p: float | None = None,
        schedule: str = "constant",
        target: float = 0.6,
        speed: float = 500.0,
        every: int = 4,
        most: float = 0.8,
        updates: int = 1,
    ) -> None:
        super().__init__()
        self.probability = Probability("APA", p, schedule, target, speed, every, most, updates)
        self.register_buffer("kept", torch.zeros(batch_size, *sample_shape))  # of the whole batch, in every process
        self.register_buffer("classes", torch.zeros(batch_size, dtype=torch.long))
        self.register_buffer("filled", torch.tensor(False))

    def as_real(self, samples: Tensor, labels: Tensor | None, draws: Draws) -> Tensor:
        chosen = draws.chosen(samples, self.probability.p) & self.filled
        places = own_part(torch.arange(len(self.kept), device=samples.device))
        if labels is not None:
            distance = (torch.arange(len(self.kept), device=samples.device) - places[:, None]) % len(self.kept)
            of_class = labels[:, None] == self.classes
            nearest = torch.where(of_class, distance, len(self.kept)).argmin(1)
            chosen, places = chosen & of_class.any(1), nearest
        chosen = chosen.view(-1, *[1] * (samples.ndim - 1))
        return torch.where(chosen, self.kept[places], samples)

    def keep(self, fake: Tensor, labels: Tensor | None) -> None:
        count = len(self.kept)
        self.kept.copy_(joined(fake)[:count])
        if labels is not None:
            self.classes.copy_(joined(labels)[:count])
        self.filled.fill_(True)

    def observe(self, real: Tensor, fake: Tensor, undecided: float | None, samples: int) -> dict[str, Tensor]:
        return self.probability.observe(real, fake, undecided, samples)
