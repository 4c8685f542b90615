"""What is done to everything that the discriminator sees, so that it cannot learn few samples by heart."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_lab.augmentations.draws import Draws

Operation = Callable[[Tensor, Draws, int], Tensor]
"""Changes images ``[B, C, H, W]``, each by random numbers of its own. The last argument tells how many of the channels
are the sample's; the others are of the source that belongs to it, which moves along and keeps its colours."""


class Augmentation(nn.Module):
    """Operations on images in [−1, 1], one after the other. What it must remember are buffers, saved with the run.

    It is applied to real and generated samples alike, in the updates of both players, and is differentiable, so that
    gradients reach the generator's own, untransformed samples. Values are not clamped. A sample to which no operation
    applies is returned as it is, to the bit.
    """

    changes_samples: ClassVar[bool] = True
    """Whether samples look different to the discriminator; if not, the data need not be images."""
    keeps_pairs: ClassVar[bool] = True
    """Whether a sample still belongs to its source afterwards."""
    adapts: ClassVar[bool] = False
    """Whether it is told of the logits (`observe`)."""

    def __init__(self) -> None:
        super().__init__()  # it takes no arguments, unlike nn.Module

    def operations(self) -> Sequence[Operation]:
        """What is done to images, in order."""
        return ()

    def check(self, sample_shape: tuple[int, ...]) -> None:
        """Raise ValueError for samples ``(C, H, W)`` that it cannot transform."""

    def forward(self, samples: Tensor, draws: Draws | None = None) -> Tensor:
        """The samples ``[B, C, H, W]`` transformed; without ``draws`` from PyTorch's global generator."""
        return self._apply_all(samples, draws or Draws(), samples.shape[1])

    def pairs(self, samples: Tensor, source: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Samples and the sources they belong to, ``[B, …, H, W]`` each: moved and cut by the same random numbers."""
        channels = samples.shape[1]
        both = self._apply_all(torch.cat([samples, source], 1), draws, channels)
        return both[:, :channels], both[:, channels:]

    def _apply_all(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        for operation in self.operations():
            images = operation(images, draws, channels)
        return images

    def as_real(self, samples: Tensor, labels: Tensor | None, draws: Draws) -> Tensor:
        """What the discriminator's update takes for real: the samples ``[B, …]``, or something in place of some.

        Args:
            samples: real ones.
            labels: their classes ``[B]`` if the generator is asked for classes, or None.
            draws: this update's random numbers.
        """
        return samples

    def keep(self, fake: Tensor, labels: Tensor | None) -> None:
        """Hear of the samples ``[B, …]`` of the generator's update, detached, and of the classes they are to be of."""

    def observe(self, real: Tensor, fake: Tensor, undecided: float | None, samples: int) -> dict[str, Tensor]:
        """Hear of a discriminator's update; the curves of it, by tag.

        Args:
            real: the logits of the real samples, flat and detached.
            fake: those of the generated ones.
            undecided: the logit of a discriminator that cannot tell, as `gan_lab.losses.Objective.undecided`.
            samples: how many real samples the update looked at in this process.
        """
        return {}


class NoAugmentation(Augmentation):
    """Nothing is done: the discriminator sees samples as they are."""

    changes_samples: ClassVar[bool] = False


def of_sample(function: Callable[[Tensor], Tensor], images: Tensor, channels: int) -> Tensor:
    """The images with their first channels, those of the sample, replaced by what the function makes of them."""
    if channels == images.shape[1]:
        return function(images)
    return torch.cat([function(images[:, :channels]), images[:, channels:]], 1)


def to_chosen(function: Callable[[Tensor, Tensor], Tensor], images: Tensor, chosen: Tensor) -> Tensor:
    """The images with those replaced that are chosen, ``[B]`` bool; the others stay as they are, to the bit.

    Args:
        function: makes new images ``[N, C, H, W]`` of the chosen ones and their indices ``[N]``.
        images: ``[B, C, H, W]``.
        chosen: which.
    """
    indices = chosen.nonzero().flatten()
    if not len(indices):
        return images
    return images.index_copy(0, indices, function(images.index_select(0, indices), indices))
