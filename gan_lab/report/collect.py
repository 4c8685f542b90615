"""Finds the run folders under the folders that a report is on. Each is in the report or in its list of skipped ones."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from gan_lab.errors import shown
from gan_lab.report.groups import identity, with_known_choices
from gan_lab.report.reading import read_run
from gan_lab.report.results_file import read_lines, runs_of, without_folders
from gan_lab.report.run import Run
from gan_lab.report.tuning import Searched, read_search
from gan_lab.report.values import exact
from gan_lab.report.versions import with_later_keys
from gan_lab.runs.sweep_folder import REPLICATES, TUNING, TUNING_RECORD
from gan_lab.storage.files import BrokenRecord

_DEEPEST = 100  # folders below the one that was named
_NO_RUN = "not a run folder: no status.json in or below it"
_LINK = "a link, which is not followed: name the folder that it leads to"


@dataclass(frozen=True)
class Skipped:
    """A folder or file that is in no table, and why."""

    path: str
    reason: str
    contradicts: bool = False
    """Whether it finished with another result than the run that is kept in its place."""


@dataclass
class Sweep:
    """Everything found under the folders that were named, and those that hold the files that were."""

    folders: list[Path]
    runs: list[Run] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    searches: list[Searched] = field(default_factory=list)
    """The searches that chose the settings of what is compared; their own runs are not among ``runs``."""


@dataclass
class _Found:
    """What a search of a folder came upon: run folders, tuned sweeps, and what was not searched or holds no run."""

    runs: list[Path] = field(default_factory=list)
    tuned: list[Path] = field(default_factory=list)
    foreign: dict[Path, str] = field(default_factory=dict)
    """With the reason."""

    def close(self, error: OSError) -> None:
        """Keep a folder that could not be opened."""
        self.foreign[Path(error.filename)] = f"cannot be opened: {error.strerror}"


def read(folders: list[Path]) -> Sweep:
    """Read every run at or below the folders; a run that lies in several of them counts once.

    A results.csv of a published study may stand in the place of a folder.
    """
    homes = [folder.parent if folder.is_file() else folder for folder in folders]
    sweep = Sweep(homes)
    base = Path(os.path.commonpath([home.resolve() for home in homes]))
    seen: set[Path] = set()
    names: set[str] = set()
    for file in [folder for folder in folders if folder.is_file()]:
        place = "" if (home := file.resolve().parent) == base else f"{shown(home.relative_to(base))}/"
        runs = runs_of(read_lines(file), file)
        sweep.runs += [replace(run, name=unlike(f"{place}{run.name}", names)) for run in runs]
    published = bool(sweep.runs)
    for folder in [folder for folder in folders if not folder.is_file()]:
        found = _walk(folder.resolve())
        for path in [path for path in found.runs if path not in seen]:
            run = read_run(path, _name(path, base, names))
            sweep.runs.append(without_folders(run) if published else run)
        seen.update(found.runs)
        sweep.skipped += [Skipped(_name(path, base, set()), reason) for path, reason in found.foreign.items()]
        for path in found.tuned:
            try:
                sweep.searches.append(read_search(path / TUNING_RECORD))
            except BrokenRecord as error:
                sweep.skipped.append(Skipped(shown((path / TUNING_RECORD).relative_to(base.parent)), shown(error)))
    sweep.runs = with_known_choices(with_later_keys(sorted(sweep.runs, key=lambda run: run.name)))
    _drop_repetitions(sweep)
    return sweep


def _name(path: Path, base: Path, taken: set[str]) -> str:
    """A folder's path below the base, harmless to show, and unlike those taken before."""
    return unlike(shown(path.relative_to(base) if path != base else path.name), taken)


def unlike(name: str, taken: set[str]) -> str:
    """The name, numbered if it was taken before."""
    plain = name
    number = 1
    while name in taken:  # two names may look alike once they are harmless
        number += 1
        name = f"{plain} ({number})"
    taken.add(name)
    return name


def _walk(folder: Path) -> _Found:
    """Search a folder for run folders, tuned sweeps and folders that are neither."""
    found = _Found()
    if folder.name == REPLICATES and os.path.lexists(folder.parent / TUNING_RECORD):
        found.tuned.append(folder.parent)
    for place, below, files in os.walk(folder, onerror=found.close):
        path = Path(place)
        # a job that was killed before it began has left only what Hydra wrote
        marks = ("status.json", "result.json", ".hydra/overrides.yaml")
        if any(os.path.lexists(path / mark) for mark in marks):
            found.runs.append(path)
            below.clear()
        # the runs of a search are not compared; its record may be lost, or something else in its place
        if TUNING in below and (TUNING_RECORD in files or TUNING_RECORD in below or REPLICATES in below):
            below.remove(TUNING)
            found.tuned.append(path)
        below[:] = sorted(name for name in below if not name.startswith(".") and name != TUNING_RECORD)
        if path.as_posix().count("/") - folder.as_posix().count("/") >= _DEEPEST:
            found.foreign[path] = f"not searched: it is {_DEEPEST} folders deep"
            below.clear()
    inside = {parent for run in found.runs for parent in (run, *run.parents)}
    runs = set(found.runs)
    for parent in sorted(path for path in inside if path not in runs and path.is_relative_to(folder)):
        for child in sorted(parent.iterdir()):
            if not child.name.startswith(".") and child not in inside and child not in found.foreign:
                known = _is_report(child) or (parent in found.tuned and child.name in (TUNING, TUNING_RECORD))
                if os.path.isdir(child) and not known:
                    found.foreign[child] = _LINK if child.is_symlink() else _NO_RUN
    return found


def _is_report(folder: Path) -> bool:
    return all(os.path.exists(folder / name) for name in ("report.md", "table.csv"))


def _drop_repetitions(sweep: Sweep) -> None:
    """Keep one of several runs of the same configuration, the newest that is done: copies are not further seeds.

    It gets what was measured of its copies alone, which may have been evaluated again elsewhere.
    """
    kept: dict[str, Run] = {}
    for run in sorted(sweep.runs, key=lambda run: (run.done, run.started, _measured(run))):
        kept[identity(run)] = run
    whole = dict(kept)
    for run in sweep.runs:
        known = identity(run)
        if (winner := kept[known]) is not run:
            other = _other_result(run, winner)
            why = "a copy" if winner.started == run.started else "newer" if run.done else "done"
            why = other if other and why == "a copy" else f"which is {why}{other and ', and '}{other}"
            told = f"the same configuration and seed as {winner.name}, {why}" if winner.done else f"as {winner.name}"
            sweep.skipped.append(Skipped(run.name, f"{told}; {run.state}", bool(other)))
            whole[known] = whole[known] if other or not run.done else _with_measurements(whole[known], run)
    sweep.runs = [whole[identity(run)] for run in sweep.runs if kept[identity(run)] is run]


def _with_measurements(kept: Run, copy: Run) -> Run:
    """The run that is kept, with what was measured of a copy of it alone."""
    ours, theirs = kept.outcome, copy.outcome
    scored = [one.settings for one in ours.usefulness]
    usefulness = [*ours.usefulness, *(one for one in theirs.usefulness if one.settings not in scored)]
    found = {exact(one.fingerprint): one for one in ours.measurements}
    for one in theirs.measurements:
        known = exact(one.fingerprint)
        found[known] = one.with_newer(found[known]) if known in found else one
    return replace(kept, outcome=replace(ours, measurements=[*found.values()], usefulness=usefulness))


def _other_result(run: Run, kept: Run) -> str:
    """What tells the finished run that is kept from another one; empty for nothing."""
    if not (run.done and kept.done):
        return ""
    mine, theirs = (one.outcome.measurements[0].metrics for one in (run, kept))
    differ = (name for name in (*mine, *theirs) if exact(mine.get(name)) != exact(theirs.get(name)))
    return next((f"whose {name} is {theirs.get(name)}, not {mine.get(name)}" for name in differ), "")


def _measured(run: Run) -> int:
    """How many evaluations a run has."""
    return len(run.outcome.measurements) + len(run.outcome.usefulness)
