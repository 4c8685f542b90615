"""The folder of a run: what is in it, and how it comes to be there (DESIGN.md §4, "Run folder")."""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from gan_lab.errors import CannotGoOn, ConfigError
from gan_lab.runs.configuration import RunConfiguration, config_hash
from gan_lab.storage.files import (
    BrokenRecord,
    check_inside,
    named,
    read_json,
    remove_half_written,
    replacing,
    write_json,
)

_HEADER = b"iteration,name,value\n"  # of a file of curves
_POINT = re.compile(rb"(\d+),[^,\0]+,(?:-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|-?inf|nan)\n")
_UNTOLD = {"state": "failed", "config_hash": None, "iteration": 0, "error": None, "started": None, "ended": None}
_STATUS = {"state": str, "iteration": int, "config_hash": str | None, "error": str | None}
_RESULT = {"budget": dict, "metrics": dict, "fingerprint": dict, "evaluations": list}
_BUDGET = {"iterations": int, "train_seconds": int | float}
_EVALUATION = {"fingerprint": dict, "metrics": dict}


class RunFolder:
    """Paths and records of one run.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.status_file = self.path / "status.json"
        self.result_file = self.path / "result.json"
        self.metrics_file = self.path / "metrics.csv"
        self.times_file = self.path / "times.csv"
        self.samples = self.path / "samples"
        self.checkpoints = self.path / "checkpoints"
        self.configuration = RunConfiguration(self.path / ".hydra")
        self.lock_file = self.path / ".lock"
        self.last_checkpoint = self.checkpoints / "last.ckpt"

    @classmethod
    def existing(cls, path: str | Path, key: str = "run") -> "RunFolder":
        """The folder of a run that was made before; ``key`` is where the user named it.

        Raises:
            ConfigError: if there is no run in it.
        """
        folder = cls(path)
        if not folder.status_file.is_file():
            raise ConfigError(f"{key}={path}: not a run folder (it has no status.json); expected one made by gan-lab")
        check_inside(folder.path)
        return folder

    @classmethod
    def all_in(cls, path: str | Path) -> "list[RunFolder]":
        """The run in a folder, or, if it is a sweep's, all runs below it.

        Raises:
            ConfigError: if there is none.
        """
        if (Path(path) / "status.json").is_file():
            return [cls.existing(path)]
        if runs := [cls.existing(file.parent) for file in sorted(Path(path).rglob("status.json"))]:
            return runs
        return [cls.existing(path)]

    def create(self, again: bool = False) -> list[Path]:
        """Make the folder, which may exist but must be empty: nothing is ever overwritten.

        Args:
            again: leave out of account what there is of a run that was killed before its first record.

        Returns:
            The folders that were not there before, innermost first.

        Raises:
            ConfigError: if it holds anything, or cannot be made.
        """
        try:
            made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            unborn = rf"\.hydra|gan-lab\.log|\.lock|\.{re.escape(self.status_file.name)}\.\w+\.half"
            inside = next(
                (entry for entry in self.path.iterdir() if not again or not re.fullmatch(unborn, entry.name)), None
            )
        except OSError as error:
            raise ConfigError(f"hydra.run.dir={self.path}: the folder cannot be made: {error.strerror}") from error
        if self.status_file.exists():
            raise ConfigError(f"hydra.run.dir={self.path}: the folder already holds a run; name another folder")
        if inside is not None:
            raise ConfigError(
                f"hydra.run.dir={self.path}: the folder is not empty ({inside.name}); name another folder"
            )
        self.check_writable()
        try:
            self.lock_file.touch(exist_ok=again)  # of two processes that begin at once, one makes it
        except FileExistsError as error:
            raise ConfigError(f"hydra.run.dir={self.path}: another process begins a run there; name another") from error
        return made

    def check_writable(self, key: str = "hydra.run.dir") -> None:
        """Raise ConfigError if the folder, which exists and was named by ``key``, cannot be written to."""
        if not os.access(self.path, os.W_OK):
            raise ConfigError(f"{key}={self.path}: the folder cannot be written to")

    def discard(self, made: list[Path]) -> None:
        """Take back all there is of a run that never began to train, and the folders that `create` made for it.

        Nothing happens if it did begin, or if it is another process's.
        """
        with suppress(CannotGoOn), self.held():
            if not self.metrics_file.exists():
                self._discard(made)

    def _discard(self, made: list[Path]) -> None:
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        for folder in made:
            folder.rmdir()

    def change_configuration(self, config: DictConfig, overrides: list[str]) -> None:
        """Put a configuration, and the overrides that make it, in the place of the first; that one stays beside it."""
        # a process killed in between leaves what the next one completes, and no hash that something else must have
        iteration = self.status()["iteration"]
        self.update_status(config_hash=None)
        self.configuration.change(config, overrides, iteration)
        self.update_status(config_hash=config_hash(config))

    def checkpoint(self, iteration: int) -> Path:
        """The checkpoint made after so many iterations."""
        return self.checkpoints / f"iteration_{iteration:07d}.ckpt"

    def saved_iterations(self) -> list[int]:
        """The iterations of the checkpoints there are, in order."""
        return sorted(_iterations(self.checkpoints, "ckpt").values())

    def point_last_checkpoint(self, iteration: int) -> None:
        """Let ``last.ckpt`` be the checkpoint of an iteration; the link is relative, as folders move."""
        link = self.checkpoints / ".last.ckpt.half"
        link.unlink(missing_ok=True)
        link.symlink_to(self.checkpoint(iteration).name)
        link.replace(self.last_checkpoint)

    def cut_back(self, iteration: int) -> None:
        """Take back what was written after an iteration: rows of curves, pictures, half-written rows and files.

        Checkpoints of later iterations, which are broken, are renamed.
        """
        remove_half_written(self.path)
        for file in (self.metrics_file, self.times_file):
            if file.exists():
                rows = file.read_bytes().splitlines(keepends=True)
                whole = [row for row in rows if (point := _POINT.fullmatch(row)) and int(point[1]) <= iteration]
                with replacing(file) as stream:
                    stream.writelines([_HEADER, *whole])
        for picture, made in _iterations(self.samples, "png").items():
            if made > iteration:
                picture.unlink()
        for later in self.saved_iterations():
            if later > iteration:
                broken = self.checkpoint(later).with_suffix(".broken")
                while broken.exists():  # of an earlier break
                    broken = broken.with_name(f"{broken.name}.broken")
                self.checkpoint(later).rename(broken)

    def last_point(self) -> int:
        """The last iteration that there are points of curves of, 0 if there are none."""
        if not self.metrics_file.exists():
            return 0
        rows = self.metrics_file.read_bytes().splitlines(keepends=True)
        return max((int(point[1]) for row in rows if (point := _POINT.fullmatch(row))), default=0)

    def status(self) -> dict[str, Any]:
        """What status.json says; BrokenRecord if it is broken."""
        return _checked(self.status_file, _UNTOLD | read_json(self.status_file), _STATUS)

    def result(self) -> dict[str, Any]:
        """What result.json says; BrokenRecord if it is broken."""
        result = _checked(self.result_file, read_json(self.result_file), _RESULT)
        _checked(self.result_file, result["budget"], _BUDGET)
        _checked(self.result_file, result["metrics"], dict.fromkeys(result["metrics"], int | float))
        if not result["metrics"]:
            raise BrokenRecord(f"{self.result_file}: it holds no metric")
        for evaluation in result["evaluations"]:
            _checked(self.result_file, evaluation, _EVALUATION)
        return result

    def add_evaluation(self, evaluation: dict[str, Any]) -> bool:
        """Add metrics to result.json under ``evaluations``, unless they are there; whether they were added."""
        with self.held():
            result = self.result()
            known = [result, *result["evaluations"]]
            if any(
                entry["fingerprint"] == evaluation["fingerprint"]
                and entry["metrics"].keys() >= evaluation["metrics"].keys()
                for entry in known
            ):
                return False
            write_json(self.result_file, result | {"evaluations": [*result["evaluations"], evaluation]})
        return True

    def curves(self) -> dict[str, dict[int, float]]:
        """The curves in metrics.csv: by name, each value by its iteration."""
        curves: dict[str, dict[int, float]] = {}
        with self.metrics_file.open(newline="") as file:
            for row in csv.DictReader(file):
                curves.setdefault(row["name"], {})[int(row["iteration"])] = float(row["value"])
        return curves

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes off the run; the system lets go of it when this one ends, however it ends.

        Raises:
            CannotGoOn: if another process is at work on it.
        """
        lock = FileLock(self.lock_file, blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise CannotGoOn(f"{self.path}: another process is at work on this run; wait for it or stop it") from error
        except IsADirectoryError as error:
            raise CannotGoOn(f"{self.lock_file}: it is a folder: expected a file") from error
        try:
            yield
        finally:
            lock.release()

    def update_status(self, **changes: Any) -> None:
        """Change some entries of status.json, atomically; without one, start it."""
        before = self.status() if self.status_file.exists() else {}
        write_json(self.status_file, _UNTOLD | before | changes)


def _iterations(folder: Path, kind: str) -> dict[Path, int]:
    """The files of a folder that have our names, ``iteration_<i>.<kind>``, with their iterations; no user's copies."""
    ours = re.compile(rf"iteration_(\d+)\.{kind}")
    return {file: int(name[1]) for file in folder.glob(f"iteration_*.{kind}") if (name := ours.fullmatch(file.name))}


def _checked(file: Path, record: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    """The record, each of the keys of its kind; BrokenRecord names one that is not."""
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise BrokenRecord(f"{file}: '{key}' is missing or of the wrong kind: expected it as gan-lab wrote it")
    return record


def append_points(file: Path, iteration: int, values: dict[str, float]) -> None:
    """Add rows ``iteration,name,value`` to a file of curves, in one write."""
    new = not file.exists()
    with named(file), file.open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if new:
            stream.write(_HEADER.decode())
        writer.writerows([iteration, name, repr(value)] for name, value in values.items())
