"""Terms that compare samples in the features of the discriminator."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from gan_lab.losses.terms import GeneratorStep, Term


@dataclass(frozen=True)
class FeatureMatching(Term):
    """‖E f(x) − E f(G(z))‖²: the mean features of generated samples should be those of real ones.

    f are the features that the discriminator computes its logit from (`Judge.features`). Means over the batch are of
    one process's part.

    References:
        Salimans et al. 2016, Improved Techniques for Training GANs (arXiv 1606.03498), §3.1.
    """

    def __call__(self, step: GeneratorStep) -> Tensor:
        with torch.no_grad():
            wanted = step.judge.features(step.batch.samples).mean(0)
        return (step.judge.features(step.fake).mean(0) - wanted).square().sum()


@dataclass(frozen=True)
class FeatureReconstruction(Term):
    """E (f(y) − f(x))² over the features: a reconstruction should look to the discriminator as the picture does.

    References:
        Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric (arXiv 1512.09300), equation 7.
    """

    compared: ClassVar[str | None] = "reconstruction"

    def __call__(self, step: GeneratorStep) -> Tensor:
        ((made, wanted),) = step.compares["reconstruction"]()
        with torch.no_grad():
            features = step.judge.features(wanted)
        return mse_loss(step.judge.features(made), features)
