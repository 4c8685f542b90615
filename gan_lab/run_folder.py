"""The folder of a run: what is in it, and how it comes to be there (DESIGN.md §4, "Run folder")."""

import csv
import hashlib
import json
import shutil
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from omegaconf import DictConfig, OmegaConf

from gan_lab.errors import USER_ERRORS, ConfigError, Diverged, sentence
from gan_lab.files import write_json

_UNTOLD = {"state": "failed", "config_hash": None, "iteration": 0, "error": None, "started": None, "ended": None}


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
        self._config_file = self.path / ".hydra" / "config.yaml"
        self.last_checkpoint = self.checkpoints / "last.ckpt"

    @classmethod
    def existing(cls, path: str | Path) -> "RunFolder":
        """The folder of a run that was made before.

        Raises:
            ConfigError: if there is no run in it.
        """
        folder = cls(path)
        if not folder.status_file.is_file():
            raise ConfigError(f"run={path}: not a run folder (it has no status.json); expected one made by gan-lab")
        return folder

    @classmethod
    def all_in(cls, path: str | Path) -> "list[RunFolder]":
        """The run in a folder, or, if it is a sweep's, all runs below it.

        Raises:
            ConfigError: if there is none.
        """
        if (Path(path) / "status.json").is_file():
            return [cls(path)]
        if runs := [cls(file.parent) for file in sorted(Path(path).rglob("status.json"))]:
            return runs
        return [cls.existing(path)]

    def create(self) -> list[Path]:
        """Make the folder, which may exist but must be empty: nothing is ever overwritten.

        Returns:
            The folders that were not there before, innermost first.

        Raises:
            ConfigError: if it holds anything, or cannot be made.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            inside = next(self.path.iterdir(), None)
        except OSError as error:
            raise ConfigError(f"hydra.run.dir={self.path}: the folder cannot be made: {error.strerror}") from error
        if self.status_file.exists():
            raise ConfigError(f"hydra.run.dir={self.path}: the folder already holds a run; name another folder")
        if inside is not None:
            raise ConfigError(
                f"hydra.run.dir={self.path}: the folder is not empty ({inside.name}); name another folder"
            )
        return made

    def discard(self, made: list[Path]) -> None:
        """Take back all there is of a run that never began to train, and the folders that `create` made for it."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        for folder in made:
            folder.rmdir()

    def config(self) -> DictConfig:
        """The configuration the run was made with.

        Raises:
            ConfigError: if it is missing.
        """
        if not self._config_file.is_file():
            raise ConfigError(f"{self._config_file} is missing: the run cannot be rebuilt without its configuration")
        config = OmegaConf.load(self._config_file)
        assert isinstance(config, DictConfig)
        return config

    def status(self) -> dict[str, Any]:
        return json.loads(self.status_file.read_text())

    def result(self) -> dict[str, Any]:
        return json.loads(self.result_file.read_text())

    def add_evaluation(self, evaluation: dict[str, Any]) -> bool:
        """Add metrics to result.json under ``evaluations``, unless they are there; whether they were added."""
        with FileLock(self.path / ".lock"):
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

    def update_status(self, **changes: Any) -> None:
        """Change some entries of status.json, atomically; without one, start it."""
        before = self.status() if self.status_file.exists() else _UNTOLD
        write_json(self.status_file, before | changes)

    @contextmanager
    def recorded(self, config: DictConfig) -> Iterator[None]:
        """Keep status.json true of what happens inside, whatever it is; exceptions go on to the caller."""
        write_json(self.status_file, _UNTOLD | {"state": "running", "started": _now()})
        try:
            self.update_status(config_hash=config_hash(config))
            yield
        except Diverged as error:
            self.update_status(state="diverged", error=str(error), iteration=error.iteration, ended=_now())
            raise
        except Exception as error:
            reason = sentence(error) if isinstance(error, USER_ERRORS) else traceback.format_exc()
            self.update_status(state="failed", error=reason, ended=_now())
            raise
        except BaseException as error:
            self.update_status(state="interrupted", error=_how_stopped(error), ended=_now())
            raise
        self.update_status(state="done", ended=_now())


def append_points(file: Path, iteration: int, values: dict[str, float]) -> None:
    """Add rows ``iteration,name,value`` to a file of curves, in one write."""
    new = not file.exists()
    with file.open("a", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if new:
            writer.writerow(["iteration", "name", "value"])
        writer.writerows([iteration, name, repr(value)] for name, value in values.items())


def config_hash(config: DictConfig) -> str:
    """A hash of everything that was asked for, after interpolation."""
    text = json.dumps(OmegaConf.to_container(config, resolve=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _how_stopped(error: BaseException) -> str:
    if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
        return f"stopped by {signal.Signals(error.code - 128).name}"
    return f"stopped by {type(error).__name__}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
