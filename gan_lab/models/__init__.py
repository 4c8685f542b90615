"""Architectures: a generator and a discriminator in one file each.

A generator is built from ``latent_dim`` and ``sample_shape``, and maps latents ``[B, latent_dim]`` to samples
``[B, *sample_shape]``. A discriminator is built from ``sample_shape``, and maps samples to logits ``[B]``, to
``[B, 2]`` with attention, to a map of logits ``[B, 1, H, W]``, or to a `Judgement` with an auxiliary classifier. Either
may take labels ``[B]`` as a second argument named ``labels``, and is then built from ``classes``, their number.
``sample_shape`` is ``(C, H, W)`` for images with pixels in [−1, 1], or ``(D,)`` for points; with packing a
discriminator is built for packs (`gan_lab.models.packing`).

A translator is a generator that is also given a source image: it is built from ``sample_shape`` and ``source_shape``,
and maps latents and sources to samples. Its discriminator may be given the source beside the sample (``uses_source``).
"""

from gan_lab.models.biggan import BigGANDiscriminator, BigGANGenerator
from gan_lab.models.conditions import Judgement
from gan_lab.models.cyclegan import CycleGANDiscriminators, CycleGANGenerators
from gan_lab.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lab.models.infogan import InfoGANDiscriminator, InfoGANGenerator
from gan_lab.models.mescheder_resnet import MeschederResNetDiscriminator, MeschederResNetGenerator
from gan_lab.models.mlp import MLPDiscriminator, MLPGenerator
from gan_lab.models.pacgan_dcgan import PacGANDCGANDiscriminator, PacGANDCGANGenerator
from gan_lab.models.pacgan_mlp import PacGANMLPDiscriminator, PacGANMLPGenerator
from gan_lab.models.patchgan import PatchGANDiscriminator
from gan_lab.models.progressive import ProgressiveDiscriminator, ProgressiveGenerator
from gan_lab.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_lab.models.resnet_translator import ResNetTranslator
from gan_lab.models.sngan_cnn import SNGANDiscriminator, SNGANGenerator
from gan_lab.models.sngan_resnet import SNGANResNetDiscriminator, SNGANResNetGenerator
from gan_lab.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from gan_lab.models.unet import UNetGenerator
from gan_lab.models.vae_gan import VAEGANDiscriminator, VAEGANEncoder, VAEGANGenerator

__all__ = [
    "BigGANDiscriminator",
    "BigGANGenerator",
    "CycleGANDiscriminators",
    "CycleGANGenerators",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "Judgement",
    "MLPDiscriminator",
    "MLPGenerator",
    "MeschederResNetDiscriminator",
    "MeschederResNetGenerator",
    "PacGANDCGANDiscriminator",
    "PacGANDCGANGenerator",
    "PacGANMLPDiscriminator",
    "PacGANMLPGenerator",
    "PatchGANDiscriminator",
    "ProgressiveDiscriminator",
    "ProgressiveGenerator",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "ResNetTranslator",
    "SNGANDiscriminator",
    "SNGANGenerator",
    "SNGANResNetDiscriminator",
    "SNGANResNetGenerator",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "UNetGenerator",
    "VAEGANDiscriminator",
    "VAEGANEncoder",
    "VAEGANGenerator",
]
