"""The YAML files that there are."""

from pathlib import Path

CONF = Path(__file__).parent.parent / "conf"


def options(group: str) -> list[str]:
    """The options of a configuration group: the files found."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))
