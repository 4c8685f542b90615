"""Around Hydra's jobs: what is checked before a folder is made, and how a sweep's folders are named."""

import hashlib
import re
import sys
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from gan_lab.errors import USER_ERRORS, ConfigError, Diverged, exit_with
from gan_lab.resuming import goes_on
from gan_lab.run_folder import RunFolder
from gan_lab.schema import check

_LONGEST_NAME = 80  # characters of a job's folder; file systems allow 255 bytes


def job_folder(number: int, overrides: str) -> str:
    """A short, unique, readable folder name: the job's number and its overrides, less what folders dislike."""
    slug = re.sub(r"[^\w=.,+-]+", "-", overrides)
    if len(slug) > _LONGEST_NAME:
        slug = f"{slug[:_LONGEST_NAME]}-{hashlib.sha256(overrides.encode()).hexdigest()[:8]}"
    return f"{number:03d}_{slug}" if slug else f"{number:03d}"


OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)


class Launch(Callback):
    """Stops a bad single run before Hydra makes its folder, takes back one that never began, and sums up a sweep.

    Hydra turns an Exception of a callback into a warning; SystemExit is none, and ends the program with its sentence.
    """

    def __init__(self) -> None:
        self.made: list[Path] | None = None  # None: the run was begun before

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            check(config)
            folder = RunFolder(config.hydra.run.dir)
            if goes_on(config, folder):
                folder.check_writable()
            else:
                self.made = folder.create(again=config.resume is not None)
        except USER_ERRORS as error:
            exit_with(error)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        job_return: JobReturn = kwargs["job_return"]
        error = job_return._return_value if job_return.status == JobStatus.FAILED else None
        if isinstance(error, USER_ERRORS):
            if self.made is not None and not isinstance(error, Diverged):
                RunFolder(config.hydra.run.dir).discard(self.made)
            exit_with(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigError(f"hydra.sweep.dir={folder}: the folder is not empty; name another folder")
        except OSError as error:
            exit_with(ConfigError(f"hydra.sweep.dir={folder}: the folder cannot be made: {error.strerror}"))
        except ConfigError as error:
            exit_with(error)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        # Hydra writes the overrides of every job before it starts: no job is missed, whatever became of it
        runs = [RunFolder(file.parent.parent) for file in sorted(folder.rglob(".hydra/overrides.yaml"))]
        if not runs:
            exit_with(ConfigError("the sweep has no runs: its glob or choice matches nothing"))
        states = [
            (run, run.status() if run.status_file.exists() else {"state": "failed", "error": None}) for run in runs
        ]
        print(f"\n{sum(status['state'] == 'done' for _, status in states)} of {len(runs)} runs done, in {folder}")
        failures = [(run, status) for run, status in states if status["state"] != "done"]
        for run, status in failures:
            reason = (status["error"] or "it left no word").strip().splitlines()[-1]
            print(f"  {status['state']}: {run.path.relative_to(folder)}: {reason}", file=sys.stderr)
        if failures:
            sys.exit(1)
