"""Learning-rate schedules: a factor on the base rate as a function of the iterations done."""

import math
from collections.abc import Callable
from dataclasses import dataclass

_DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}
DECAYS = tuple(_DECAYS)


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up from near zero to 1, then a decay that reaches 0 when training ends.

    Args:
        decay: constant, linear or cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts).
        warmup: iterations of warm-up; iteration i of it runs at (i + 1) / (warmup + 1) of the rate.
        iterations: length of training.
    """

    decay: str
    warmup: int
    iterations: int

    def __call__(self, iteration: int) -> float:
        if iteration < self.warmup:
            return (iteration + 1) / (self.warmup + 1)
        progress = (iteration - self.warmup) / max(self.iterations - self.warmup, 1)
        return _DECAYS[self.decay](min(progress, 1.0))


@dataclass(frozen=True)
class Decay:
    """The decay of a moving average in an update, as a function of the updates made.

    Either constant, or by a half-life H in samples: 0.5 ** (batch / H), with H at most ``ramp`` times the samples seen.

    Args:
        constant: the decay itself; None if it follows from a half-life.
        half_life: in thousand samples.
        ramp: share of the samples seen so far that the half-life may be; None for any.
        batch: real samples in an update.

    References:
        Karras et al. 2020, Training Generative Adversarial Networks with Limited Data (arXiv 2006.06676), whose code
        averages so (``ema_kimg``, ``ema_rampup``).
    """

    constant: float | None
    half_life: float | None
    ramp: float | None
    batch: int

    def __call__(self, updates: int) -> float:
        if self.constant is not None:
            return self.constant
        assert self.half_life is not None
        half_life = 1000 * self.half_life
        if self.ramp is not None:
            half_life = min(half_life, self.ramp * updates * self.batch)
        return 0.5 ** (self.batch / half_life)
