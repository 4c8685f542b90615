"""The values in nested mappings and lists, by dotted key."""

from collections.abc import Iterator
from typing import Any

from gan_lab.errors import ConfigError


def leaves(value: Any, key: str = "", into_lists: bool = False) -> Iterator[tuple[str, Any]]:
    """Every value in nested mappings with its dotted key, in order.

    Args:
        value: plain containers and values; an empty mapping is a value.
        key: where it is in the configuration; empty for the root.
        into_lists: whether elements of lists are visited too, with their index as key; otherwise a list is a value.
    """
    if isinstance(value, dict) and value:
        entries: Any = value.items()
    elif into_lists and isinstance(value, list) and value:
        entries = enumerate(value)
    else:
        yield key, value
        return
    for name, entry in entries:
        yield from leaves(entry, f"{key}.{name}" if key else str(name), into_lists)


def named_targets(node: Any, key: str = "") -> list[tuple[str, Any]]:
    """Every ``_target_`` in nested containers: where it is, and the name.

    Raises:
        ConfigError: for a value that is an interpolation: it could become a block with a ``_target_``.
    """
    targets = []
    for where, value in leaves(node, key, into_lists=True):
        path = f".{where}."
        if "._target_." in path:  # a mapping or list in the place of a name is refused as one
            targets.append((f"{path.partition('._target_.')[0]}._target_".lstrip("."), value))
        elif isinstance(value, str) and "${" in value:
            raise ConfigError(f"{where}={value}: expected a value without ${{")
    return targets
