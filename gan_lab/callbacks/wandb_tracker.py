"""Weights & Biases as a tracker."""

import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gan_lab.callbacks.trackers import NamedTracker, Points

_EXITS = {"success": 0, "failed": 1, "interrupted": 130}
_LONGEST_WAIT = 300  # seconds for what is not uploaded yet when a run ends
_SETTINGS: dict[str, Any] = {
    "console": "off",  # the terminal is gan_lab's
    "silent": True,
    "symlink": False,  # a link in a run's folder may not lead out of it
    "disable_git": True,  # git runs what the working directory's configuration names
    "save_code": False,
    "finish_timeout": _LONGEST_WAIT,
}


class WandbTracker(NamedTracker):
    """Points are rows of W&B's history, at W&B's step = iteration.

    Offline, the files are written anew when a run goes on, under the same run id: `wandb sync` sends one run. Online,
    the run goes on; W&B has the points before its own next step already, and takes no others there.
    """

    _first = 0  # the first step that W&B lacks

    def open(self) -> None:
        with self._former_aside():
            self._open()

    @contextmanager
    def _former_aside(self) -> Iterator[None]:
        """Inside, W&B does not see files from before, which may have a foreign folder's settings; back on failure."""
        files, aside = self.folder / "wandb", self.folder / "wandb.former"
        if aside.exists():  # the process was killed in here
            shutil.rmtree(files, ignore_errors=True)
        elif files.exists():
            files.rename(aside)
        try:
            yield
        except BaseException:
            if aside.exists():
                shutil.rmtree(files, ignore_errors=True)
                aside.rename(files)
            raise
        shutil.rmtree(aside, ignore_errors=True)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ["WANDB_SILENT"] = "true"
        os.environ["WANDB_DIR"] = str(self.folder)  # not ./wandb, whose settings could name another host
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its own reports to the vendor
        import wandb

        logging.getLogger("wandb").setLevel(logging.ERROR)
        wandb.setup(wandb.Settings(silent=True))  # it would warn of what Lightning hands over
        offline = bool(self.block.get("offline"))
        if not offline and wandb.api.api_key is None:  # W&B would wait for someone to type one
            raise RuntimeError("there is no API key for W&B; expected one from `wandb login`, or offline=true")
        if wandb.run is not None:  # Lightning would write into it
            raise RuntimeError("another run of W&B is under way in this process; expected wandb.finish() before")
        if (run_id := self.record()) is None:
            run_id = secrets.token_hex(8)
            self.keep_record({"id": run_id})
        labels = {"name": self.run_name, "group": self.group} | {
            key: self.block[key] for key in ("name", "group") if key in self.block
        }
        self.logger = self.make(
            save_dir=str(self.folder),
            id=run_id,
            mode="offline" if offline else "online",
            settings=wandb.Settings(**_SETTINGS | dict(self.block.get("settings", {}))),
            **labels,
        )
        self.run = self.logger.experiment  # type: ignore[attr-defined]  # of every logger but the base class
        for link in self.folder.rglob("*.log"):
            if link.is_symlink():  # to W&B's cache: a run's folder may not have one that leads out of it
                link.unlink()
        self._first = int(self.run.step)

    def points(self, iteration: int, values: Points) -> None:
        if iteration >= self._first:
            self.run.log({**values, "trainer/global_step": iteration}, step=iteration)

    def picture(self, iteration: int, file: Path) -> None:
        import wandb

        if iteration >= self._first:
            self.run.log({"samples": wandb.Image(str(file))}, step=iteration)

    def save(self) -> None:
        """W&B writes by itself."""

    def close(self, ending: str) -> None:
        self.run.finish(exit_code=_EXITS[ending])
