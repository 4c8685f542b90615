"""Architectures: a generator and a discriminator in one file each.

A generator is built from ``latent_dim`` and ``sample_shape``, and maps latents ``[B, latent_dim]`` to samples
``[B, *sample_shape]``. A discriminator is built from ``sample_shape``, and maps samples to logits ``[B]``, or
``[B, 2]`` with attention. Either may take labels ``[B]`` as a second argument named ``labels``. ``sample_shape`` is
``(C, H, W)`` for images with pixels in [−1, 1], or ``(D,)`` for points.
"""

from gan_lab.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lab.models.mlp import MLPDiscriminator, MLPGenerator

__all__ = ["DCGANDiscriminator", "DCGANGenerator", "MLPDiscriminator", "MLPGenerator"]
