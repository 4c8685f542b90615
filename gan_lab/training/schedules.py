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
