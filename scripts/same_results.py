"""Compare what two commits compute: both make the same runs, whose numbers must be equal to the byte.

uv run python scripts/same_results.py OLD                             # against HEAD; OLD and NEW are any commits
uv run python scripts/same_results.py OLD NEW --keep FOLDER --jobs 2  # keep the runs; two command lines at a time
uv run python scripts/same_results.py OLD --only wgan_gp sweep        # some of the runs
uv run python scripts/same_results.py --list                          # the command lines

Each commit is exported to a temporary folder, installed there with `uv sync`, and run on the CPU, one thread a process,
with a cache of its own. What is not committed is not compared. With --keep, runs of a commit that are in FOLDER are not
made again. Compared are the weights in the last checkpoint, metrics.csv, result.json, and a sweep's ranking in
report/*.csv and report.md; MAY_DIFFER lists what is left out, and why. A run that is killed and resumed must also equal
one that is left alone. Exit status 1 if anything differs.

The two environments are resolved when they are installed. If their libraries differ, that is printed, as numbers may
then differ too; set UV_EXCLUDE_NEWER for both to get the same ones.
"""

import argparse
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

_RESUMED = "loss=wgan_gp dataset=ring8 ema_decay=0.99 iterations=1000 checkpoint.every=100 threads=1"
RUNS = {
    "default": ["gan-lab threads=1 hydra.run.dir=run"],
    "wgan_gp": ["gan-lab loss=wgan_gp dataset=ring8 iterations=500 threads=1 hydra.run.dir=run"],
    "r3gan_ema": [
        "gan-lab loss=r3gan ema_decay=0.99 dataset=digits model=mlp iterations=300 threads=1 hydra.run.dir=run"
    ],
    "sngan": ["gan-lab loss=sngan dataset=digits iterations=200 threads=1 hydra.run.dir=run"],
    "ddp": [
        "gan-lab loss=rasgan dataset=digits model=mlp trainer=ddp trainer.devices=2 trainer.accelerator=cpu "
        "iterations=50 threads=1 hydra.run.dir=run"
    ],
    "resumed": [
        f"gan-lab {_RESUMED} hydra.run.dir=undisturbed",
        f"gan-lab {_RESUMED} hydra.run.dir=killed",
        "gan-lab resume=killed",
    ],
    "sweep": ["gan-lab -m loss=rsgan,wgan_gp seed=0,1 dataset=ring8 iterations=200 threads=1 hydra.sweep.dir=sweep"],
}
"""Command lines by name, each name in a folder of its own. The first run in a folder named `killed` gets a SIGKILL once
it has saved a checkpoint."""

MAY_DIFFER = {
    "budget.train_seconds": "a time",
    "train_seconds": "a time, in the report's table",
    "environment": "versions of libraries, printed if they differ",
    "config_hash": "changes with any key that the configuration gains",
}
"""Keys of result.json, with all below them, and columns of the report's tables that are not compared: why. Nor is a
field that only NEW's result.json has: fields may be added. Other files of a run hold times, paths or what is drawn from
the numbers above."""

_WEIGHTS = """
import hashlib, json, sys, torch
state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)["state_dict"]
def digest(tensor):
    return hashlib.sha256(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
print(json.dumps({name: f"{one.dtype} {list(one.shape)} {digest(one)}" for name, one in state.items()}, indent=2))
"""
_PRINTED = 5  # differences of one file


def main(words: list[str] | None = None) -> int:
    """The command; ``words`` are its arguments, those of the process if None; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", nargs="?", help="a commit")
    parser.add_argument("new", nargs="?", default="HEAD", help="a commit (default: HEAD)")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="NAME", help="some of the runs")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for the runs of each commit, and its cache")
    parser.add_argument("--jobs", type=int, default=1, help="command lines at a time (default 1)")
    parser.add_argument("--list", action="store_true", help="print the command lines, run nothing")
    arguments = parser.parse_args(words)
    if arguments.list:
        print("\n".join(f"{name}: {command}" for name in arguments.only for command in RUNS[name]))
        return 0
    if arguments.old is None:
        parser.error("expected a commit to compare with")
    commits = [_git("rev-parse", "--verify", f"{one}^{{commit}}") for one in (arguments.old, arguments.new)]
    if commits[0] == commits[1]:
        parser.error(f"both are commit {commits[0]}: expected two commits")
    with tempfile.TemporaryDirectory() as temporary:
        kept = (arguments.keep or Path(temporary)).resolve()
        old, new = (runs_of(commit, kept / commit[:12], arguments.only, arguments.jobs) for commit in commits)
        failed = [name for name in arguments.only if report(name, old / name, new / name)]
    same = len(arguments.only) - len(failed)
    print(f"{same} of {len(arguments.only)} the same in {commits[0][:12]} and {commits[1][:12]}")
    return int(bool(failed))


def runs_of(commit: str, folder: Path, names: list[str], jobs: int) -> Path:
    """Make those runs of a commit that are not in its folder yet; returns the folder."""
    missing = [name for name in names if not _is_finished(folder / name, name)]
    if missing:
        with tempfile.TemporaryDirectory() as checkout, ThreadPoolExecutor(jobs) as pool:
            install(commit, Path(checkout))
            list(pool.map(partial(make, folder=folder, programs=Path(checkout) / ".venv" / "bin"), missing))
    return folder


def install(commit: str, checkout: Path) -> None:
    """Export a commit to a folder, and make its environment there."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(checkout, filter="data")
    subprocess.run(["uv", "sync", "--quiet", "--no-dev"], cwd=checkout, env=_environment(), check=True)


def make(name: str, folder: Path, programs: Path) -> None:
    """Make the runs of a name below a commit's folder.

    Args:
        name: of `RUNS`.
        folder: the commit's.
        programs: the folder of its environment that holds ``python`` and ``gan-lab``.
    """
    start, runs = time.monotonic(), folder / name
    if runs.exists():  # of an attempt that failed, or of other command lines
        shutil.rmtree(runs)
    runs.mkdir(parents=True)
    environment = _environment() | {"GAN_LAB_CACHE": str(folder / "cache")}
    for command in RUNS[name]:
        _run(command, runs, programs, environment)
    for run in run_folders(runs):
        (runs / run / "weights.json").write_text(weights(programs / "python", runs / run / "checkpoints" / "last.ckpt"))
    (runs / "commands.txt").write_text(_commands(name))
    print(f"{folder.name} {name}: made in {time.monotonic() - start:.0f} s", flush=True)


def _run(command: str, runs: Path, programs: Path, environment: dict[str, str]) -> None:
    program, *words = command.split()
    kill = "hydra.run.dir=killed" in words
    with (runs / "log.txt").open("a") as log:
        process = subprocess.Popen(
            [programs / program, *words], cwd=runs, env=environment, stdout=log, stderr=log, start_new_session=kill
        )
        while kill and process.poll() is None:
            if (runs / "killed" / "checkpoints" / "last.ckpt").exists():
                os.killpg(process.pid, signal.SIGKILL)
                break
            time.sleep(0.01)
        status = process.wait()
    expected = -signal.SIGKILL if kill else 0
    if status != expected:
        tail = "".join((runs / "log.txt").read_text().splitlines(keepends=True)[-20:])
        raise SystemExit(f"{command}: ended with status {status}, not {expected}:\n{tail}")


def weights(python: Path, checkpoint: Path) -> str:
    """JSON of a checkpoint's weights: by name, their type, shape, and the SHA-256 of their bytes."""
    return subprocess.run([python, "-c", _WEIGHTS, checkpoint], check=True, stdout=subprocess.PIPE, text=True).stdout


def run_folders(runs: Path) -> list[str]:
    """The run folders below a folder, relative to it."""
    return sorted(str(file.parent.relative_to(runs)) for file in runs.rglob("result.json"))


def report(name: str, old: Path, new: Path) -> list[str]:
    """Compare the runs of a name, print what differs, and return it."""
    found = list(differences(old, new))
    print(f"{name}: {'differs' if found else 'the same'}")
    for line in found:
        print(f"  {line}")
    for line in _changed(*(_values(folder / run_folders(folder)[0], "environment") for folder in (old, new))):
        print(f"  (of the libraries and the machine: {line})")
    return found


def differences(old: Path, new: Path) -> Iterator[str]:
    """What the runs below two folders do not have in common: run, file, and both values."""
    runs = run_folders(old)
    if runs != run_folders(new):
        yield f"runs: {', '.join(runs)} -> {', '.join(run_folders(new))}"
        return
    for run in runs:
        yield from (f"{run}: {line}" for line in run_differences(old / run, new / run))
    for pattern, lines in (("report/*.csv", _table), ("report/report.md", _ranking)):
        for file in sorted({file.relative_to(side) for side in (old, new) for file in side.rglob(pattern)}):
            yield from (f"{file}: {line}" for line in _first_line(lines(old / file), lines(new / file)))
    if "killed" in runs:
        for side, folder in (("OLD", old), ("NEW", new)):
            apart = run_differences(folder / "undisturbed", folder / "killed")
            yield from (f"{side}, undisturbed -> killed and resumed: {line}" for line in apart)


def run_differences(old: Path, new: Path) -> Iterator[str]:
    """What two run folders do not have in common: file, key or line, and both values."""
    states = (json.loads((folder / "weights.json").read_text()) for folder in (old, new))
    yield from (f"weights: {line}" for line in _changed(*states))
    curves = ((folder / "metrics.csv").read_bytes().decode().split("\n") for folder in (old, new))
    yield from (f"metrics.csv: {line}" for line in _first_line(*curves))
    before, after = (_values(folder) for folder in (old, new))
    fields = {key.partition(".")[0] for key in before}
    after = {key: value for key, value in after.items() if key.partition(".")[0] in fields}
    yield from (f"result.json: {line}" for line in _changed(before, after))


def _values(run: Path, field: str | None = None) -> dict[str, str]:
    """The values in a run's result.json as JSON, by dotted key: those of a field, or all that must not differ."""
    result = json.loads((run / "result.json").read_text())
    if field is not None:
        return dict(_leaves(result[field], field))
    return {
        key: value
        for key, value in _leaves(result)
        if not any(key == free or key.startswith(f"{free}.") for free in MAY_DIFFER)
    }


def _leaves(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from _leaves(value, f"{key}.{name}" if key else name)
    else:
        yield key, json.dumps(node)


def _changed(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """The keys whose values differ, with both; the first few if there are many."""
    found = [
        f"{key}: {old.get(key, 'absent')} -> {new.get(key, 'absent')}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    ]
    return found if len(found) <= _PRINTED else [*found[:_PRINTED], f"and {len(found) - _PRINTED} more"]


def _first_line(old: list[str], new: list[str]) -> list[str]:
    """The first line that differs, with both; nothing if all are equal."""
    pairs = enumerate(zip_longest(old, new, fillvalue="absent"), 1)
    return [f"line {number}: {one!r} -> {other!r}" for number, (one, other) in pairs if one != other][:1]


def _table(file: Path) -> list[str]:
    """The lines of a report's table, without the columns that may differ."""
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        rows = list(csv.reader(stream))
    kept = [column for column, name in enumerate(rows[0]) if name not in MAY_DIFFER]
    return [",".join(row[column] for column in kept) for row in rows]


def _ranking(file: Path) -> list[str]:
    """The headings and tables of a report's rankings, in Markdown."""
    found, inside = [], False
    for line in file.read_text().splitlines() if file.exists() else []:
        if line.startswith("#"):
            inside = ": ranking by " in line
        elif line.startswith("| group"):  # the table of budgets, times among them
            inside = False
        if inside:
            found.append(line)
    return found


def _commands(name: str) -> str:
    return "\n".join(RUNS[name]) + "\n"


def _is_finished(runs: Path, name: str) -> bool:
    """Whether a name's runs are all there, made by these command lines."""
    file = runs / "commands.txt"
    return file.exists() and file.read_text() == _commands(name)


def _environment() -> dict[str, str]:
    """This process's variables, less those that would change a run or name this process's own environment."""
    ours = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV" and not key.startswith("GAN_LAB_")}
    return ours | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
