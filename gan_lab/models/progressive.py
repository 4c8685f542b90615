"""Progressive growing of GANs (Karras et al. 2018, arXiv 1710.10196), for square images of 8, 16, 32 … 1024 pixels.

Both networks begin with 4×4 pixels and double them, one size after the other; ``algorithm=progressive`` tells them how
far they are. They take and give pictures of the full size all the same: the generator repeats the pixels of a small
picture, and the discriminator averages them. So data, recipes and evaluation need not know.

A map of r × r pixels has min(capacity / r, channels) feature maps.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan_lab.errors import ConfigError
from gan_lab.models.conditions import Judgement, check_discriminator_conditioning, takes_labels
from gan_lab.models.layers.equalised import equalise, equalise_all
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.labelled import ConcatLabel, missing_labels
from gan_lab.models.layers.minibatch_deviation import MinibatchDeviation
from gan_lab.models.layers.normalisation import PixelNorm
from gan_lab.models.layers.shapes import widths_by_side
from gan_lab.validation import check_choice, check_positive

_HE = 2**0.5  # gain of the weights before a rectifier


def repeated(pictures: Tensor, side: int) -> Tensor:
    """Pictures ``[B, C, side', side']`` with their pixels repeated, ``[B, C, side, side]``."""
    return pictures if pictures.shape[2] == side else interpolate(pictures, (side, side))


def averaged(pictures: Tensor, side: int) -> Tensor:
    """Pictures ``[B, C, side', side']`` with squares of pixels averaged, ``[B, C, side, side]``."""
    return pictures if pictures.shape[2] == side else avg_pool2d(pictures, pictures.shape[2] // side)


def faded(pictures: Tensor, side: int, alpha: Tensor) -> Tensor:
    """Pictures of the full size, as sharp as they are in a phase: between half of ``side`` and ``side``.

    Args:
        pictures: ``[B, C, H, W]``.
        side: of the phase.
        alpha: how far the size has faded in, a scalar from 0 to 1.
    """
    small = averaged(pictures, side)
    blended = torch.lerp(repeated(averaged(small, side // 2), side), small, alpha)
    return repeated(blended, pictures.shape[2])


class Growing(nn.Module):
    """A network that knows how far training is: its size, and how far that has faded in.

    Attributes:
        side: of its picture, a buffer; 4 at first.
        alpha: share of the newest size in it, a buffer; 1 at first.
        full_side: of the images.
    """

    side: Tensor
    alpha: Tensor
    uses_labels: bool

    def __init__(self, full_side: int) -> None:
        super().__init__()
        self.full_side = full_side
        self.register_buffer("side", torch.tensor(4))
        self.register_buffer("alpha", torch.ones(()))
        self.now, self.fades = 4, False  # the same, for Python: what is computed depends on it
        self.register_load_state_dict_post_hook(lambda network, keys: network._follow())

    def grow(self, side: int, alpha: float) -> None:
        """Have a size, 4, 8 … full_side, and its share in the picture, from 0 to 1."""
        self.side.fill_(side)
        self.alpha.fill_(alpha)
        self.now, self.fades = side, side > 4 and alpha < 1  # as `_follow` does, which would wait for the device

    def _follow(self) -> None:
        """Read the buffers. Raise ConfigError for a size that a file gave and the network does not have."""
        side = int(self.side)
        if side & (side - 1) or not 4 <= side <= self.full_side:
            raise ConfigError(f"{type(self).__name__}.side={side}: expected 4, 8, 16 ... {self.full_side}")
        self.now, self.fades = side, side > 4 and float(self.alpha) < 1

    def _checked(self, labels: Tensor | None) -> None:
        if self.uses_labels and labels is None:
            raise missing_labels(self)


def _convolution(fan_in: int, fan_out: int, size: int = 3, gain: float = _HE) -> nn.Conv2d:
    return equalise(nn.Conv2d(fan_in, fan_out, size, padding=size // 2), gain)


class ProgressiveGenerator(Growing):
    """Latent of unit mean square → 4×4 pixels → per size nearest upsampling and two convolutions → picture, no tanh.

    Every convolution has LeakyReLU and pixel norm behind it. While a size fades in, the picture is a mixture of the
    size before, its pixels repeated, and of the new one.

    Args:
        latent_dim: size of the latent, 512 in the paper.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        capacity: feature maps of a layer times the side of its maps, 16384 in the paper.
        channels: most feature maps of a layer, 512 in the paper.
        conditioning: how labels are taken: concat, an embedding beside the latent.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        capacity: int = 16384,
        channels: int = 512,
        conditioning: str = "concat",
        classes: int | None = None,
    ) -> None:
        name = "ProgressiveGenerator"
        widths = widths_by_side("progressive", name, sample_shape, capacity, channels)
        check_choice(f"{name}.conditioning", conditioning, ("concat",))
        if classes is not None:
            check_positive(f"{name}.classes", classes)
        super().__init__(sample_shape[1])
        self.uses_labels = classes is not None
        self.label = None if classes is None else ConcatLabel(classes)
        fan_in = latent_dim + (0 if self.label is None else self.label.width)
        self.normalise = PixelNorm()
        self.dense = equalise(nn.Linear(fan_in, 16 * widths[4], bias=False), _HE / 4)
        self.bias = nn.Parameter(torch.zeros(widths[4], 1, 1))
        self.first = nn.Sequential(nn.LeakyReLU(0.2), PixelNorm(), *self._layer(widths[4], widths[4]))
        self.blocks = nn.ModuleDict(
            {
                str(side): nn.Sequential(
                    nn.Upsample(scale_factor=2),
                    *self._layer(widths[half], widths[side]),
                    *self._layer(widths[side], widths[side]),
                )
                for half, side in pairwise(widths)
            }
        )
        self.colours = nn.ModuleDict(
            {str(side): _convolution(width, sample_shape[0], size=1, gain=1.0) for side, width in widths.items()}
        )

    @staticmethod
    def _layer(fan_in: int, fan_out: int) -> list[nn.Module]:
        return [_convolution(fan_in, fan_out), nn.LeakyReLU(0.2), PixelNorm()]

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents ``[B, latent_dim]``, and labels ``[B]`` if it takes them → samples ``[B, C, H, W]``."""
        self._checked(labels)
        inputs = self.normalise(latents if self.label is None else self.label(latents, labels))
        features = before = self.first(self.dense(inputs).unflatten(1, (-1, 4, 4)) + self.bias)
        for side, block in self.blocks.items():
            if int(side) <= self.now:
                before, features = features, block(features)
        picture: Tensor = self.colours[str(self.now)](features)
        if self.fades:
            older = repeated(self.colours[str(self.now // 2)](before), self.now)
            picture = torch.lerp(older, picture, self.alpha.to(picture.dtype))
        return repeated(picture, self.full_side)


class ProgressiveDiscriminator(Growing):
    """Picture, averaged down → per size two convolutions and pooling → minibatch deviation, dense layers → logit.

    While a size fades in, its features are mixed with those of the picture averaged down once more.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        capacity: as of the generator.
        channels: as of the generator.
        group: samples in a group of the minibatch deviation.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        capacity: int = 16384,
        channels: int = 512,
        group: int = 4,
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        name = "ProgressiveDiscriminator"
        widths = widths_by_side("progressive", name, sample_shape, capacity, channels)
        check_positive(f"{name}.group", group)
        check_discriminator_conditioning(name, conditioning, classes)
        super().__init__(sample_shape[1])
        self.label = ConcatLabel(classes) if classes is not None and conditioning == "concat" else None
        colours = sample_shape[0] + (0 if self.label is None else self.label.width)
        self.looks = nn.ModuleDict(
            {
                str(side): nn.Sequential(_convolution(colours, width, size=1), nn.LeakyReLU(0.2))
                for side, width in widths.items()
            }
        )
        self.blocks = nn.ModuleDict(
            {
                str(side): nn.Sequential(
                    *self._layer(widths[side], widths[side]), *self._layer(widths[side], widths[half]), nn.AvgPool2d(2)
                )
                for side, half in pairwise(reversed(widths))
            }
        )
        last = widths[4]
        self.end = nn.Sequential(
            MinibatchDeviation(group),
            *self._layer(last + 1, last),
            nn.Flatten(),
            equalise(nn.Linear(16 * last, last), _HE),
            nn.LeakyReLU(0.2),
        )
        self.head = equalise_all(head(conditioning, last, classes, lambda: Logit(last)))
        self.head_asks = takes_labels(self.head)
        self.uses_labels = self.head_asks or self.label is not None

    @staticmethod
    def _layer(fan_in: int, fan_out: int) -> list[nn.Module]:
        return [_convolution(fan_in, fan_out), nn.LeakyReLU(0.2)]

    def features(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples ``[B, C, H, W]`` → the features that the logit is computed from, ``[B, channels]``."""
        picture = averaged(samples, self.now)
        picture = picture if self.label is None else self.label(picture, labels)
        features: Tensor = self.looks[str(self.now)](picture)
        for side, block in self.blocks.items():
            if int(side) > self.now:
                continue
            features = block(features)
            if self.fades and int(side) == self.now:
                older = self.looks[str(self.now // 2)](averaged(picture, self.now // 2))
                features = torch.lerp(older, features, self.alpha.to(features.dtype))
        made: Tensor = self.end(features)
        return made

    def forward(self, samples: Tensor, labels: Tensor | None = None) -> Tensor | Judgement:
        """Samples ``[B, C, H, W]``, and labels ``[B]`` if it looks at them → logits ``[B]``, or a Judgement."""
        self._checked(labels)
        features = self.features(samples, labels)
        judged: Tensor | Judgement = self.head(features, labels) if self.head_asks else self.head(features)
        return judged
