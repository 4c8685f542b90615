"""The folder of a run: where its files are, and how they change (docs/run_folder.md)."""

import csv
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from gan_lab.config.hashing import config_hash
from gan_lab.errors import CannotGoOn, ConfigError, shown
from gan_lab.runs.configuration import RunConfiguration
from gan_lab.runs.making import make_folder, refuse_full, remove_made
from gan_lab.runs.reader import Point, malformed_rows, read_curves, read_points, read_result, read_status
from gan_lab.storage.files import check_inside, named, remove_half_written, replacing, write_json

log = logging.getLogger(__name__)

_HEADER = b"iteration,name,value\n"  # of a file of curves
_NEW_STATUS = {"state": "failed", "config_hash": None, "iteration": 0, "error": None, "started": None, "ended": None}
_BEFORE_THE_FIRST_RECORD = r"\.hydra|gan-lab\.log|\.lock|\.status\.json\.\w+\.half"


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
        self.callbacks_file = self.path / "callbacks.csv"
        self.samples = self.path / "samples"
        self.loggers = self.path / "loggers"
        self.checkpoints = self.path / "checkpoints"
        self.configuration = RunConfiguration(self.path / ".hydra")
        self.lock_file = self.path / ".lock"
        self.last_checkpoint = self.checkpoints / "last.ckpt"

    @classmethod
    def existing(cls, path: str | Path, key: str = "run") -> "RunFolder":
        """The folder of a run that has begun.

        Args:
            path: the folder.
            key: the key or argument in which the user named it.

        Raises:
            ConfigError: if there is no run in it.
            CannotGoOn: if a link in it leads out of it.
        """
        folder = cls(path)
        if not folder.status_file.is_file():
            raise ConfigError(f"{key}={path}: not a run folder (it has no status.json); expected one made by gan-lab")
        check_inside(folder.path)
        return folder

    @classmethod
    def all_in(cls, path: str | Path) -> "list[RunFolder]":
        """The run in a folder, or all runs below it, of which each is still to be looked at (`existing`).

        Raises:
            ConfigError: if there is none.
        """
        if (Path(path) / "status.json").is_file():
            return [cls.existing(path)]
        below = [cls(file.parent) for file in sorted(Path(path).rglob("status.json"))]
        return below or [cls.existing(path)]

    def create(self, again: bool = False) -> list[Path]:
        """Make the folder. It may exist, but must be empty: nothing is ever overwritten.

        Args:
            again: allow the files of a run that was killed before it recorded its status.

        Returns:
            The folders that were not there before, innermost first.

        Raises:
            ConfigError: if it holds anything, or cannot be made.
        """
        key = "hydra.run.dir"
        made, names = make_folder(self.path, key)
        if self.status_file.name in names:
            raise ConfigError(f"{key}={self.path}: the folder already holds a run; name another folder")
        check_inside(self.path)
        others = [name for name in names if not (again and re.fullmatch(_BEFORE_THE_FIRST_RECORD, name))]
        refuse_full(self.path, key, others)
        self.check_writable()
        try:
            self.lock_file.touch(exist_ok=again)  # of two processes that begin at once, only one can make it
        except FileExistsError as error:
            raise ConfigError(f"{key}={self.path}: another process begins a run there; name another") from error
        return made

    def check_writable(self, key: str = "hydra.run.dir") -> None:
        """Raise ConfigError if the folder, which exists and was named in ``key``, cannot be written to."""
        if not os.access(self.path, os.W_OK):
            raise ConfigError(f"{key}={self.path}: the folder cannot be written to")

    def discard(self, made: list[Path]) -> None:
        """Remove the files of a run that never began to train, and the folders that `create` made for it.

        Does nothing if the run did begin, or if another process holds it.
        """
        with suppress(CannotGoOn), self.held():
            if self.metrics_file.exists():
                return
            for entry in self.path.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            remove_made(made)

    def change_configuration(self, config: DictConfig, overrides: list[str]) -> None:
        """Replace the configuration and its overrides; the old ones are kept beside them."""
        # without a hash in between: a process killed here leaves a folder that the next one can complete
        iteration = self.status()["iteration"]
        self.update_status(config_hash=None)
        self.configuration.change(config, overrides, iteration)
        self.update_status(config_hash=config_hash(config))

    def checkpoint(self, iteration: int) -> Path:
        """The checkpoint made after so many iterations."""
        return self.checkpoints / f"iteration_{iteration:07d}.ckpt"

    def best_checkpoint(self, iteration: int) -> Path:
        """The checkpoint of weights that were the best so far after so many iterations."""
        return self.checkpoints / f"best_{iteration:07d}.ckpt"

    def point_best_checkpoint(self, iteration: int) -> None:
        """Make ``best.ckpt`` a link to an iteration's best weights.

        Of older ones those stay that were the best at a checkpoint from which the run could go on.
        """
        made = sorted(_iterations(self.checkpoints, "ckpt", "best").values())
        needed = {max((one for one in made if one <= saved), default=None) for saved in self.saved_iterations()}
        for old in made:
            if old != iteration and old not in needed:
                self.best_checkpoint(old).unlink()
        self._point("best", self.best_checkpoint(iteration))

    def saved_iterations(self) -> list[int]:
        """The iterations of the checkpoints in the folder, in order."""
        return sorted(_iterations(self.checkpoints, "ckpt").values())

    def point_last_checkpoint(self, iteration: int) -> None:
        """Make ``last.ckpt`` a link to an iteration's checkpoint; it is relative, so that the folder can be moved."""
        self._point("last", self.checkpoint(iteration))

    def _point(self, name: str, checkpoint: Path) -> None:
        link = self.checkpoints / f".{name}.ckpt.half"
        link.unlink(missing_ok=True)
        link.symlink_to(checkpoint.name)
        link.replace(self.checkpoints / f"{name}.ckpt")

    def cut_back(self, iteration: int) -> None:
        """Remove what was written after an iteration: rows of curves, pictures, half-written rows and files.

        Checkpoints of later iterations are broken, and are renamed.
        """
        remove_half_written(self.path)
        for file in self._curves_files():
            if file.exists():
                if lost := malformed_rows(file):
                    log.warning("gan-lab: warning: %s: rows that cannot be read are dropped: %d", shown(file), lost)
                kept = [point.row for point in read_points(file) if point.iteration <= iteration]
                with replacing(file) as stream:
                    stream.writelines([_HEADER, *kept])
        for picture, made in _iterations(self.samples, "png").items():
            if made > iteration:
                picture.unlink()
        best = sorted(_iterations(self.checkpoints, "ckpt", "best").values())
        for later in [one for one in best if one > iteration]:
            self.best_checkpoint(later).unlink()
        if best and best[0] <= iteration:
            self.point_best_checkpoint(max(one for one in best if one <= iteration))
        else:
            (self.checkpoints / "best.ckpt").unlink(missing_ok=True)
        for later in self.saved_iterations():
            if later > iteration:
                broken = self.checkpoint(later).with_suffix(".broken")
                while broken.exists():  # from an earlier resume
                    broken = broken.with_name(f"{broken.name}.broken")
                self.checkpoint(later).rename(broken)

    def _curves_files(self) -> tuple[Path, ...]:
        return self.metrics_file, self.times_file, self.callbacks_file

    def points(self) -> list[Point]:
        """Every point of every curve, of the clock's and of the callbacks' too."""
        return [point for file in self._curves_files() for point in read_points(file)]

    def pictures(self) -> dict[int, Path]:
        """The pictures of samples by iteration."""
        return {iteration: file for file, iteration in _iterations(self.samples, "png").items()}

    def last_point(self) -> int:
        """The last iteration in metrics.csv, 0 if it has no rows."""
        return max((point.iteration for point in read_points(self.metrics_file)), default=0)

    def status(self) -> dict[str, Any]:
        """The content of status.json (`read_status`)."""
        return read_status(self.status_file)

    def result(self) -> dict[str, Any]:
        """The content of result.json (`read_result`)."""
        return read_result(self.result_file)

    def curves(self) -> dict[str, dict[int, float]]:
        """The curves in metrics.csv: by name, each value by its iteration."""
        return read_curves(self.metrics_file)

    def add_evaluation(self, evaluation: dict[str, Any]) -> bool:
        """Add metrics to ``evaluations`` in result.json, unless it has them. Returns whether they were added."""
        with self.held():
            result = self.result()
            for known in (result, *result["evaluations"]):
                same = known["fingerprint"] == evaluation["fingerprint"]
                if same and known["metrics"].keys() >= evaluation["metrics"].keys():
                    return False
            write_json(self.result_file, result | {"evaluations": [*result["evaluations"], evaluation]})
        return True

    def add_sampling_error(self, error: dict[str, Any]) -> None:
        """Put a `gan_lab.runs.sampling_error` into ``sampling`` of result.json; one of its fingerprint makes way."""
        self._add("sampling", error, ("fingerprint",))

    def add_usefulness(self, scores: dict[str, Any]) -> None:
        """Put scores of `gan_lab.runs.usefulness` into ``usefulness`` of result.json; older such make way."""
        self._add("usefulness", scores, ("steps", "weights"))

    def _add(self, field: str, entry: dict[str, Any], same: Sequence[str]) -> None:
        """Append to a list in result.json, in the place of those that are the same in some keys."""
        with self.held():
            result = self.result()
            before = result.get(field)
            others = [one for one in before if isinstance(one, dict)] if isinstance(before, list) else []
            kept = [one for one in others if any(one.get(key) != entry[key] for key in same)]
            write_json(self.result_file, result | {field: [*kept, entry]})

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the run against other processes. The system removes the lock when this process ends.

        Raises:
            CannotGoOn: if another process holds it.
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
        """Change some entries of status.json, atomically; make the file if it is missing."""
        before = self.status() if self.status_file.exists() else {}
        write_json(self.status_file, _NEW_STATUS | before | changes)


def _iterations(folder: Path, kind: str, name: str = "iteration") -> dict[Path, int]:
    """The files ``<name>_<i>.<kind>`` in a folder, with their iterations; users' copies have other names."""
    ours = re.compile(rf"{name}_(\d+)\.{kind}")
    return {file: int(found[1]) for file in folder.glob(f"{name}_*.{kind}") if (found := ours.fullmatch(file.name))}


def append_points(file: Path, iteration: int, values: dict[str, float]) -> None:
    """Add rows ``iteration,name,value`` to a file of curves, in one write."""
    new = not file.exists()
    with named(file), file.open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if new:
            stream.write(_HEADER.decode())
        writer.writerows([iteration, name, repr(value)] for name, value in values.items())
