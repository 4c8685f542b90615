"""What went wrong, in one sentence: the key or file, the bad value, what is allowed."""

import difflib
from collections.abc import Iterable


class ConfigError(Exception):
    """Bad input. Its text is the one sentence the user reads."""


class CannotGoOn(ConfigError):
    """A run's folder is such that nobody should go on with the run; of a sweep, other runs can."""


class NotFinite(ConfigError):
    """A generated sample, or a feature of one, is not finite.

    Args:
        what: is not finite.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not finite")
        self.what = what


class Diverged(Exception):
    """Training produced a value that is not finite.

    Args:
        iteration: the first iteration at which it did.
        term: the name of the curve, such as ``loss/discriminator``.
        value: the value.
    """

    def __init__(self, iteration: int, term: str, value: float) -> None:
        super().__init__(f"diverged at iteration {iteration}: {term} is {value}")
        self.iteration = iteration
        self.term = term


def closest(word: str, allowed: Iterable[str]) -> str:
    """``did you mean 'x'? Allowed: …`` as the end of a sentence."""
    names = sorted(allowed)
    near = difflib.get_close_matches(word, names, n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"Allowed: {', '.join(names)}"
