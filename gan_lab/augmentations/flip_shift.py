"""The transformation that consistency is asked of."""

from collections.abc import Sequence

from torch import Tensor

from gan_lab.augmentations.augmentation import Augmentation, Operation
from gan_lab.augmentations.draws import Draws
from gan_lab.augmentations.flip import Flip
from gan_lab.augmentations.moves import shifted
from gan_lab.validation import check_between


class FlipShift(Augmentation):
    """Mirrored with probability ½, then moved by whole pixels up to a share of a side; the image goes on mirrored.

    It is what CR and bCR compare a sample with.

    Args:
        shift: the share, from 0 to ½.

    Raises:
        ValueError: for another share.

    References:
        Zhang et al. 2020, Consistency Regularization for Generative Adversarial Networks (arXiv 1910.12027), §3.1.
    """

    def __init__(self, shift: float = 0.125) -> None:
        super().__init__()
        check_between("FlipShift.shift", shift, 0, 0.5)
        self.shift = shift
        self.flip = Flip()

    def operations(self) -> Sequence[Operation]:
        return [*self.flip.operations(), self._move]

    def _move(self, images: Tensor, draws: Draws, channels: int) -> Tensor:
        down, right = (draws.whole(images, -most, most) for most in (int(n * self.shift) for n in images.shape[2:]))
        return shifted(images, right, down, "reflect")
