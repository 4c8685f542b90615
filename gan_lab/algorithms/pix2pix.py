"""Pictures from pictures, learned from pairs: Isola et al. 2017 (arXiv 1611.07004)."""

from dataclasses import replace

from torch import Tensor

from gan_lab.algorithms.gan import GAN
from gan_lab.datasets.batch import Batch, Request
from gan_lab.losses import GeneratorStep, Judge


class Pix2Pix(GAN):
    """The game of `GAN` between networks that take the source image, and terms that compare with its target.

    | loss | discriminator | generator |
    | --- | --- | --- |
    | objective, of (source, target) and (source, translation) | its own | its own |
    | reconstruction: l1, mse, bce or feature_reconstruction | – | weight |
    """

    compares = ("reconstruction",)

    def step(self, batch: Batch, request: Request, fake: Tensor, judge: Judge) -> GeneratorStep:
        pairs = {"reconstruction": lambda: [(fake, batch.samples)]}
        return replace(super().step(batch, request, fake, judge), compares=pairs)
