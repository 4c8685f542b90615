"""The four networks of CycleGAN (Zhu et al. 2017, arXiv 1703.10593), those of a player in one module.

Sources and samples are two sets of images. There is a translator into each of them, and a discriminator of each.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from gan_lab.models.layers.pairs import check_pair
from gan_lab.models.patchgan import PatchGANDiscriminator
from gan_lab.models.resnet_translator import ResNetTranslator

_SMALL = 64  # pixels a side, below which small networks suffice, which train in a fraction of the time


class CycleGANGenerators(nn.Module):
    """Two residual translators, of sources into samples and back.

    Args:
        sample_shape: ``(C, H, W)``, sides as of `ResNetTranslator`.
        source_shape: ``(C', H, W)``, of the same sides.
        channels: of each translator, as of `ResNetTranslator`; None for the paper's 64 if the longer side has 64 pixels
            or more, otherwise 16.
        blocks: of each translator; None for those of `ResNetTranslator` from 64 pixels on, otherwise 2.

    Attributes:
        to_sample: sources → samples; forward is its translation.
        to_source: samples → sources.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        source_shape: Sequence[int],
        channels: int | None = None,
        blocks: int | None = None,
    ) -> None:
        check_pair("cyclegan", sample_shape, source_shape)
        small = max(sample_shape[1:]) < _SMALL
        if channels is None:
            channels = 16 if small else 64
        if blocks is None and small:
            blocks = 2
        super().__init__()
        self.to_sample = ResNetTranslator(sample_shape, source_shape, channels, blocks)
        self.to_source = ResNetTranslator(source_shape, sample_shape, channels, blocks)

    def forward(self, latents: Tensor | None, source: Tensor) -> Tensor:
        """Sources ``[B, C', H, W]`` → samples ``[B, C, H, W]``; the latents are ignored."""
        return self.to_sample(latents, source)


class Reverse(nn.Module):
    """The translator of samples into sources.

    Args:
        generators: those of both directions, with a module ``to_source``.
    """

    def __init__(self, generators: nn.Module) -> None:
        super().__init__()
        self.to_source = generators.get_submodule("to_source")
        self.training = generators.training

    def forward(self, latents: Tensor | None, source: Tensor) -> Tensor:
        """Samples, here the images to translate, ``[B, C, H, W]`` → sources ``[B, C', H, W]``."""
        made: Tensor = self.to_source(latents, source)
        return made


class CycleGANDiscriminators(nn.Module):
    """Two PatchGANs, of samples and of sources; neither sees what an image was translated from.

    Args:
        sample_shape: ``(C, H, W)``, H and W at least 8.
        source_shape: ``(C', H, W)``, of the same sides.
        channels: of each discriminator, as of `PatchGANDiscriminator`; None for the paper's 64 if the longer side has
            64 pixels or more, otherwise 32.
        norm: of each discriminator: instance (as in the paper), none, batch or layer.

    Attributes:
        of_sample: judges samples, and is what forward asks.
        of_source: judges sources.
        uses_source: False.
    """

    uses_source = False

    def __init__(
        self,
        sample_shape: Sequence[int],
        source_shape: Sequence[int],
        channels: int | None = None,
        norm: str = "instance",
    ) -> None:
        check_pair("cyclegan", sample_shape, source_shape)
        if channels is None:
            channels = 32 if max(sample_shape[1:]) < _SMALL else 64
        super().__init__()
        self.of_sample = PatchGANDiscriminator(sample_shape, channels=channels, norm=norm)
        self.of_source = PatchGANDiscriminator(source_shape, channels=channels, norm=norm)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples ``[B, C, H, W]`` → logits ``[B, 1, H', W']``."""
        return self.of_sample(samples)
