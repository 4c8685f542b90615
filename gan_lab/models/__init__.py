"""Architectures: one file each, a generator and a discriminator.

A generator is built from ``latent_dim`` and ``sample_shape`` and maps ``[B, latent_dim]`` to ``[B, *sample_shape]``;
a discriminator is built from ``sample_shape`` and maps ``[B, *sample_shape]`` to logits ``[B]``, with attention to
``[B, 2]``. ``sample_shape`` is
``(C, H, W)`` for images, pixels in [−1, 1], or ``(D,)`` for points.
"""

from gan_lab.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lab.models.mlp import MLPDiscriminator, MLPGenerator

__all__ = ["DCGANDiscriminator", "DCGANGenerator", "MLPDiscriminator", "MLPGenerator"]
