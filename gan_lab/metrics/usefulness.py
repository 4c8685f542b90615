"""Classification accuracy scores: what generated samples of known classes are worth to a classifier, and it to them."""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lab.metrics.classifier import accuracy, trained


class Labelled(NamedTuple):
    """Images, uint8 ``[N, C, H, W]``, and their classes, ``[N]`` int64."""

    images: Tensor
    labels: Tensor


class Usefulness(NamedTuple):
    """Shares of images that classifiers assign to their classes, from 0 to 1.

    ``real``, ``fake`` and ``real_and_fake`` say what a classifier was trained on; it is tested on held-out images.
    ``fake`` is the classification accuracy score, called GAN-train too, and falls with quality and with variety.
    ``tested_on_fake``, called GAN-test, is of the classifier that was trained on real images; it says nothing about
    variety, and a generator of one good picture a class has 1.
    """

    real: float
    fake: float
    real_and_fake: float
    tested_on_fake: float


def usefulness(real: Labelled, fake: Labelled, held_out: Labelled, steps: int, seed: int) -> Usefulness:
    """Train a classifier on real images, one on generated ones and one on both, for equally many steps.

    The classifiers are the small networks of `gan_lab.metrics.Classifier`. They are no ResNet, as the papers have, so
    that values are comparable with each other alone.

    Args:
        real: training samples.
        fake: generated samples.
        held_out: real images that no classifier and no generator has seen.
        steps: training steps of each classifier, on 128 images each, or 64 large ones.
        seed: of the classifiers' weights and batches.

    References:
        Ravuri and Vinyals 2019, Classification Accuracy Score for Conditional Generative Models (arXiv 1905.10887).
        Shmelkov et al. 2018, How Good Is My GAN? (arXiv 1807.09499).
    """
    classes = 1 + max(int(one.labels.max()) for one in (real, fake, held_out))
    both = Labelled(torch.cat([real.images, fake.images]), torch.cat([real.labels, fake.labels]))
    of_real, of_fake, of_both = (trained(*one, classes, steps, seed) for one in (real, fake, both))
    right = [accuracy(network, *held_out) for network in (of_real, of_fake, of_both)]
    return Usefulness(right[0], right[1], right[2], accuracy(of_real, *fake))
