"""The residual networks without normalisation with which Mescheder, Geiger and Nowozin 2018 (arXiv 1801.04406) try R1.

As in the authors' code GAN_stability. Sides double from a map whose longer side has 4 to 7 pixels.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import check_discriminator_conditioning
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.shapes import doublings
from gan_lab.validation import check_positive

_SLOPE = 0.2
_SHARE = 0.1  # of the branch in a block's sum


class _Block(nn.Module):
    """shortcut(x) + 0.1 · branch(x), ``[B, fan_in, H, W]`` → ``[B, fan_out, H, W]``; nothing is normalised."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        hidden = min(fan_in, fan_out)
        self.branch = nn.Sequential(
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(fan_in, hidden, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(hidden, fan_out, 3, padding=1),
        )
        self.shortcut = nn.Identity() if fan_in == fan_out else nn.Conv2d(fan_in, fan_out, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        shortcut: Tensor = self.shortcut(features)
        return shortcut + _SHARE * self.branch(features)


class _UnitLabel(ConcatLabel):
    """Appends an embedding of the label, divided by its norm, to the latent."""

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        embedded = self.embedding(labels)
        unit = embedded / torch.linalg.vector_norm(embedded, dim=1, keepdim=True)
        return torch.cat([samples, unit.to(samples.dtype)], 1)


def _widths(channels: int, largest: int, times: int) -> list[int]:
    """Channels from the map of the image's size to the smallest."""
    return [min(channels << time, largest) for time in range(times + 1)]


class MeschederResNetGenerator(LabelledSequential):
    """Latent → linear layer → residual blocks, each with the sides doubled after it → convolution → tanh.

    Weights are drawn as PyTorch draws them.

    Args:
        latent_dim: size of the latent, 256 in the authors' code.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the image's size, doubled in each smaller map.
        largest: no map has more feature maps.
        embedding: size of the label's embedding, which stands beside the latent.
        classes: number of classes; None for a generator without labels, which has no embedding.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        channels: int = 64,
        largest: int = 512,
        embedding: int = 256,
        classes: int | None = None,
    ) -> None:
        for name, value in (("channels", channels), ("largest", largest), ("embedding", embedding)):
            check_positive(f"MeschederResNetGenerator.{name}", value)
        times = doublings("mescheder_resnet", sample_shape)
        colours, height, width = sample_shape
        widths = _widths(channels, largest, times)[::-1]
        base = (widths[0], height >> times, width >> times)
        layers: list[nn.Module] = []
        if classes is not None:
            check_positive("MeschederResNetGenerator.classes", classes)
            layers.append(_UnitLabel(classes, embedding))
            latent_dim += embedding
        layers += [nn.Linear(latent_dim, base[0] * base[1] * base[2]), nn.Unflatten(1, base)]
        for ends in pairwise(widths):
            layers += [_Block(*ends), nn.Upsample(scale_factor=2)]
        last = nn.Conv2d(widths[-1], colours, 3, padding=1)
        super().__init__(*layers, _Block(widths[-1], widths[-1]), nn.LeakyReLU(_SLOPE), last, nn.Tanh())


class MeschederResNetDiscriminator(LabelledSequential):
    """Image → convolution → residual blocks, with the sides halved between them → logit.

    Weights are drawn as PyTorch draws them.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the image's size, doubled in each smaller map.
        largest: no map has more feature maps.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class (as in the paper).
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channels: int = 64,
        largest: int = 1024,
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        for name, value in (("channels", channels), ("largest", largest)):
            check_positive(f"MeschederResNetDiscriminator.{name}", value)
        check_discriminator_conditioning("MeschederResNetDiscriminator", conditioning, classes)
        times = doublings("mescheder_resnet", sample_shape)
        colours, height, width = sample_shape
        widths = _widths(channels, largest, times)
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            colours += concat.width
        layers += [nn.Conv2d(colours, widths[0], 3, padding=1), _Block(widths[0], widths[0])]
        for ends in pairwise(widths):
            layers += [nn.AvgPool2d(3, 2, 1), _Block(*ends)]
        features = widths[-1] * (height >> times) * (width >> times)
        last = head(conditioning, features, classes, lambda: Logit(features))
        super().__init__(*layers, nn.LeakyReLU(_SLOPE), nn.Flatten(), last)
