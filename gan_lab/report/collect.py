"""Finds the run folders under the folders that a report is on. Each is in the report or in its list of skipped ones."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from gan_lab.report.run import Run, read_run
from gan_lab.report.tuning import RECORD, Searched, read_search
from gan_lab.runs.sweep_folder import REPLICATES, TUNING
from gan_lab.storage.files import BrokenRecord


@dataclass(frozen=True)
class Skipped:
    """A folder or file that is in no table, and why."""

    path: str
    reason: str


@dataclass
class Sweep:
    """Everything found under the folders that were named."""

    folders: list[Path]
    runs: list[Run] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    searches: list[Searched] = field(default_factory=list)
    """The searches that chose the settings of what is compared; their own runs are not among ``runs``."""


def read(folders: list[Path]) -> Sweep:
    """Read every run at or below the folders; a run that lies in several of them counts once."""
    sweep = Sweep(folders)
    base = Path(os.path.commonpath([folder.resolve() for folder in folders]))
    seen: set[Path] = set()
    for folder in folders:
        runs, foreign, closed, tuned = _walk(folder.resolve())
        for path in [path for path in runs if path not in seen]:
            sweep.runs.append(read_run(path, _plain(path.relative_to(base) if path != base else path.name)))
        seen.update(runs)
        reason = "not a run folder: no status.json in or below it"
        sweep.skipped += [Skipped(_plain(path.relative_to(base)), reason) for path in foreign]
        sweep.skipped += [Skipped(_plain(error.filename), f"cannot be opened: {error.strerror}") for error in closed]
        for path in tuned:
            try:
                sweep.searches.append(read_search(path / RECORD))
            except BrokenRecord as error:
                sweep.skipped.append(Skipped(_plain(path / RECORD), str(error)))
    sweep.runs.sort(key=lambda run: run.name)
    _drop_repetitions(sweep)
    return sweep


def _walk(folder: Path) -> tuple[list[Path], list[Path], list[OSError], list[Path]]:
    """Search a folder.

    Returns:
        The run folders at or below it; the topmost folders that hold no run; the folders that could not be opened; and
        the folders of tuned sweeps.
    """
    runs: list[Path] = []
    closed: list[OSError] = []
    tuned = [folder.parent] if folder.name == REPLICATES and (folder.parent / RECORD).exists() else []
    for path, below, files in os.walk(folder, onerror=closed.append):
        # a job that was killed before it began has left only what Hydra wrote
        if "status.json" in files or "result.json" in files or os.path.exists(f"{path}/.hydra/overrides.yaml"):
            runs.append(Path(path))
            below.clear()
        if RECORD in files and TUNING in below:  # runs of the search are not compared
            below.remove(TUNING)
            tuned.append(Path(path))
        below[:] = sorted(name for name in below if not name.startswith("."))
    inside = {parent for run in runs for parent in (run, *run.parents)}
    foreign: list[Path] = []
    for parent in sorted(path for path in inside if path not in set(runs) and path.is_relative_to(folder)):
        for child in sorted(parent.iterdir()):
            is_report = (child / "report.md").exists() and (child / "table.csv").exists()
            known = is_report or (parent in tuned and child.name == TUNING)
            if child.is_dir() and child not in inside and not child.name.startswith(".") and not known:
                foreign.append(child)
    return runs, foreign, closed, tuned


def _drop_repetitions(sweep: Sweep) -> None:
    """Keep one of several runs of the same configuration, the newest that is done: copies are not further seeds."""
    kept: dict[str, Run] = {}
    for run in sorted(sweep.runs, key=lambda run: (run.done, run.started)):
        kept[_identity(run)] = run
    for run in sweep.runs:
        winner = kept[_identity(run)]
        if winner is not run:
            reason = f"the same configuration and seed as {winner.name}, which is {'newer' if run.done else 'done'}"
            sweep.skipped.append(Skipped(run.name, f"{reason if winner.done else 'as ' + winner.name}; {run.state}"))
    sweep.runs = [run for run in sweep.runs if kept[_identity(run)] is run]


def _identity(run: Run) -> str:
    asked = run.asked.config or run.asked.overrides
    return json.dumps([asked, run.asked.choices, run.seed], sort_keys=True, default=str) if asked else run.name


def _plain(path: Path | str) -> str:
    """A path without the halves of characters that names of files may hold and a page cannot."""
    return str(path).encode(errors="replace").decode()
