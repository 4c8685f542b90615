"""PacGAN's perceptrons for points (Lin et al. 2018, arXiv 1712.04086, §4.1): a maxout discriminator.

The networks are those of VEEGAN's toy experiments; ``model.packing`` sets how many points are judged at once.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.layers.heads import Logit
from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.maxout import Maxout
from gan_lab.models.layers.normalisation import VECTOR_NORMS
from gan_lab.validation import check_choice, check_positive, check_widths


def _check_points(sample_shape: Sequence[int]) -> None:
    if len(sample_shape) != 1:
        raise ValueError(
            f"pacgan_mlp draws points of shape [D], not samples of shape {list(sample_shape)}: use model=pacgan_dcgan"
        )


class PacGANMLPGenerator(nn.Sequential):
    """Latent → linear layers with BatchNorm and ReLU → point.

    Args:
        latent_dim: size of the latent, 2 in the paper.
        sample_shape: ``(D,)``.
        hidden: widths of the hidden layers.
    """

    def __init__(self, latent_dim: int, sample_shape: Sequence[int], hidden: Sequence[int]) -> None:
        check_widths("PacGANMLPGenerator.hidden", hidden)
        _check_points(sample_shape)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([latent_dim, *hidden]):
            layers += [nn.Linear(fan_in, fan_out, bias=False), nn.BatchNorm1d(fan_out, momentum=0.05), nn.ReLU()]
        super().__init__(*layers, nn.Linear(hidden[-1], sample_shape[0]))
        draw_normal(self)


class PacGANMLPDiscriminator(nn.Sequential):
    """Pack of points → maxout layers → logit.

    Args:
        sample_shape: ``(m·D,)``.
        hidden: widths of the hidden layers.
        pieces: linear maps that each hidden unit is the largest of.
        norm: normalisation of the hidden layers: none (as in the paper), batch or layer.
    """

    def __init__(self, sample_shape: Sequence[int], hidden: Sequence[int], pieces: int = 5, norm: str = "none") -> None:
        check_widths("PacGANMLPDiscriminator.hidden", hidden)
        check_positive("PacGANMLPDiscriminator.pieces", pieces)
        check_choice("PacGANMLPDiscriminator.norm", norm, VECTOR_NORMS)
        _check_points(sample_shape)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([sample_shape[0], *hidden]):
            layers += [Maxout(fan_in, fan_out, pieces), VECTOR_NORMS[norm](fan_out)]
        super().__init__(*layers, Logit(hidden[-1]))
        draw_normal(self)
