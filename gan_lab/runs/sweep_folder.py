"""The folder of a sweep: what was asked for, and how far its runs are."""

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from filelock import FileLock

from gan_lab.errors import ConfigError
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.making import make_folder, refuse_full, remove_made
from gan_lab.storage.files import BrokenRecord, leads_out, read_json, write_json
from gan_lab.validation import typed

_LOCK = ".sweep.lock"
_DEEPEST = 4  # folders between a sweep's and those of its runs: tuned sweeps sort them
FINISHED = ("done", "diverged")
"""States of runs that would end the same if they were run again."""

TUNING, REPLICATES = "tuning", "replicates"
"""Folders in a tuned sweep: of the runs that choose settings, and of the runs that are compared."""

TUNING_RECORD = "tuning.json"
"""What a tuned sweep tried and chose."""

GROWING = ("loss", "seed")
"""Keys that a sweep may begin with one value of, and later get more; they are always in the names of its runs."""


class SweepFolder:
    """``sweep.json``, the live index of a sweep: the states of all runs, how many are planned, the time left.

    Args:
        path: the sweep's folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.index_file = self.path / "sweep.json"

    def open(self, held: list[str], swept: dict[str, list[str]], runs: int, search: dict[str, Any]) -> list[Path]:
        """Make the folder, or open it again for the same sweep. Its finished runs then stay as they are.

        Args:
            held: the overrides that all runs share.
            swept: the values of each swept key; a sweep may be opened again with more of them.
            runs: the number of runs that makes.
            search: the settings of the search, if the sweep is tuned; others make another sweep, but for more seeds to
                repeat with, and the metric until something is chosen.

        Returns:
            The folders that were not there before, innermost first.

        Raises:
            ConfigError: if the folder cannot be made, or holds something else.
        """
        made, names = make_folder(self.path, "hydra.sweep.dir")
        self._check_inside()
        if self.index_file.is_file():
            self._check_same(held, swept, search)
        else:
            refuse_full(self.path, "hydra.sweep.dir", names)
        with FileLock(self.path / _LOCK):
            states = self.states()
            before = sum(status["state"] in FINISHED for status in states.values())
            plan = {"held": held, "swept": swept, "search": search, "planned": runs}
            self._write(plan | {"opened": time.time(), "before": before}, states)
        return made

    def _check_inside(self) -> None:
        """Raise ConfigError if a link would lead what is written out of the folder; links in a run cost that run."""
        home = os.path.realpath(self.path)
        for parent, below, files in os.walk(self.path):
            in_run = _is_run(parent)
            for name in (*below, *files):
                path = os.path.join(parent, name)
                if in_run and not name.endswith(".log"):  # which Hydra opens before the run is looked at
                    continue
                if os.path.islink(path) and (told := leads_out(path, home, "sweep")):
                    raise ConfigError(f"{path}: {told}; expected everything in there")
                if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
                    raise ConfigError(f"{path}: neither a file nor a folder; expected those alone")
            if in_run:
                below.clear()

    def discard(self, made: list[Path]) -> None:
        """Remove the files of a sweep without runs, and the folders that `open` made for it."""
        if self.runs():
            return
        for name in (self.index_file.name, _LOCK, "multirun.yaml"):
            (self.path / name).unlink(missing_ok=True)
        remove_made(made)

    def _check_same(self, held: list[str], swept: dict[str, list[str]], search: dict[str, Any]) -> None:
        """Raise ConfigError unless the sweep in the folder is this one, a part of it, or a larger one."""
        before = self.index()
        if not _is_plan(before):
            raise ConfigError(f"{self.index_file}: not the index of a sweep; name another folder")
        (held_then, swept_then), (held_now, swept_now) = _grown(before["held"], before["swept"]), _grown(held, swept)
        pairs = [("holds", held_then, held_now), ("sweeps", list(swept_then), list(swept_now))]
        for key in swept_then.keys() & swept_now.keys():
            then, now = swept_then[key], swept_now[key]
            if (key not in before["swept"] or key not in swept) and set(then).isdisjoint(now):
                pairs.append(("has", [f"{key}={','.join(then)}"], [f"{key}={','.join(now)}"]))
        for key in before["search"].keys() & search.keys():
            was, asked = before["search"][key], search[key]
            if key == "seeds" and isinstance(was, list) and all(seed in asked for seed in was):
                continue  # what was chosen is repeated with more
            if key == "metric" and not (self.path / REPLICATES).exists():
                continue  # nothing is chosen yet
            name = f"hydra.sweeper.{key}"
            pairs.append(("has", [f"{name}={typed(was)}"], [f"{name}={typed(asked)}"]))
        for name, then, now in pairs:
            if sorted(then) != sorted(now):
                raise ConfigError(
                    f"hydra.sweep.dir={self.path}: the sweep in it {name} {', '.join(then) or 'nothing'}, and this "
                    f"one {', '.join(now) or 'nothing'}; name another folder"
                )

    def index(self) -> dict[str, Any]:
        return read_json(self.index_file)

    def runs(self) -> list[RunFolder]:
        """All runs that have a folder: the overrides are written to it before the run begins."""
        found = []
        for folder, below, _ in os.walk(self.path):
            if _is_run(folder):
                found.append(Path(folder))
                below.clear()  # there are no runs inside a run
        return [RunFolder(folder) for folder in sorted(found)]

    def states(self) -> dict[RunFolder, dict[str, Any]]:
        """The status of every run. Searches the sweep's folder and reads every record in it."""
        return {run: _state(run) for run in self.runs()}

    def update(self) -> str:
        """Bring the index up to date; returns a line that sums it up."""
        with FileLock(self.path / _LOCK):
            return self._write(self.index(), self.states())

    def _write(self, index: dict[str, Any], states: dict[RunFolder, dict[str, Any]]) -> str:
        """Write the index with the states of its runs; returns a line that sums it up."""
        counts = Counter(status["state"] for status in states.values())
        ended = sum(counts[state] for state in (*FINISHED, "failed", "unreadable"))
        elapsed = time.time() - index["opened"]
        newly = ended - index["before"]
        planned = max(index["planned"], len(states))  # the command line may name only some runs of the folder
        left = elapsed / newly * (planned - ended) if newly > 0 and ended < planned else None
        index |= {"counts": dict(counts), "seconds": elapsed, "seconds_left": left}
        kept = ("state", "iteration", "error", "config_hash")
        index["runs"] = {
            str(run.path.relative_to(self.path)): {key: status[key] for key in kept} for run, status in states.items()
        }
        write_json(self.index_file, index)
        others = ", ".join(f"{counts[state]} {state}" for state in sorted(counts) if state != "done")
        words = f"{counts['done']} of {planned} done" + (f", {others}" if others else "")
        return words + ("" if left is None else f"; about {_duration(left)} left")


def sweep_around(run: Path) -> SweepFolder | None:
    """The sweep that a run's folder lies in, or None."""
    return next((SweepFolder(above) for above in run.parents[:_DEEPEST] if (above / "sweep.json").is_file()), None)


def _is_plan(index: dict[str, Any]) -> bool:
    """Whether an index tells what the sweep was: words held, words by each key swept, settings of the search."""

    def are_words(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(word, str) for word in value)

    swept = index.get("swept")
    return (
        are_words(index.get("held"))
        and isinstance(swept, dict)
        and all(are_words(values) for values in swept.values())
        and isinstance(index.get("search"), dict)
    )


def _is_run(folder: str) -> bool:
    return os.path.isfile(f"{folder}/.hydra/overrides.yaml")


def _state(run: RunFolder) -> dict[str, Any]:
    """The status of a run. One without a status waits for its turn, or was killed at its start."""
    silent = {"state": "waiting", "iteration": 0, "error": None, "config_hash": None}
    try:
        status = run.status() if run.status_file.exists() else silent
        if status["state"] == "done":
            run.result()
    except BrokenRecord as error:  # a damaged record must not stop the other runs
        return silent | {"state": "unreadable", "error": str(error)}
    return status


def _grown(held: list[str], swept: dict[str, list[str]]) -> tuple[list[str], dict[str, list[str]]]:
    """What is held and what is swept, with a single value of a `GROWING` key counted as swept."""
    single = {key: [value] for key, _, value in (word.partition("=") for word in held) if key in GROWING}
    return [word for word in held if word.partition("=")[0] not in single], swept | single


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
