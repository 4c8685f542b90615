"""Trackers: Lightning's loggers, which are told what gan_lab writes to its own files.

A tracker never ends a run: the first error of one is a warning, and the run goes on without it. Nor does it change one:
the states of the global random generators are put back after each call, and its time is not training time.
"""

import logging
import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from gan_lab.callbacks.base import Callback
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.config.messages import first_line
from gan_lab.errors import shown
from gan_lab.runs.folder import RunFolder
from gan_lab.storage.files import read_json, write_json

log = logging.getLogger(__name__)

Points = Mapping[str, float]


class Tracker:
    """A logger of Lightning's that gets curves from where training starts. It is made when training begins.

    Args:
        name: its key in the configuration's block ``logger``.
        folder: its own, in the run's.
        make: makes the logger, of arguments beside those of its block.

    Attributes:
        known: by curve, the iterations whose points it has; they are not sent again.
    """

    def __init__(self, name: str, folder: Path, make: Callable[..., Logger]) -> None:
        self.name = name
        self.folder = folder
        self.make = make
        self.known: dict[str, set[int]] = {}
        self.catches_up = True  # whether it is sent what the run has written before

    def open(self) -> None:
        """Make the logger."""
        first = self.record() is None
        self.catches_up = first  # what it got before is elsewhere, and cannot be looked at
        if first:
            self.keep_record({})
        self.logger = self.make(save_dir=str(self.folder))

    def parameters(self, values: Mapping[str, Any]) -> None:
        self.logger.log_hyperparams(dict(values))

    def key(self, name: str) -> str:
        """What a curve is called there."""
        return name

    def points(self, iteration: int, values: Points) -> None:
        """Take the points of an iteration."""
        self.logger.log_metrics(dict(values), step=iteration)

    def picture(self, iteration: int, file: Path) -> None:
        """Take a picture of samples; a logger of an unknown kind takes none."""

    def save(self) -> None:
        self.logger.save()

    def close(self, ending: str) -> None:
        """End: ``success``, ``failed`` or ``interrupted``."""
        self.logger.finalize("success" if ending == "success" else "failed")

    def record(self) -> str | None:
        """The name of the run there, if the tracker had one before; empty if it needs none."""
        if not (file := self.folder / "run.json").is_file():
            return None
        name = read_json(file).get("id", "")
        if not isinstance(name, str) or not re.fullmatch(r"\w{0,64}", name):
            raise ValueError(f"{file}: expected an id of at most 64 letters and digits")
        return name

    def keep_record(self, entries: Mapping[str, str]) -> None:
        write_json(self.folder / "run.json", dict(entries))


class LocalTracker(Tracker):
    """A logger that writes files alone (CSV, TensorBoard): they are written anew when a run goes on."""

    def open(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.logger = self.make(save_dir=str(self.folder.parent), name=self.folder.name, version="")

    def picture(self, iteration: int, file: Path) -> None:
        add = getattr(self.logger.experiment, "add_image", None)  # type: ignore[attr-defined]  # TensorBoard's
        if add is not None:
            from PIL import Image

            with Image.open(file) as image:
                add("samples", np.asarray(image), iteration, dataformats="HWC")


class NamedTracker(Tracker):
    """A logger of a place that keeps runs by their names and groups.

    Args:
        name: see `Tracker`.
        folder: see `Tracker`.
        make: see `Tracker`.
        block: the logger's in the configuration.
        run: the name that the run gets there.
        group: the sweep's name, if the run is one of a sweep.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        make: Callable[..., Logger],
        block: Mapping[str, Any],
        run: str,
        group: str | None,
    ) -> None:
        super().__init__(name, folder, make)
        self.block = block
        self.run_name = run
        self.group = group


class Trackers(Callback):
    """All trackers of a run.

    Args:
        folder: the run's.
        trackers: in the order in which they are told.
        stopwatch: stopped meanwhile.
    """

    def __init__(self, folder: RunFolder, trackers: Sequence[Tracker], stopwatch: Stopwatch) -> None:
        self.folder = folder
        self.stopwatch = stopwatch
        self._working: list[Tracker] = []
        self._waiting = list(trackers)

    def open(self, parameters: Mapping[str, Any]) -> None:
        """Open all, and send each what the run has written so far and the tracker lacks."""
        if not self._waiting:
            return
        self._working, self._waiting = self._waiting, []
        self._each(lambda one: one.open())
        self._each(lambda one: one.parameters(parameters))
        written = self._written()
        self._each(lambda one: _catch_up(one, written))

    def points(self, iteration: int, values: Points) -> None:
        """Send a point of each of several curves."""
        self._each(lambda one: _send(one, iteration, values))

    def picture(self, iteration: int, file: Path) -> None:
        """Send the picture of an iteration."""
        self._each(lambda one: one.picture(iteration, file))

    def save(self) -> None:
        """Let all write what they still hold."""
        self._each(lambda one: one.save())

    def close(self, ending: str = "success") -> None:
        """End all."""
        self._each(lambda one: one.close(ending))
        self._working = []

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.close("failed" if isinstance(exception, Exception) else "interrupted")

    def _each(self, work: Callable[[Tracker], None]) -> None:
        if not self._working:
            return
        with self.stopwatch.stopped(), _randomness_kept():
            for tracker in list(self._working):
                try:
                    work(tracker)
                except Exception as error:  # of any kind: none is worth a run
                    self._working.remove(tracker)
                    said = shown(first_line(error))
                    log.warning("gan-lab: warning: logger.%s: %s; the run goes on without it", tracker.name, said)

    def _written(self) -> list[tuple[int, dict[str, float], Path | None]]:
        """What the run has written so far: by iteration, the points and the picture."""
        rows: dict[int, dict[str, float]] = {}
        for point in self.folder.points():
            rows.setdefault(point.iteration, {})[point.name] = point.value
        pictures = self.folder.pictures()
        return [(at, rows.get(at, {}), pictures.get(at)) for at in sorted(rows.keys() | pictures.keys())]


def _catch_up(tracker: Tracker, written: Sequence[tuple[int, dict[str, float], Path | None]]) -> None:
    if not tracker.catches_up:
        return
    for iteration, values, picture in written:
        _send(tracker, iteration, values)
        if picture is not None:
            tracker.picture(iteration, picture)


def _send(tracker: Tracker, iteration: int, values: Points) -> None:
    new = {name: value for name, value in values.items() if iteration not in tracker.known.get(tracker.key(name), ())}
    if new:
        tracker.points(iteration, new)


@contextmanager
def _randomness_kept() -> Iterator[None]:
    """Put the states of the global random generators of the CPU back afterwards."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        yield
    random.setstate(of_python)
    np.random.set_state(of_numpy)
