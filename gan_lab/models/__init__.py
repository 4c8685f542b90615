"""Architectures: a generator and a discriminator in one file each.

A generator is built from ``latent_dim`` and ``sample_shape``, and maps latents ``[B, latent_dim]`` to samples
``[B, *sample_shape]``. A discriminator is built from ``sample_shape``, and maps samples to logits ``[B]``, to
``[B, 2]`` with attention, or to a `Judgement` with an auxiliary classifier. Either may take labels ``[B]`` as a second
argument named ``labels``, and is then built from ``classes``, their number. ``sample_shape`` is ``(C, H, W)`` for
images with pixels in [−1, 1], or ``(D,)`` for points; with packing a discriminator is built for packs
(`gan_lab.models.packing`).
"""

from gan_lab.models.conditions import Judgement
from gan_lab.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lab.models.infogan import InfoGANDiscriminator, InfoGANGenerator
from gan_lab.models.mlp import MLPDiscriminator, MLPGenerator
from gan_lab.models.pacgan_dcgan import PacGANDCGANDiscriminator, PacGANDCGANGenerator
from gan_lab.models.pacgan_mlp import PacGANMLPDiscriminator, PacGANMLPGenerator
from gan_lab.models.sngan_cnn import SNGANDiscriminator, SNGANGenerator
from gan_lab.models.sngan_resnet import SNGANResNetDiscriminator, SNGANResNetGenerator

__all__ = [
    "DCGANDiscriminator",
    "DCGANGenerator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "Judgement",
    "MLPDiscriminator",
    "MLPGenerator",
    "PacGANDCGANDiscriminator",
    "PacGANDCGANGenerator",
    "PacGANMLPDiscriminator",
    "PacGANMLPGenerator",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "SNGANResNetDiscriminator",
    "SNGANResNetGenerator",
]
