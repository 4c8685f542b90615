"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958), for square images of 8, 16, 32 … 1024 pixels.

A map of r × r pixels has min(capacity / r, channels) feature maps. The paper's configuration F has a capacity of 32768
and eight layers in the mapping; the networks of Karras et al. 2020 (arXiv 2006.06676) for images of at most 256 pixels
have half the capacity, and two layers unless they are called paper256; those for CIFAR-10 have the full capacity, two
layers, no shortcuts in the discriminator and groups of 32 samples.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import Judgement, check_discriminator_conditioning, takes_labels
from gan_lab.models.layers.activation import ScaledLeakyReLU
from gan_lab.models.layers.equalised import equalise, equalise_all
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.labelled import ConcatLabel, missing_labels
from gan_lab.models.layers.mapping import Mapping
from gan_lab.models.layers.minibatch_deviation import MinibatchDeviation
from gan_lab.models.layers.modulation import StyledColours, StyledConv2d
from gan_lab.models.layers.resampling import Downsample, Smooth, Upsample
from gan_lab.models.layers.shapes import widths_by_side
from gan_lab.validation import check_choice, check_number, check_positive

SHORTCUTS = ("none", "skip", "residual")
_LABEL_LAYERS = 8  # of the mapping in a projection discriminator, as in the authors' code


class _UpBlock(nn.Module):
    """Twice the sides: two styled convolutions, and a shortcut past both if the generator is residual."""

    def __init__(self, style: int, fan_in: int, fan_out: int, side: int, residual: bool) -> None:
        super().__init__()
        self.first = StyledConv2d(style, fan_in, fan_out, side, up=True)
        self.second = StyledConv2d(style, fan_out, fan_out, side)
        shortcut = [equalise(nn.Conv2d(fan_in, fan_out, 1, bias=False)), Upsample()]
        self.shortcut = nn.Sequential(*shortcut) if residual else None

    def forward(self, features: Tensor, first: Tensor, second: Tensor) -> Tensor:
        made = self.second(self.first(features, first), second)
        return made if self.shortcut is None else (made + self.shortcut(features)) * 0.5**0.5


class StyleGAN2Generator(nn.Module):
    """A learned map of 4×4 pixels → styled convolutions that double the side → picture, without tanh.

    Every convolution is steered by a style, which a mapping network makes of the latent; that into a picture shares the
    style of the next size's first.

    Style mixing draws, in training, a second latent for some samples, N(0, 1), whose styles take over from a random
    layer on (Karras et al. 2019, arXiv 1812.04948, §3.1).

    Args:
        latent_dim: size of the latent, 512 in the paper.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        capacity: feature maps of a layer times the side of its maps.
        channels: most feature maps of a layer.
        style: size of a style.
        mapping: layers of the mapping.
        shortcuts: skip (a picture of each size, upsampled and summed: the paper's), residual, or none.
        mixing: probability of style mixing, 0.9 in the paper.
        conditioning: how labels are taken: mapping, in which an embedding lies beside the latent.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        capacity: int = 16384,
        channels: int = 512,
        style: int = 512,
        mapping: int = 2,
        shortcuts: str = "skip",
        mixing: float = 0.9,
        conditioning: str = "mapping",
        classes: int | None = None,
    ) -> None:
        name = "StyleGAN2Generator"
        widths = widths_by_side("stylegan2", name, sample_shape, capacity, channels)
        check_positive(f"{name}.style", style)
        check_positive(f"{name}.mapping", mapping)
        check_choice(f"{name}.shortcuts", shortcuts, SHORTCUTS)
        check_number(f"{name}.mixing", mixing, at_least=0)
        if mixing > 1:
            raise ValueError(f"{name}.mixing={mixing}: expected a number from 0 to 1")
        check_choice(f"{name}.conditioning", conditioning, ("mapping",))
        if classes is not None:
            check_positive(f"{name}.classes", classes)
        super().__init__()
        self.uses_labels = classes is not None
        self.mixing = mixing
        self.layers = 2 * len(widths)
        self.mapping = Mapping(latent_dim, style, mapping, classes)
        self.start = nn.Parameter(torch.randn(widths[4], 4, 4))
        self.first = StyledConv2d(style, widths[4], widths[4], 4)
        self.blocks = nn.ModuleList(
            _UpBlock(style, widths[half], widths[side], side, shortcuts == "residual")
            for half, side in pairwise(widths)
        )
        pictured = list(widths) if shortcuts == "skip" else [sample_shape[1]]
        self.colours = nn.ModuleDict(
            {str(side): StyledColours(style, widths[side], sample_shape[0]) for side in pictured}
        )
        self.upsample = Upsample()

    def styles(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents ``[B, latent_dim]``, and labels ``[B]`` if it takes them → styles ``[B, layers, style]``.

        Raises:
            ValueError: if labels are needed and missing.
        """
        if self.uses_labels and labels is None:
            raise missing_labels(self)
        styles = self.mapping(latents, labels)[:, None].expand(-1, self.layers, -1)
        if not self.training or not self.mixing:
            return styles
        others = self.mapping(torch.randn_like(latents), labels)[:, None]
        at, count = torch.arange(self.layers, device=latents.device), (len(latents), 1)
        start = torch.randint(1, self.layers, count, device=latents.device)
        mixed = torch.rand(count, device=latents.device) < self.mixing
        return torch.where((mixed & (at >= start))[:, :, None], others, styles)

    def synthesis(self, styles: Tensor) -> Tensor:
        """Styles ``[B, layers, style]`` → samples ``[B, C, H, W]``."""
        features = self.first(self.start.expand(styles.shape[0], -1, -1, -1), styles[:, 0])
        picture, side = self._pictured(None, features, styles[:, 1], 4), 4
        for number, block in enumerate(self.blocks):
            first, side = 2 * number + 1, 2 * side
            features = block(features, styles[:, first], styles[:, first + 1])
            picture = self._pictured(picture, features, styles[:, first + 2], side)
        assert picture is not None
        return picture

    def _pictured(self, before: Tensor | None, features: Tensor, style: Tensor, side: int) -> Tensor | None:
        """The picture so far, ``[B, C, side, side]``; None of a size that has none."""
        if str(side) not in self.colours:
            return None
        made: Tensor = self.colours[str(side)](features, style)
        return made if before is None else made + self.upsample(before)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents ``[B, latent_dim]``, and labels ``[B]`` if it takes them → samples ``[B, C, H, W]``."""
        return self.synthesis(self.styles(latents, labels))


class MappedProjection(nn.Module):
    """The inner product of features and of a label's style, by a mapping of its own, over the root of their number.

    Args:
        features: number of features of a sample.
        classes: number of classes.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.mapping = Mapping(0, features, _LABEL_LAYERS, classes)
        self.last = equalise(nn.Linear(features, features))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features ``[B, features]`` and labels ``[B]`` → logits ``[B]``."""
        directions = self.mapping(None, labels)
        return (self.last(features) * directions).sum(1) * features.shape[1] ** -0.5


class _DownBlock(nn.Module):
    """Half the sides: two convolutions, the second behind the low-pass filter, and a shortcut if it is residual."""

    def __init__(self, fan_in: int, fan_out: int, residual: bool) -> None:
        super().__init__()
        self.main = nn.Sequential(
            equalise(nn.Conv2d(fan_in, fan_in, 3, padding=1)),
            ScaledLeakyReLU(),
            Smooth(padding=2),
            equalise(nn.Conv2d(fan_in, fan_out, 3, stride=2)),
            ScaledLeakyReLU(),
        )
        shortcut = [Downsample(), equalise(nn.Conv2d(fan_in, fan_out, 1, bias=False))]
        self.shortcut = nn.Sequential(*shortcut) if residual else None

    def forward(self, features: Tensor) -> Tensor:
        made: Tensor = self.main(features)
        return made if self.shortcut is None else (made + self.shortcut(features)) * 0.5**0.5


class StyleGAN2Discriminator(nn.Module):
    """Picture → convolutions that halve the side → minibatch deviation, convolution, linear layer → logit.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        capacity: as of the generator.
        channels: as of the generator.
        shortcuts: residual (the paper's), skip (the picture is looked at in each size), or none.
        group: samples in a group of the minibatch deviation.
        conditioning: how labels are looked at: none, concat, projection (in a mapping of the label: the authors'),
            auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        capacity: int = 16384,
        channels: int = 512,
        shortcuts: str = "residual",
        group: int = 4,
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        name = "StyleGAN2Discriminator"
        widths = widths_by_side("stylegan2", name, sample_shape, capacity, channels)
        check_choice(f"{name}.shortcuts", shortcuts, SHORTCUTS)
        check_positive(f"{name}.group", group)
        check_discriminator_conditioning(name, conditioning, classes)
        super().__init__()
        sides = list(widths)[::-1]
        self.label = ConcatLabel(classes) if classes is not None and conditioning == "concat" else None
        colours = sample_shape[0] + (0 if self.label is None else self.label.width)
        looked_at = sides if shortcuts == "skip" else sides[:1]
        self.looks = nn.ModuleDict(
            {
                str(side): nn.Sequential(equalise(nn.Conv2d(colours, widths[side], 1)), ScaledLeakyReLU())
                for side in looked_at
            }
        )
        self.blocks = nn.ModuleList(
            _DownBlock(widths[side], widths[half], shortcuts == "residual") for side, half in pairwise(sides)
        )
        last = widths[4]
        self.end = nn.Sequential(
            MinibatchDeviation(group),
            equalise(nn.Conv2d(last + 1, last, 3, padding=1)),
            ScaledLeakyReLU(),
            nn.Flatten(),
            equalise(nn.Linear(16 * last, last)),
            ScaledLeakyReLU(),
        )
        if classes is not None and conditioning == "projection":
            self.head: nn.Module = MappedProjection(last, classes)
        else:
            self.head = equalise_all(head(conditioning, last, classes, lambda: Logit(last)))
        self.head_asks = takes_labels(self.head)
        self.uses_labels = self.head_asks or self.label is not None
        self.downsample = Downsample()

    def features(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples ``[B, C, H, W]`` → the features that the logit is computed from, ``[B, channels]``."""
        picture = samples if self.label is None else self.label(samples, labels)
        side = picture.shape[2]
        features = self.looks[str(side)](picture)
        for block in self.blocks:
            features, side = block(features), side // 2
            if str(side) in self.looks:
                picture = self.downsample(picture)
                features = features + self.looks[str(side)](picture)
        made: Tensor = self.end(features)
        return made

    def forward(self, samples: Tensor, labels: Tensor | None = None) -> Tensor | Judgement:
        """Samples ``[B, C, H, W]``, and labels ``[B]`` if it looks at them → logits ``[B]``, or a Judgement.

        Raises:
            ValueError: if labels are needed and missing.
        """
        if self.uses_labels and labels is None:
            raise missing_labels(self)
        features = self.features(samples, labels)
        judged: Tensor | Judgement = self.head(features, labels) if self.head_asks else self.head(features)
        return judged
