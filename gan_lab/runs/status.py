"""status.json: how a run goes, true whatever happens."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.errors import CannotGoOn, ConfigError, Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.stop_signals import Stop, signal_of
from gan_lab.storage.files import concerns, replacing

RUNNING = {"state": "running", "error": None, "ended": None}


def at_work(run: Path) -> bool:
    """Whether a process of this machine holds the run: one that evaluates many samples writes nothing for long."""
    folder = RunFolder(run)
    if not os.path.isfile(folder.lock_file) or not os.access(folder.lock_file, os.W_OK):
        return False
    try:
        with folder.held():
            return False
    except CannotGoOn:
        return True


@contextmanager
def recorded(folder: RunFolder, config_hash: str, resume: bool = False, stop: Stop | None = None) -> Iterator[Stop]:
    """Inside, a run takes place: status.json says running, and afterwards how it ended. Exceptions are passed on.

    A run that goes on keeps the time at which it started, and its last saved iteration.

    Args:
        folder: the run's; locked meanwhile.
        config_hash: of the run's configuration.
        resume: whether the run was begun before.
        stop: what hears the signals; None for one of its own.

    Yields:
        What hears the signals by which the run is stopped.

    Raises:
        ConfigError: if another process is at work on the run or has begun it meanwhile; if the folder cannot be written
            to any more.
    """
    stop = Stop() if stop is None else stop
    with folder.held():
        if folder.status_file.exists() and not resume:
            raise ConfigError(f"{folder.path}: the folder already holds a run; give every run a folder of its own")
        before = folder.status() if folder.status_file.exists() else {"started": _now()}
        record = folder.status_file.read_bytes() if resume else b""
        try:
            with _disk_errors_named(folder), stop:
                if before.get("state") != "done":  # a run that is done stays so until training begins
                    folder.update_status(**before | RUNNING)
                if before.get("config_hash") is None:
                    folder.update_status(config_hash=config_hash)
                yield stop
                folder.update_status(state="done", ended=_now())
        except Diverged as error:
            _record_end(folder, state="diverged", error=str(error), iteration=error.iteration)
            raise
        except USER_ERRORS as error:
            if resume and not stop.began and before["state"] != "running":  # refused: everything is as it was
                with replacing(folder.status_file) as file:
                    file.write(record)
            else:
                _record_end(folder, state="failed", error=sentence(error))
            raise
        except Exception:
            _record_end(folder, state="failed", error=traceback.format_exc())
            raise
        except BaseException as error:
            _record_end(folder, **_how_stopped(error))
            raise


def record_refusal(folder: RunFolder, config_hash: str | None, reason: str) -> None:
    """Record a run that was refused before its process began."""
    before = folder.status() if folder.status_file.exists() else {"started": _now()}
    folder.update_status(**before | {"state": "failed", "config_hash": config_hash, "error": reason, "ended": _now()})


def _record_end(folder: RunFolder, **changes: Any) -> None:
    if folder.status_file.exists() and folder.status()["state"] == "done":
        return  # it was refused before it changed
    with suppress(OSError):  # a full disk, which may be what ended the run; the record then stays "running"
        folder.update_status(**changes, ended=_now())


@contextmanager
def _disk_errors_named(folder: RunFolder) -> Iterator[None]:
    """Turn an error of writing to the folder into a sentence that says from where the run can go on."""
    try:
        yield
    except OSError as error:
        if not concerns(error, folder.path):
            raise
        last = folder.saved_iterations()[-1:]
        then = f"goes on from iteration {last[0]}" if last else "starts over"
        raise ConfigError(
            f"{error.filename or folder.path}: it cannot be written: {error.strerror}; "
            f"resume={folder.path} {then} once it can"
        ) from error


def _how_stopped(error: BaseException) -> dict[str, str]:
    """The record of an exit: interrupted by a signal, or failed, if the run itself ended the program."""
    if not isinstance(error, SystemExit):
        return {"state": "interrupted", "error": f"stopped by {type(error).__name__}"}
    if (number := signal_of(error.code)) is not None:
        return {"state": "interrupted", "error": f"stopped by {number.name}"}
    return {"state": "failed", "error": f"exited with status {error.code or 0}"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
