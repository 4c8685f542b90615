"""Independent streams of random numbers from one seed, so that no part of a run shifts the numbers of another."""

import hashlib


def derive(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose of a run, the same on every machine.

    Purposes: ``batches`` and ``generator_batches`` (the order of the real samples in the updates of either player;
    with ``/source`` after it, that of the images to translate where they belong to no sample; with ``/flip`` or
    ``/dequantise`` after it, what is done to them), ``noise`` (the latents of training), ``evaluation``,
    ``validation``, ``samples``, ``interpolations``, ``statistics``, ``truncation`` and ``usefulness`` (the fixed
    latents of metrics, of what selects, of pictures, of BatchNorm's statistics of a moving average, of a mean style,
    and of what a classifier learns from; ``evaluation/<draw>`` other latents of metrics; ``statistics/labels`` the
    classes of BatchNorm's), ``subset`` and ``sources/subset`` (which samples are trained on). Runs that differ in
    their loss alone thus share them.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little") >> 1
