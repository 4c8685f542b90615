"""What is done to everything that the discriminator sees; `augmentation=NAME` chooses one."""

from gan_lab.augmentations.ada import ADA
from gan_lab.augmentations.apa import APA
from gan_lab.augmentations.augmentation import Augmentation, NoAugmentation
from gan_lab.augmentations.diff_augment import DiffAugment
from gan_lab.augmentations.flip import Flip
from gan_lab.augmentations.flip_shift import FlipShift

__all__ = ["ADA", "APA", "Augmentation", "DiffAugment", "Flip", "FlipShift", "NoAugmentation"]
