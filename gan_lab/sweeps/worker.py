"""One run of a sweep, in a process of its own: whatever kills it, the sweep goes on."""

import logging.config
import os
import signal
import sys
import traceback
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.distributed.forkserver import end_with_parent, forkserver
from gan_lab.errors import CannotGoOn, ConfigError
from gan_lab.runs.configuration import config_hash
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.resume import check_has_checkpoints
from gan_lab.runs.sweep_folder import FINISHED, SweepFolder
from gan_lab.storage.files import check_inside

_INTERRUPTED = 128 + signal.SIGINT


def run_apart(config: DictConfig, folder: RunFolder, names: dict[str, str], sweep: SweepFolder, logs: Any) -> float:
    """Run, unless the run is there and finished; one that was interrupted or failed goes on from its last checkpoint.

    What a run was made with is written when it begins, and never again: Hydra would do so every time. A run that
    cannot go on is left as it is.

    Args:
        config: the composed configuration.
        folder: the run's.
        names: the options chosen in the groups.
        sweep: kept up to date.
        logs: what Python's logging is to be configured with.

    Returns:
        The final value of the run's first metric, or NaN if it has none.

    Raises:
        ConfigError: if the folder holds a run of another configuration.
        KeyboardInterrupt: if the run was stopped by SIGINT: so is the sweep.
    """
    try:
        check_inside(folder.path)
        return _run_apart(config, folder, names, sweep, logs)
    except CannotGoOn as error:
        print(f"gan-lab: {folder.path.name}: left as it is: {error}", file=sys.stderr, flush=True)
        sweep.update()
        return float("nan")


def _run_apart(config: DictConfig, folder: RunFolder, names: dict[str, str], sweep: SweepFolder, logs: Any) -> float:
    status = folder.status() if folder.status_file.exists() else None
    if status and status["state"] not in FINISHED:
        with folder.held():
            pass  # it is nobody else's
    begun = status["config_hash"] if status else None
    wrong = None
    try:
        asked = config_hash(config)
    except USER_ERRORS as error:  # an interpolation that leads nowhere is known only here
        asked, wrong = None, sentence(error)
    if begun not in (asked, None):
        raise ConfigError(f"{folder.path}: the folder holds a run of another configuration; name another folder")
    if begun is None:
        folder.configuration.record(config, _hydra(), resolve=wrong is None)
    if wrong is not None:
        folder.update_status(state="failed", error=wrong)
        print(f"gan-lab: {folder.path.name}: failed ({sweep.update()})", flush=True)
        return float("nan")
    if status is None or status["state"] not in FINISHED:
        check_has_checkpoints(folder)
        code = _run_in_child(config, folder, names, logs)
        if code == _INTERRUPTED:
            sweep.update()
            raise KeyboardInterrupt
        if not folder.status_file.exists():  # users' modules may end it as they are imported
            folder.update_status(state="failed", error=f"its process ended with status {code} before it began")
        elif folder.status()["state"] == "running":  # it could not say so itself
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
            folder.update_status(state="failed", error=how)
    state = folder.status()["state"]
    value = next(iter(folder.result()["metrics"].values())) if state == "done" else float("nan")
    print(f"gan-lab: {folder.path.name}: {state} ({sweep.update()})", flush=True)
    return value


def _hydra() -> DictConfig:
    hydra = HydraConfig.instance().cfg
    assert isinstance(hydra, DictConfig)  # Hydra's stubs take it for its dataclass
    return hydra


def _run_in_child(config: DictConfig, folder: RunFolder, names: dict[str, str], logs: Any) -> int:
    # resolved, as only this process knows the resolvers that Hydra's plugins and users register
    asked = OmegaConf.to_yaml(config, resolve=True)
    child = forkserver().Process(target=_child, args=(asked, str(folder.path), names, logs, sys.path))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGTERM)  # it ends its iteration and saves
        child.join()
        raise
    assert child.exitcode is not None
    return child.exitcode


def _child(config: str, folder: str, names: dict[str, str], logs: Any, path: list[str]) -> None:
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.path[:] = path  # users' modules lie in the working directory
    logging.config.dictConfig(logs)
    from gan_lab.training.run import execute

    run = RunFolder(folder)
    composed = OmegaConf.create(config)
    assert isinstance(composed, DictConfig)
    try:
        execute(composed, run, names, resume=run.status_file.exists())
    except USER_ERRORS as error:
        print(f"gan-lab: {run.path.name}: {sentence(error)}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
