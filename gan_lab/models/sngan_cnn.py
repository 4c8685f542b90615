"""The "standard CNN" of SN-GAN (Miyato et al. 2018, arXiv 1802.05957, table 3), for sides that are multiples of 8."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.conditions import check_discriminator_conditioning, check_generator_conditioning
from gan_lab.models.layers.heads import Logit, head
from gan_lab.models.layers.initialisation import draw_normal
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.normalisation import MAP_NORMS, batch_norm, check_map_norm
from gan_lab.models.layers.shapes import check_sides
from gan_lab.validation import check_positive


class SNGANGenerator(LabelledSequential):
    """Latent → linear layer → three transposed convolutions with BatchNorm and ReLU → convolution → tanh.

    Args:
        latent_dim: size of the latent.
        sample_shape: ``(C, H, W)``, H and W multiples of 8.
        channels: feature maps of the last hidden layer, 64 in the paper; each layer before it has twice as many.
        conditioning: how labels are taken: concat appends an embedding to the latent, batch_norm makes BatchNorm
            conditional.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        channels: int = 64,
        conditioning: str = "batch_norm",
        classes: int | None = None,
    ) -> None:
        check_positive("SNGANGenerator.channels", channels)
        check_sides("sngan_cnn", sample_shape, 8)
        check_generator_conditioning("SNGANGenerator", conditioning, classes, has_batchnorm=True)
        colours, height, width = sample_shape
        base = (8 * channels, height // 8, width // 8)
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(ConcatLabel(classes, latent_dim))
            latent_dim *= 2
        norm = batch_norm(nn.BatchNorm2d, conditioning, classes)
        layers += [nn.Linear(latent_dim, base[0] * base[1] * base[2]), nn.Unflatten(1, base), norm(base[0]), nn.ReLU()]
        for fan_in, fan_out in pairwise((8 * channels, 4 * channels, 2 * channels, channels)):
            layers += [nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1), norm(fan_out), nn.ReLU()]
        super().__init__(*layers, nn.Conv2d(channels, colours, 3, padding=1), nn.Tanh())
        draw_normal(self)


class SNGANDiscriminator(LabelledSequential):
    """Image → seven convolutions with LeakyReLU, three of them strided → logit. ``loss=sngan`` adds spectral norm.

    Args:
        sample_shape: ``(C, H, W)``, H and W multiples of 8.
        channels: feature maps of the first layer, 64 in the paper; the last have eight times as many.
        norm: normalisation after every convolution but the first: none (as in the paper), batch, layer or instance,
            which images of 8x8 pixels exclude.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channels: int = 64,
        norm: str = "none",
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        check_positive("SNGANDiscriminator.channels", channels)
        check_sides("sngan_cnn", sample_shape, 8)
        smallest = (sample_shape[1] // 8, sample_shape[2] // 8)
        check_map_norm("SNGANDiscriminator.norm", norm, smallest, sample_shape)
        check_discriminator_conditioning("SNGANDiscriminator", conditioning, classes)
        fan_in = sample_shape[0]
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            fan_in += concat.width
        # convolutions of 3x3 pixels keep the side, those of 4x4 halve it
        for i, (kernel, factor) in enumerate(((3, 1), (4, 2), (3, 2), (4, 4), (3, 4), (4, 8), (3, 8))):
            layers.append(nn.Conv2d(fan_in, factor * channels, kernel, stride=kernel - 2, padding=1))
            layers += [MAP_NORMS[norm if i else "none"](factor * channels), nn.LeakyReLU(0.1)]
            fan_in = factor * channels
        features = fan_in * smallest[0] * smallest[1]
        super().__init__(*layers, head(conditioning, features, classes, lambda: Logit(features)))
        draw_normal(self)
