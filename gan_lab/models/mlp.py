"""Multi-layer perceptrons, for images and for points."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.conditions import check_discriminator_conditioning, check_generator_conditioning
from gan_lab.models.layers.attention import Heads, SelfAttention
from gan_lab.models.layers.heads import head
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.normalisation import VECTOR_NORMS, Norm, batch_norm
from gan_lab.validation import check_choice, check_widths


def _hidden_layers(widths: Sequence[int], norm: Norm) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), norm(fan_out), nn.LeakyReLU(0.2)]
    return layers


class MLPGenerator(LabelledSequential):
    """Latent → hidden layers → sample; tanh at the end for images, nothing for points.

    Args:
        latent_dim: size of the latent.
        sample_shape: ``(C, H, W)`` or ``(D,)``.
        hidden: widths of the hidden layers.
        norm: normalisation of the hidden layers: none, batch or layer.
        conditioning: how labels are taken: concat appends an embedding to the latent, batch_norm makes BatchNorm
            conditional.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        hidden: Sequence[int],
        norm: str = "none",
        conditioning: str = "concat",
        classes: int | None = None,
    ) -> None:
        check_widths("MLPGenerator.hidden", hidden)
        check_choice("MLPGenerator.norm", norm, VECTOR_NORMS)
        check_generator_conditioning("MLPGenerator", conditioning, classes, norm == "batch")
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(ConcatLabel(classes, latent_dim))
            latent_dim *= 2
        norms = batch_norm(nn.BatchNorm1d, conditioning, classes) if norm == "batch" else VECTOR_NORMS[norm]
        layers += _hidden_layers([latent_dim, *hidden], norms)
        layers.append(nn.Linear(hidden[-1], math.prod(sample_shape)))
        if len(sample_shape) == 3:
            layers += [nn.Tanh(), nn.Unflatten(1, tuple(sample_shape))]
        super().__init__(*layers)


class MLPDiscriminator(LabelledSequential):
    """Sample → hidden layers → logit.

    Args:
        sample_shape: ``(C, H, W)`` or ``(D,)``.
        hidden: widths of the hidden layers.
        norm: normalisation of the hidden layers: none, batch or layer.
        attention: add self-attention over the last hidden layer, split into at most 16 tokens, and a second logit.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class.
        classes: number of classes; None for samples without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        hidden: Sequence[int],
        norm: str = "none",
        attention: bool = False,
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        check_widths("MLPDiscriminator.hidden", hidden)
        check_choice("MLPDiscriminator.norm", norm, VECTOR_NORMS)
        check_choice("MLPDiscriminator.attention", attention, (False, True))
        check_discriminator_conditioning("MLPDiscriminator", conditioning, classes, attention)
        layers: list[nn.Module] = [nn.Flatten()]
        features, width = math.prod(sample_shape), hidden[-1]
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            features += concat.width
        layers += _hidden_layers([features, *hidden], VECTOR_NORMS[norm])
        last = head(conditioning, width, classes, lambda: nn.Linear(width, 1))
        if isinstance(last, nn.Linear):
            last = Heads(last, *(_attention(width) if attention else (None, None)))
        super().__init__(*layers, last)


def _attention(width: int) -> tuple[nn.Module, nn.Module]:
    tokens = math.gcd(width, 16)
    if tokens == 1:
        raise ValueError(
            f"MLPDiscriminator.attention: the last hidden width, {width}, is odd and does not split in tokens"
        )
    block = nn.Sequential(nn.Unflatten(1, (width // tokens, tokens)), SelfAttention(width // tokens), nn.Flatten())
    return block, nn.Linear(width, 1)
