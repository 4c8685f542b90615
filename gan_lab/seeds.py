"""Independent streams of randomness from one seed, so that no part of a run shifts another's."""

import hashlib


def derive(seed: int, purpose: str) -> int:
    """A 63-bit seed that is a function of the run's seed and of what it is for, on every machine the same.

    The purposes: ``batches`` (order of the real samples), ``noise`` (training's latents), ``evaluation`` and
    ``samples`` (the fixed latents). Two runs that differ in loss alone thus share all of them.
    """
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little") >> 1
