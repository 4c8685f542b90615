"""One run of a sweep, in a process of its own: if that process is killed, the sweep goes on."""

import logging.config
import os
import signal
import sys
import traceback
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.checks import check, resolved
from gan_lab.config.hashing import config_hash
from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.config.targets import let_in
from gan_lab.distributed.forkserver import end_with_parent, forkserver
from gan_lab.errors import CannotGoOn, ConfigError, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest, chosen_options
from gan_lab.runs.resume import check_has_checkpoints
from gan_lab.runs.status import record_refusal
from gan_lab.runs.sweep_folder import FINISHED, SweepFolder
from gan_lab.runs.terminal import unimportant_output
from gan_lab.storage.files import check_inside
from gan_lab.sweeps.search import refuse_untuned
from gan_lab.training.run import execute

_INTERRUPTED = 128 + signal.SIGINT


def make_job(config: DictConfig) -> float:
    """The run of one of Hydra's jobs, unless it is finished; an interrupted or failed one goes on from its checkpoint.

    The run's ``.hydra`` folder is written when the run begins and never again; Hydra would rewrite it every time. A run
    that cannot go on is left as it is.

    Args:
        config: the job's composed configuration.

    Returns:
        The final value of the run's first metric, or NaN if it has none.

    Raises:
        ConfigError: if the folder holds a run of another configuration.
        KeyboardInterrupt: if the run was stopped by SIGINT, which stops the sweep.
    """
    let_in(config.allowed_targets)  # a launcher may have started this process
    hydra: Any = HydraConfig.get()
    folder, sweep = RunFolder(hydra.runtime.output_dir), SweepFolder(hydra.sweep.dir)
    names = chosen_options(hydra.runtime.choices)
    refuse_untuned(names["protocol"], folder)
    config.resume = None  # runs of a sweep go on without being asked
    if not folder.path.resolve().is_relative_to(sweep.path.resolve()):
        raise ConfigError(f"{folder.path}: expected a folder within the sweep's")
    try:
        check_inside(folder.path)
        with unimportant_output():
            return _outcome(config, folder, names, sweep)
    except CannotGoOn as error:
        print(f"gan-lab: {shown(folder.path.name)}: left as it is: {sentence(error)}", file=sys.stderr, flush=True)
        sweep.update()
        return float("nan")


def _outcome(config: DictConfig, folder: RunFolder, names: dict[str, str], sweep: SweepFolder) -> float:
    status = folder.status() if folder.status_file.exists() else None
    finished = status is not None and status["state"] in FINISHED
    if status and not finished:
        with folder.held():
            pass  # refuse a run that another process is at work on, before anything is changed
    asked, wrong = None, None
    try:
        asked = resolved(config)
        if not finished:
            check(asked)
    except USER_ERRORS as error:
        wrong = sentence(error)
    known = None if asked is None else config_hash(asked)
    begun = status["config_hash"] if status else None
    if begun not in (known, None):
        raise ConfigError(f"{folder.path}: the folder holds a run of another configuration; name another folder")
    if begun is None:
        folder.configuration.record(config, _hydra_config(), resolve=asked is not None)
    if wrong is not None:
        record_refusal(folder, known, wrong)
        print(f"gan-lab: {shown(folder.path.name)}: {wrong}", file=sys.stderr)
    elif asked is not None and not finished:
        _make(RunRequest(asked, folder, names, resume=folder.status_file.exists()), sweep)
    state = folder.status()["state"]
    value = next(iter(folder.result()["metrics"].values())) if state == "done" else float("nan")
    print(f"gan-lab: {shown(folder.path.name)}: {state} ({sweep.update()})", flush=True)
    return value


def _make(request: RunRequest, sweep: SweepFolder) -> None:
    """Run in a process of its own, and record how that process ended if it could not do so itself."""
    folder = request.folder
    check_has_checkpoints(folder)
    code = _run_in_child(request)
    if code == _INTERRUPTED:
        sweep.update()
        raise KeyboardInterrupt
    if not folder.status_file.exists():  # a user's module may end the process while it is imported
        folder.update_status(state="failed", error=f"its process ended with status {code} before it began")
    elif folder.status()["state"] == "running":
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
        folder.update_status(state="failed", error=how)


def _hydra_config() -> DictConfig:
    config = HydraConfig.instance().cfg
    assert isinstance(config, DictConfig)  # Hydra annotates it as its dataclass
    return config


def _run_in_child(request: RunRequest) -> int:
    hydra: Any = HydraConfig.get()
    logs = OmegaConf.to_container(hydra.job_logging, resolve=True)
    child = forkserver().Process(target=_child, args=(request, logs, sys.path))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        assert child.pid is not None
        os.kill(child.pid, signal.SIGTERM)  # it finishes its iteration and saves
        child.join()
        raise
    assert child.exitcode is not None
    return child.exitcode


def _child(request: RunRequest, logs: Any, path: list[str]) -> None:
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.path[:] = path  # users' modules lie in the working directory
    try:
        with unimportant_output():
            logging.config.dictConfig(logs)
            execute(request)
    except USER_ERRORS as error:
        print(f"gan-lab: {shown(request.folder.path.name)}: {sentence(error)}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
