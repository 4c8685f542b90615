"""MLflow as a tracker."""

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from gan_lab.callbacks.trackers import NamedTracker, Points
from gan_lab.errors import shown
from gan_lab.storage.files import check_inside

log = logging.getLogger(__name__)

_ENDINGS = {"success": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_AT_ONCE = 1000  # points in a request, of which MLflow takes no more
_LONGEST = 250  # letters of a parameter, to which Lightning cuts it
_SECONDS = 5.0  # between requests: one takes as long as many iterations of small networks


class MLflowTracker(NamedTracker):
    """Points are metrics at step = iteration, written every few seconds and before each checkpoint.

    A resumed run goes on in the same MLflow run: MLflow is asked which points it has.

    Args:
        home: the folder of the database: the tracker's, or one in the sweep's folder.
        settings: those of `NamedTracker`.
    """

    def __init__(self, home: Path, *settings: Any) -> None:
        super().__init__(*settings)
        self.home = home
        self._held: list[Any] = []  # points that are not sent yet
        self._sent_at = time.monotonic()

    def open(self) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        import mlflow  # noqa: F401  # it sets the levels of its loggers

        for library in ("mlflow", "alembic", "pytorch_lightning.loggers.mlflow"):
            logging.getLogger(library).setLevel(logging.ERROR)
        if any(map(Path.is_symlink, (self.home, self.home.parent))) or re.search("[?#%]", str(self.home)):
            raise ValueError(f"{self.home}: expected a path that is no link and has no ?, # or % in it")
        self.home.mkdir(parents=True, exist_ok=True)
        check_inside(self.home)  # a sweep's folder may come from a stranger, too
        known = self.record()
        place = {} if self.block.get("tracking_uri") else self._local()
        labels = {
            "experiment_name": self.block.get("experiment_name") or self.group or "gan_lab",
            "run_name": self.block.get("run_name") or self.run_name,
        }
        with FileLock(self.home / ".lock"):  # runs of a sweep may begin at once: one makes the database
            self.logger = self.make(**place, **labels, run_id=known)
            self.client = self.logger.experiment  # type: ignore[attr-defined]  # of every logger but the base class
        self.run_id = str(self.logger.version)
        if known is None:
            self.keep_record({"id": self.run_id})
        run = self.client.get_run(self.run_id)
        self.client.update_run(self.run_id, status="RUNNING")
        for key in run.data.metrics:
            self.known[key] = {point.step for point in self.client.get_metric_history(self.run_id, key)}
        # a database knows where pictures go: one that was moved, or is a stranger's, may name any place
        self._draws = not place or run.info.artifact_uri.startswith(f"{place['artifact_location']}/")
        if not self._draws:
            where = shown(run.info.artifact_uri)
            log.warning("gan-lab: warning: logger.%s: no pictures, as the database puts them into %s", self.name, where)

    def _local(self) -> dict[str, str]:
        database = self.home.absolute() / "mlflow.db"
        artifacts = (self.home.absolute() / "artifacts").as_uri()
        return {"tracking_uri": f"sqlite:///{database}?timeout=60", "artifact_location": artifacts}

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Log the hyper-parameters; one that a resume has changed becomes a tag, as MLflow lets no parameter change."""
        known = self.client.get_run(self.run_id).data.params
        super().parameters({name: value for name, value in values.items() if name not in known})
        for name, value in values.items():
            if name in known and known[name] != str(value)[:_LONGEST]:
                self.client.set_tag(self.run_id, f"now.{name}", str(value)[:_LONGEST])

    def key(self, name: str) -> str:
        return re.sub(r"[^\w/. -]", "_", name, flags=re.ASCII)  # all that MLflow takes

    def points(self, iteration: int, values: Points) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._held += [Metric(self.key(name), value, now, iteration) for name, value in values.items()]
        if len(self._held) >= _AT_ONCE or time.monotonic() - self._sent_at >= _SECONDS:
            self.save()

    def picture(self, iteration: int, file: Path) -> None:
        if self._draws:
            self.client.log_artifact(self.run_id, str(file), "samples")

    def save(self) -> None:
        held, self._held = self._held, []
        for first in range(0, len(held), _AT_ONCE):
            self.client.log_batch(self.run_id, metrics=held[first : first + _AT_ONCE])
        self._sent_at = time.monotonic()

    def close(self, ending: str) -> None:
        self.save()
        self.client.set_terminated(self.run_id, _ENDINGS[ending])
