"""Terms that compare samples in the features of the discriminator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gan_lab.distributed.collectives import global_mean
from gan_lab.losses.comparisons import MSE
from gan_lab.losses.terms import GeneratorStep, Term


@dataclass(frozen=True)
class FeatureMatching(Term):
    """‖E f(x) − E f(G(z))‖²: the mean features of generated samples should be those of real ones.

    f are the features that the discriminator computes its logit from (`Judge.features`).

    References:
        Salimans et al. 2016, Improved Techniques for Training GANs (arXiv 1606.03498), §3.1.
    """

    looks_at_features: ClassVar[bool] = True

    def __call__(self, step: GeneratorStep) -> Tensor:
        with torch.no_grad():
            wanted = global_mean(step.judge.features(step.batch.samples), [0])
        return (global_mean(step.judge.features(step.fake), [0]) - wanted).square().sum()


@dataclass(frozen=True)
class FeatureReconstruction(MSE):
    """E (f(y) − f(x))² over the features: a reconstruction should look to the discriminator as the picture does.

    References:
        Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric (arXiv 1512.09300), equation 7.
    """

    looks_at_features: ClassVar[bool] = True

    def pairs(self, step: GeneratorStep) -> Sequence[tuple[Tensor, Tensor]]:
        """The features ``[B, F]`` of what is compared."""
        return [(step.judge.features(made), self._wanted(step, wanted)) for made, wanted in super().pairs(step)]

    @staticmethod
    @torch.no_grad()
    def _wanted(step: GeneratorStep, samples: Tensor) -> Tensor:
        return step.judge.features(samples)
