"""Checks of arguments. Each raises a ValueError that names the argument, the bad value and what is allowed."""

import math
from collections.abc import Collection, Sequence
from typing import TypeGuard


def typed(value: object) -> str:
    """A value as the command line has it: null, true, [a,b]."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(typed, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def quoted(value: object) -> str:
    """`typed`, but a text in quotes: what it should be is often another kind of value."""
    return repr(value) if isinstance(value, str) else typed(value)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number; True and False, which Python counts as integers, are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def is_names(value: object) -> TypeGuard[Sequence[str]]:
    """Whether a value is a list of texts with something in it; a text alone is not."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return False
    return all(isinstance(one, str) for one in value)


def check_positive(name: str, value: object) -> None:
    """Raise unless ``value`` is a whole number of at least 1."""
    if not is_whole(value) or value < 1:
        raise ValueError(f"{name}={quoted(value)}: expected a whole number of at least 1")


def check_number(
    name: str, value: object, at_least: float = -math.inf, below: float = math.inf, above: float = -math.inf
) -> None:
    """Raise unless ``value`` is a finite number within the bounds."""
    if is_number(value) and at_least <= value < below and value > above:
        return
    allowed = "a finite number"
    if above > -math.inf:
        allowed = f"a number above {above}"
    elif below < math.inf:
        allowed = f"a number from {at_least} to below {below}"
    elif at_least > -math.inf:
        allowed = f"a number of at least {at_least}"
    raise ValueError(f"{name}={quoted(value)}: expected {allowed}")


def check_between(name: str, value: object, low: float, high: float) -> None:
    """Raise unless ``value`` is a number from ``low`` to ``high``."""
    if not is_number(value) or not low <= value <= high:
        raise ValueError(f"{name}={quoted(value)}: expected a number from {low} to {high}")


def check_null_or_whole(name: str, value: object, least: int, most: int) -> None:
    """Raise unless ``value`` is None or a whole number from ``least`` to ``most``."""
    if value is not None and not (is_whole(value) and least <= value <= most):
        raise ValueError(f"{name}={quoted(value)}: expected null or a whole number from {least} to {most}")


def check_flag(name: str, value: object) -> None:
    """Raise unless ``value`` is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}={quoted(value)}: expected true or false")


def check_seed(name: str, value: object) -> None:
    """Raise unless ``value`` is a whole number that PyTorch takes as a seed."""
    if not is_whole(value) or not 0 <= value < 2**63:
        raise ValueError(f"{name}={quoted(value)}: expected a whole number from 0 to below 2**63")


def check_widths(name: str, widths: Sequence[int]) -> None:
    """Raise unless ``widths`` is a non-empty list of whole numbers of at least 1."""
    if not isinstance(widths, Sequence) or isinstance(widths, str) or not widths:
        raise ValueError(f"{name}={quoted(widths)}: expected a list of widths such as [256,512]")
    for width in widths:
        check_positive(f"{name}={quoted(widths)}, element", width)


def check_choice(name: str, value: object, allowed: Collection[object]) -> None:
    """Raise unless ``value``, which may be of any kind, is one of ``allowed``; 16.0 is not 16, and 1 not true."""
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise ValueError(f"{name}={quoted(value)}: expected one of {', '.join(map(typed, allowed))}")
