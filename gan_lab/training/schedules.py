"""What moves while a run trains: learning rates, Adam's second decay rate, the decay of a moving average."""

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
    """A factor on a learning rate: a linear warm-up from near zero to 1, a while at 1, a decay that ends at ``final``.

    Args:
        decay: constant, linear or cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts).
        warmup: iterations of warm-up; iteration i of it runs at (i + 1) / (warmup + 1) of the rate.
        iterations: when the decay ends; from then on the factor stays.
        final: the factor then; a constant one stays 1.
        hold: iterations after the warm-up until the decay begins.
    """

    decay: str
    warmup: int
    iterations: int
    final: float = 0.0
    hold: int = 0

    def __call__(self, iteration: int) -> float:
        if iteration < self.warmup:
            return (iteration + 1) / (self.warmup + 1)
        left = self._left(iteration)
        return left if self.final == 0 else self.final + (1.0 - self.final) * left

    def between(self, first: float, last: float, iteration: int) -> float:
        """A value that moves from ``first`` to ``last`` as the factor decays; before that it is ``first``."""
        return last + (first - last) * self._left(iteration)

    def _left(self, iteration: int) -> float:
        """How much of the decay is still to come, from 1 to 0."""
        begin = self.warmup + self.hold
        progress = (iteration - begin) / max(self.iterations - begin, 1)
        return _DECAYS[self.decay](min(max(progress, 0.0), 1.0))


@dataclass(frozen=True)
class Decay:
    """The decay of a moving average in an update, as a function of the updates made.

    Either constant, or by a half-life H in samples: 0.5 ** (batch / H), with H at most ``ramp`` times the samples seen,
    or rising from 0 along half a cosine.

    Args:
        constant: the decay itself; None if it follows from a half-life.
        half_life: in thousand samples.
        ramp: share of the samples seen so far that the half-life may be; None for any.
        batch: real samples in an update.
        rise: thousand samples over which the half-life rises; None for a half-life that does not.

    References:
        Karras et al. 2020, Training Generative Adversarial Networks with Limited Data (arXiv 2006.06676), whose code
        averages so (``ema_kimg``, ``ema_rampup``). The rise is that of Huang et al. 2024 (R3GAN, arXiv 2501.05441).
    """

    constant: float | None
    half_life: float | None
    ramp: float | None
    batch: int
    rise: float | None = None

    def __call__(self, updates: int) -> float:
        if self.constant is not None:
            return self.constant
        assert self.half_life is not None
        half_life = 1000 * self.half_life
        if self.ramp is not None:
            half_life = min(half_life, self.ramp * updates * self.batch)
        if self.rise is not None:
            risen = min(updates * self.batch / (1000 * self.rise), 1.0)
            half_life *= math.sin(0.5 * math.pi * risen) ** 2  # (1 − cos(π · risen)) / 2, without its rounding near 0
        return 0.5 ** (self.batch / half_life)
