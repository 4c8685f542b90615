"""Pictures from pictures, learned from pairs: Isola et al. 2017 (arXiv 1611.07004)."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from gan_lab.algorithms.gan import GAN
from gan_lab.datasets.batch import Batch, Request
from gan_lab.errors import ConfigError
from gan_lab.losses import GeneratorStep, Judge
from gan_lab.models.conditions import takes_source


class Pix2Pix(GAN):
    """The game of `GAN` between networks that take the source image, and terms that compare with its target.

    | loss | discriminator | generator |
    | --- | --- | --- |
    | objective, of (source, target) and (source, translation) | its own | its own |
    | reconstruction: l1, mse, bce or feature_reconstruction | – | weight |

    The paper halves the discriminator's objective, which with Adam changes next to nothing; here it is whole.

    Args:
        settings: those of `GAN`.

    Raises:
        ConfigError: if the generator does not translate.
    """

    compares = ("reconstruction",)
    needs_pairs = True

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        generator = self.players["generator"].network
        if not takes_source(generator):
            raise ConfigError(
                f"model.generator: {type(generator).__name__} translates no images; expected such as model=unet with "
                "algorithm=pix2pix"
            )

    def step(self, batch: Batch, request: Request, fake: Tensor, judge: Judge, *drawn: Tensor) -> GeneratorStep:
        pairs = {"reconstruction": lambda: [(fake, batch.samples)]}
        return replace(super().step(batch, request, fake, judge), compares=pairs)
