"""DCGAN: transposed convolutions up, strided convolutions down (Radford et al. 2015, arXiv 1511.06434).

The depth follows from the longer side of the image. Every block doubles or halves the sides, between the image's and a
base of 4 to 7 pixels (16 → 4, 28 → 7, 32 → 4, 64 → 4); there are at least two blocks (8 → 2). The shorter side must be
halved as often to a whole number of pixels.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from gan_lab.models.conditions import check_discriminator_conditioning, check_generator_conditioning
from gan_lab.models.layers.attention import Heads, SelfAttention
from gan_lab.models.layers.heads import Projection, head
from gan_lab.models.layers.labelled import ConcatLabel, LabelledSequential
from gan_lab.models.layers.normalisation import MAP_NORMS, batch_norm
from gan_lab.models.layers.shapes import ANY_SIZE
from gan_lab.validation import check_choice, check_positive


def _blocks(sample_shape: Sequence[int]) -> int:
    """The number of blocks: how often the sides of the image are halved."""
    if len(sample_shape) != 3:
        raise ValueError(
            f"dcgan draws images of shape [C, H, W], not samples of shape {list(sample_shape)}: use model=mlp"
        )
    _, height, width = sample_shape
    longer, blocks = max(height, width), 2
    while longer >> blocks > 7:
        blocks += 1
    if height % (1 << blocks) or width % (1 << blocks) or longer < 8:
        raise ValueError(
            f"dcgan cannot draw images of {height}x{width} pixels: expected sides that, halved twice or more until "
            f"the longer one has at most 7 pixels, are whole numbers, such as 28x28, 32x32 or 64x32; {ANY_SIZE}"
        )
    return blocks


def _initialise(network: nn.Module) -> None:
    """Draw weights from N(0, 0.02) and normalisation gains from N(1, 0.02), set biases to 0 (the paper's §4)."""
    for module in network.modules():
        if isinstance(module, Projection):
            nn.init.normal_(module.embedding.weight, 0.0, 0.02)
            continue
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.InstanceNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class DCGANGenerator(LabelledSequential):
    """Latent → base image → transposed convolutions with BatchNorm and ReLU → tanh.

    Args:
        latent_dim: size of the latent.
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the last hidden layer; each layer before it has twice as many.
        conditioning: how labels are taken: concat appends an embedding to the latent, batch_norm makes BatchNorm
            conditional.
        classes: number of classes; None for a generator without labels.
    """

    def __init__(
        self,
        latent_dim: int,
        sample_shape: Sequence[int],
        channels: int,
        conditioning: str = "batch_norm",
        classes: int | None = None,
    ) -> None:
        check_positive("DCGANGenerator.channels", channels)
        check_generator_conditioning("DCGANGenerator", conditioning, classes, has_batchnorm=True)
        blocks = _blocks(sample_shape)
        colours, base = sample_shape[0], (sample_shape[1] >> blocks, sample_shape[2] >> blocks)
        widths = [channels << blocks - 1 - i for i in range(blocks)]
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(ConcatLabel(classes, latent_dim))
            latent_dim *= 2
        layers += [
            nn.Unflatten(1, (latent_dim, 1, 1)),
            nn.ConvTranspose2d(latent_dim, widths[0], base, bias=False),
        ]
        norm = batch_norm(nn.BatchNorm2d, conditioning, classes)
        for fan_in, fan_out in zip(widths, [*widths[1:], colours], strict=True):
            layers += [norm(fan_in), nn.ReLU()]
            layers.append(nn.ConvTranspose2d(fan_in, fan_out, 4, stride=2, padding=1, bias=False))
        layers[-1] = nn.ConvTranspose2d(widths[-1], colours, 4, stride=2, padding=1)  # with bias, as no norm follows
        super().__init__(*layers, nn.Tanh())
        _initialise(self)


class DCGANDiscriminator(LabelledSequential):
    """Image → strided convolutions with LeakyReLU → logit.

    The paper normalises every block but the first with BatchNorm (``norm=batch``). Each logit then depends on the
    whole batch, and per-sample gradient penalties are undefined; the configuration's default is therefore ``layer``.

    Args:
        sample_shape: ``(C, H, W)``; see the module for the sides allowed.
        channels: feature maps of the first block; each block after it has twice as many.
        norm: normalisation after every block but the first: none, batch, layer or instance.
        attention: add self-attention over the positions of the last feature map, and a second logit.
        conditioning: how labels are looked at: none, concat, projection, auxiliary or per_class.
        classes: number of classes; None for images without labels.
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        channels: int,
        norm: str = "none",
        attention: bool = False,
        conditioning: str = "none",
        classes: int | None = None,
    ) -> None:
        check_positive("DCGANDiscriminator.channels", channels)
        check_choice("DCGANDiscriminator.norm", norm, MAP_NORMS)
        check_choice("DCGANDiscriminator.attention", attention, (False, True))
        check_discriminator_conditioning("DCGANDiscriminator", conditioning, classes, attention)
        blocks = _blocks(sample_shape)
        height, width = (side >> blocks for side in sample_shape[1:])
        widths = [sample_shape[0], *(channels << i for i in range(blocks))]
        layers: list[nn.Module] = []
        if classes is not None and conditioning == "concat":
            layers.append(concat := ConcatLabel(classes))
            widths[0] += concat.width
        for i, (fan_in, fan_out) in enumerate(pairwise(widths)):
            block_norm = norm if i else "none"
            layers.append(nn.Conv2d(fan_in, fan_out, 4, stride=2, padding=1, bias=block_norm == "none"))
            layers += [MAP_NORMS[block_norm](fan_out), nn.LeakyReLU(0.2)]
        features = widths[-1] * height * width

        def logit() -> nn.Conv2d:
            return nn.Conv2d(widths[-1], 1, (height, width))

        last = head(conditioning, features, classes, logit)
        super().__init__(*layers, last)
        _initialise(self)  # before attention is added, so that the other weights are the same with and without it
        if isinstance(last, nn.Conv2d):
            self[-1] = _with_attention(last, logit()) if attention else Heads(last, None, None)


def _with_attention(first: nn.Conv2d, second: nn.Conv2d) -> Heads:
    block = SelfAttention(first.in_channels)
    for added in (block, second):
        _initialise(added)
    return Heads(first, block, second)
