"""DiffAugment: every sample recoloured, moved and cut (Zhao et al. 2020, arXiv 2006.10738)."""

from collections.abc import Sequence

from torch import Tensor

from gan_lab.augmentations.augmentation import Augmentation, Operation, of_sample
from gan_lab.augmentations.draws import Draws, each
from gan_lab.augmentations.moves import mixed, shifted, without_box
from gan_lab.validation import is_names, typed

_MOVE = 1 / 8  # of a side, at most
_CUT = 1 / 2  # of a side


def brightness(images: Tensor, draws: Draws, channels: int) -> Tensor:
    """x + b, b ~ U(−½, ½)."""
    added = draws.uniform(images) - 0.5
    return of_sample(lambda samples: samples + each(added), images, channels)


def saturation(images: Tensor, draws: Draws, channels: int) -> Tensor:
    """m + s (x − m) with m the mean over a pixel's channels, s ~ U(0, 2); it leaves grey images as they are."""
    factor = draws.uniform(images) * 2
    return of_sample(lambda samples: mixed(samples, samples.mean(1, keepdim=True), factor), images, channels)


def contrast(images: Tensor, draws: Draws, channels: int) -> Tensor:
    """m + c (x − m) with m the mean over all numbers of a sample, c ~ U(½, 1½)."""
    factor = draws.uniform(images) + 0.5
    return of_sample(lambda samples: mixed(samples, samples.mean([1, 2, 3], keepdim=True), factor), images, channels)


def translation(images: Tensor, draws: Draws, channels: int) -> Tensor:
    """Moved by whole pixels, up to an eighth of a side in each direction, all equally likely; zeros come in."""
    _, _, height, width = images.shape
    down, right = (draws.whole(images, -most, most) for most in (_rounded(height * _MOVE), _rounded(width * _MOVE)))
    return shifted(images, right, down, "zeros")


def cutout(images: Tensor, draws: Draws, channels: int) -> Tensor:
    """A box of half of either side is zero. Its centre lies anywhere, so that borders may clip it.

    Of r pixels the box has ⌊r/2 + ½⌋, b; it begins at o − ⌊b/2⌋, where o is from 0 to r if b is even, and to r − 1 if
    it is odd.
    """
    places = []
    for size in images.shape[2:]:
        box = _rounded(size * _CUT)
        places.append((draws.whole(images, 0, size - box % 2) - box // 2, box))
    (top, height), (left, width) = places
    return without_box(images, left, top, width, height)


def _rounded(value: float) -> int:
    return int(value + 0.5)


POLICIES: dict[str, tuple[Operation, ...]] = {
    "colour": (brightness, saturation, contrast),
    "translation": (translation,),
    "cutout": (cutout,),
}
"""Operations by the name of the policy, in the order in which they are applied."""


class DiffAugment(Augmentation):
    """Every sample is recoloured, moved and cut by random numbers of its own; there is no probability of none.

    Args:
        policy: some of colour, translation and cutout, which are applied in this order.

    Raises:
        ValueError: for another policy.

    References:
        Zhao et al. 2020, Differentiable Augmentation for Data-Efficient GAN Training (arXiv 2006.10738).
    """

    def __init__(self, policy: Sequence[str] = ("colour", "translation", "cutout")) -> None:
        super().__init__()
        known = ", ".join(POLICIES)
        if not is_names(policy) or not set(policy) <= POLICIES.keys():
            raise ValueError(f"DiffAugment.policy={typed(policy)}: expected a list of some of {known}")
        if len(set(policy)) < len(policy):
            raise ValueError(f"DiffAugment.policy={typed(policy)}: expected each of {known} once at most")
        self.policy = tuple(name for name in POLICIES if name in policy)

    def operations(self) -> Sequence[Operation]:
        return [operation for name in self.policy for operation in POLICIES[name]]
