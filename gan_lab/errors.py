"""Errors of gan_lab. Each is one sentence that names the key or file, the bad value and what is allowed."""

import difflib
from collections.abc import Iterable


class ConfigError(Exception):
    """Bad input. The command prints its text as the only sentence the user reads."""


class CannotGoOn(ConfigError):
    """The folder of a run does not allow the run to be resumed; other runs of its sweep are not affected."""


class NotFinite(ConfigError):
    """A generated sample, or a feature of one, is not finite.

    Args:
        what: the thing that is not finite, such as ``a generated sample``.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not finite")
        self.what = what


class Diverged(Exception):
    """Training produced a value that is not finite.

    Args:
        iteration: the first iteration with such a value.
        term: the tag of its curve, such as ``loss/discriminator``, or what else is not finite.
        value: the value.
    """

    def __init__(self, iteration: int, term: str, value: float) -> None:
        super().__init__(f"diverged at iteration {iteration}: {term} is {value}")
        self.iteration = iteration
        self.term = term


def shown(text: object) -> str:
    """Foreign text as one line that is safe on a terminal and on a page.

    What is not printable becomes its escape, such as ``\\x1b`` or ``\\n``: characters that steer a terminal, break a
    line, turn the direction of writing, or cannot be encoded. Names, keys and values out of other people's files pass
    through here before anybody reads them.
    """
    return "".join(one if one.isprintable() else _escape(one) for one in str(text))


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte in a name that is no UTF-8, as Python holds it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()


def closest(word: str, allowed: Iterable[str]) -> str:
    """The end of a sentence on an unknown word: ``did you mean 'x'? Allowed: …``."""
    names = sorted(allowed)
    near = difflib.get_close_matches(word, names, n=1)
    return (f"did you mean '{near[0]}'? " if near else "") + f"Allowed: {', '.join(names)}"
