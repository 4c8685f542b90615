"""Nested mappings and lists as flat keys and values."""

from collections.abc import Iterator
from typing import Any


def leaves(value: Any, key: str = "", into_lists: bool = False) -> Iterator[tuple[str, Any]]:
    """Every value in nested mappings with its dotted key, in order.

    Args:
        value: plain containers and values; an empty mapping is a value.
        key: where it is in the configuration; empty for the root.
        into_lists: whether elements of lists are visited too, with their index as key; otherwise a list is a value.
    """
    if isinstance(value, dict) and value:
        entries: Any = value.items()
    elif into_lists and isinstance(value, list):
        entries = enumerate(value)
    else:
        yield key, value
        return
    for name, entry in entries:
        yield from leaves(entry, f"{key}.{name}" if key else str(name), into_lists)
