"""``gan-lab show``: the options of the configuration groups, with what their files say of them."""

import re
import shutil
import textwrap
from argparse import ArgumentError, ArgumentParser
from collections.abc import Iterator, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from gan_lab.errors import ConfigError, closest, shown

_COLUMN = 22  # where descriptions begin
_USAGE = "gan-lab show [GROUP[=OPTION]] [--config-dir FOLDER]"


def show(words: Sequence[str]) -> str:
    """What ``gan-lab show`` prints: all groups, the options of one with their descriptions, or an option's file.

    Args:
        words: those after ``show``, such as ``loss`` or ``loss=wgan_gp``.

    Raises:
        ConfigError: for a group or option that there is not.
    """
    parser = ArgumentParser(usage=_USAGE, description="Show options and what they do.", exit_on_error=False)
    parser.add_argument(
        "what", nargs="*", metavar="GROUP[=OPTION]", help="a group, such as loss, or one of its options"
    )
    parser.add_argument("--config-dir", "-cd", metavar="FOLDER", help="a folder with YAML files of your own")
    try:
        given, unknown = parser.parse_known_args(words)
    except ArgumentError as error:
        raise ConfigError(f"show: {error}; expected {_USAGE}") from error
    if unknown or len(given.what) > 1:
        raise ConfigError(f"show: {' '.join(unknown or given.what[1:])}: expected {_USAGE}")
    if given.config_dir is not None and not Path(given.config_dir).is_dir():
        raise ConfigError(f"--config-dir {given.config_dir}: there is no such folder")
    folders = yaml_folders([] if given.config_dir is None else [Path(given.config_dir)])
    if not given.what:
        return all_groups(folders)
    group, _, name = given.what[0].partition("=")
    if group not in (known := groups(folders)):
        if of := [one for one in known if group.rpartition("/")[2] in options(one, folders)]:
            raise ConfigError(f"show {group}: there is no such group; expected show {of[0]}={group.rpartition('/')[2]}")
        raise ConfigError(f"show {group}: there is no such group; {closest(group, known)}")
    found = options(group, folders)
    if not name:
        return "\n".join([f"gan-lab {group}=OPTION", "", *_described(found, whole=True)])
    if name not in found:
        raise ConfigError(f"show {group}={name}: there is no such option; {closest(name, found)}")
    return "\n".join(map(shown, found[name].splitlines()))


def yaml_folders(own: Sequence[Path]) -> list[Traversable]:
    """The folders of YAML files, those of the user first."""
    return [*own, files("gan_lab.conf")]


def groups(folders: Sequence[Traversable]) -> list[str]:
    """The names of all groups but Hydra's, such as ``loss`` and ``evaluation/extractor``."""
    return sorted({name for folder in folders for name in _groups(folder, "")})


def _groups(folder: Traversable, above: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir() and (above or not entry.name.startswith(("_", ".", "hydra"))):
            if any(file.name.endswith(".yaml") for file in entry.iterdir()):
                yield f"{above}{entry.name}"
            yield from _groups(entry, f"{above}{entry.name}/")


def options(group: str, folders: Sequence[Traversable]) -> dict[str, str]:
    """The text of each option's file, by its name; of files of one name the first counts."""
    found: dict[str, str] = {}
    for folder in folders:
        if not (there := folder.joinpath(group)).is_dir():
            continue
        for file in there.iterdir():
            if file.name.endswith(".yaml"):
                found.setdefault(file.name.removesuffix(".yaml"), file.read_bytes().decode("utf-8", "replace"))
    return dict(sorted(found.items()))


def all_groups(folders: Sequence[Traversable]) -> str:
    """Every group with its options, and the first sentence of what each option's file says."""
    lines: list[str] = []
    for group in groups(folders):
        lines += [f"{group}=", *_described(options(group, folders), whole=False), ""]
    return "\n".join(lines)


def _described(found: dict[str, str], whole: bool) -> Iterator[str]:
    """A group's options with what their files say, or the first sentence of it; as wide as the terminal."""
    width = max(60, shutil.get_terminal_size().columns - 1)
    for name, text in found.items():
        says = _comment(text)
        start = f"  {shown(name):{_COLUMN - 3}} "
        words = shown(says if whole else re.split(r"(?<=\.) (?=[A-Z])", says)[0])
        yield textwrap.fill(words, width, initial_indent=start, subsequent_indent=" " * _COLUMN) or start.rstrip()


def _comment(text: str) -> str:
    """The comment that a file begins with, on one line."""
    lines = text.splitlines()
    begun = lines[1:] if lines and lines[0].startswith("# @package") else lines
    end = next((number for number, line in enumerate(begun) if not line.startswith("#")), len(begun))
    return " ".join(line.lstrip("# ") for line in begun[:end])
