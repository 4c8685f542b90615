"""Measurements that are made after a run, for its result.json."""

import logging
from collections.abc import Callable
from typing import Any

from gan_lab.config.messages import sentence
from gan_lab.errors import CannotGoOn, shown
from gan_lab.runs.folder import RunFolder

log = logging.getLogger(__name__)


def record(run: RunFolder, add: Callable[[dict[str, Any]], None], measured: dict[str, Any]) -> None:
    """Add what was measured to a finished run's result.json; a warning says why it could not be.

    Args:
        run: the run.
        add: the method of ``run`` that adds it.
        measured: what took long to measure, and is printed whatever becomes of the file.
    """
    if run.result_file.is_file():
        try:
            add(measured)
        except CannotGoOn as error:
            log.warning("not recorded: %s", sentence(error))
    else:
        log.warning("%s: not recorded, as the run is not finished (%s)", shown(run.path), shown(run.status()["state"]))
