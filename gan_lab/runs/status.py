"""The record of how a run goes: status.json, true of it whatever happens."""

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from omegaconf import DictConfig

from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.errors import ConfigError, Diverged
from gan_lab.runs.configuration import config_hash
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.stop_signals import Stop
from gan_lab.storage.files import concerns

RUNNING = {"state": "running", "error": None, "ended": None}


@contextmanager
def recorded(folder: RunFolder, config: DictConfig, resume: bool = False) -> Iterator[Stop]:
    """Keep status.json true of what happens inside, whatever it is; exceptions go on to the caller.

    A run that goes on keeps when it started, and how far it came.

    Args:
        folder: the run's; nobody else may be at work on it.
        config: the run's, whose hash is recorded.
        resume: whether the run was begun before.

    Yields:
        what hears the signals by which the run is stopped.

    Raises:
        ConfigError: if another process is at work on the run, or has begun it meanwhile; if the folder takes no more.
    """
    with folder.held():
        if folder.status_file.exists() and not resume:
            raise ConfigError(f"{folder.path}: the folder already holds a run; give every run a folder of its own")
        before = folder.status() if folder.status_file.exists() else {"started": _now()}
        try:
            with _disk_errors_named(folder), Stop() as stop:
                if before.get("state") != "done":  # one that is done stays so until training takes it up
                    folder.update_status(**before | RUNNING)
                if before.get("config_hash") is None:
                    folder.update_status(config_hash=config_hash(config))
                yield stop
                folder.update_status(state="done", ended=_now())
        except Diverged as error:
            _record_end(folder, state="diverged", error=str(error), iteration=error.iteration)
            raise
        except Exception as error:
            reason = sentence(error) if isinstance(error, USER_ERRORS) else traceback.format_exc()
            _record_end(folder, state="failed", error=reason)
            raise
        except BaseException as error:
            _record_end(folder, **_how_stopped(error))
            raise


def _record_end(folder: RunFolder, **changes: Any) -> None:
    if folder.status_file.exists() and folder.status()["state"] == "done":
        return  # nothing has been done to it
    with suppress(OSError):  # of a full disk, which is what ended the run; the record then stays "running"
        folder.update_status(**changes, ended=_now())


@contextmanager
def _disk_errors_named(folder: RunFolder) -> Iterator[None]:
    """Say in one sentence that the folder takes no more, and what then."""
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
    """A signal interrupts; a run that ends the program by itself has failed."""
    if not isinstance(error, SystemExit):
        return {"state": "interrupted", "error": f"stopped by {type(error).__name__}"}
    if isinstance(error.code, int) and error.code > 128:
        return {"state": "interrupted", "error": f"stopped by {signal.Signals(error.code - 128).name}"}
    return {"state": "failed", "error": f"exited with status {error.code or 0}"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
