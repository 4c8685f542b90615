"""The command lines that made runs, as a study prints them: without what names folders of a machine."""

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from gan_lab.errors import shown
from gan_lab.report.tuning import search_words
from gan_lab.runs.reader import read_overrides, read_settings
from gan_lab.runs.sweep_folder import GROWING
from gan_lab.storage.files import BrokenRecord, read_json

_OF_A_MACHINE = re.compile(r"hydra\.(run|sweep)\.dir=|dataset\.root=")
_PYTHONS = re.compile(r"(?<=[=,\[:])(?:True|False)(?=$|[,\]}])")  # how Hydra writes a sweep's words into its runs

Values = tuple[frozenset[str], ...]
"""The values of several keys, of which runs are all combinations."""


def commands_of(runs: Sequence[Path]) -> dict[Path, str]:
    """For each run folder the command line that made it: its own, or that of its sweep; empty where none is known."""
    together: dict[Path, list[Path]] = defaultdict(list)
    for run in runs:  # tuned sweeps sort their runs into folders
        above = (folder for folder in list(run.parents)[:4] if (folder / "sweep.json").is_file())
        together[next(above, run)].append(run)
    found = dict.fromkeys(runs, "")
    for folder, mine in together.items():
        try:
            found |= _of_folder(folder, mine)
        except (BrokenRecord, KeyError, TypeError, AttributeError):  # the record of a stranger
            continue
    return found


def _of_folder(folder: Path, runs: list[Path]) -> dict[Path, str]:
    """The commands of a sweep's runs, or of a run that is its own folder.

    A sweep grows line by line, and its record knows the last line. Runs that are not all combinations of their values
    get several lines, of which each is.
    """
    words = {run: [_PYTHONS.sub(lambda one: one[0].lower(), word) for word in _overrides(run)] for run in runs}
    options = _config_dir(runs[0] / ".hydra" / "hydra.yaml")
    if runs == [folder]:
        return {folder: _line("gan-lab", [*options, *words[folder]])}
    asked = read_json(folder / "sweep.json")
    held = [word.partition("=") for word in asked["held"]]
    last = {key: [value] for key, equals, value in held if equals} | asked["swept"]
    bare = [key for key, equals, _ in held if not equals]  # ~logger
    grown = [key for key in last if key in GROWING or key in asked["swept"]]
    made = {run: tuple(_value(words[run], key, last[key]) for key in grown) for run in runs}
    commands: dict[Path, str] = {}
    for values in _products(set(made.values())):
        given = last | {key: _ordered(mine, last[key]) for key, mine in zip(grown, values, strict=True)}
        typed = [f"{key}={','.join(ones)}" for key, ones in given.items()]
        line = _line("gan-lab -m", [*options, *typed, *bare, *search_words(asked.get("search") or {})])
        commands |= {run: line for run, mine in made.items() if all(a <= b for a, b in zip(mine, values, strict=True))}
    return commands


def _overrides(run: Path) -> list[str]:
    return read_overrides(run / ".hydra" / "overrides.yaml")


def _config_dir(file: Path) -> list[str]:
    """The option that names a folder of one's own configurations: by its name, as where it lies is a machine's."""
    sources = read_settings(file)["hydra"]["runtime"].get("config_sources", []) if file.is_file() else []
    own = [one["path"] for one in sources if one.get("provider") == "command-line"]
    return ["--config-dir", Path(own[0]).name] if own else []


def _value(words: list[str], key: str, last: list[str]) -> frozenset[str]:
    """What a run has of a key; the values of the last line if it does not tell."""
    return frozenset([word.partition("=")[2] for word in words if word.startswith(f"{key}=")][-1:] or last)


def _products(made: set[Values]) -> set[Values]:
    """The fewest products that are found by joining, key by key, those that differ in this key alone."""
    for place in reversed(range(len(next(iter(made))))):
        joined: dict[Values, frozenset[str]] = defaultdict(frozenset)
        for values in made:
            joined[values[:place] + values[place + 1 :]] |= values[place]
        made = {(*rest[:place], mine, *rest[place:]) for rest, mine in joined.items()}
    return made


def _ordered(found: frozenset[str], last: list[str]) -> list[str]:
    """Values in the order of the last line, then by name; whole numbers by size."""
    if all(value.isdecimal() for value in found):
        return sorted(found, key=int)
    return [value for value in last if value in found] + sorted(found - {*last})


def _line(command: str, words: list[str]) -> str:
    kept = [shlex.quote(shown(word)) for word in words if not _OF_A_MACHINE.match(word)]
    return " ".join([command, *kept])
