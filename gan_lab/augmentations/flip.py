"""Mirrored samples."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_lab.augmentations.augmentation import Augmentation, Operation
from gan_lab.augmentations.draws import Draws, each
from gan_lab.validation import check_between


class Flip(Augmentation):
    """Each sample is mirrored, left and right swapped, with probability p.

    Unlike ``dataset.flip``, which makes the mirrored pictures part of the data, it also mirrors generated samples: the
    generator need not draw mirrored pictures. With p = ½, however, the discriminator cannot tell it if it does.

    Args:
        p: the probability.

    Raises:
        ValueError: unless p is from 0 to 1.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_between("Flip.p", p, 0, 1)
        self.p = p

    def operations(self) -> Sequence[Operation]:
        return (self._mirror,) if self.p else ()

    def _mirror(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        return torch.where(each(draws.chosen(images, self.p)), images.flip(3), images)
