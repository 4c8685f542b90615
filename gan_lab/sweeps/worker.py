"""A run of a sweep, or several as one program, in a process of its own: if it is killed, the sweep goes on."""

import logging.config
import math
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.checks import check, resolved
from gan_lab.config.hashing import config_hash
from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.config.stackable import check_stackable
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
from gan_lab.sweeps.search import objective, refuse_untuned
from gan_lab.training.run import execute

_INTERRUPTED = 128 + signal.SIGINT


@dataclass(eq=False)
class Job:
    """One of Hydra's jobs.

    Args:
        folder: its run's.
        sweep: the sweep's.
        request: the run that is still to be made; None for none.
        logs: how it is logged.
        left: whether the run is left as it is.
    """

    folder: RunFolder
    sweep: SweepFolder
    request: RunRequest | None
    logs: Any
    left: bool = False


def make_job(config: DictConfig) -> float:
    """The run of one of Hydra's jobs: it is looked at, made, and recorded.

    Returns:
        What a search minimises (`gan_lab.sweeps.search.objective`); a run that was lost is the worst, infinite.

    Raises:
        ConfigError: if the folder holds a run of another configuration.
        KeyboardInterrupt: if the run was stopped by SIGINT, which stops the sweep.
    """
    job = prepared(config)
    carry_out([job])
    return concluded(job)


def prepared(config: DictConfig, stacked: bool = False) -> Job:
    """One of Hydra's jobs, with its run unless that is finished; an interrupted one goes on from its checkpoint.

    The run's ``.hydra`` folder is written when the run begins and never again; Hydra would rewrite it every time. A run
    that cannot go on is left as it is.

    Args:
        config: the job's composed configuration.
        stacked: whether it is to train as one program with others.

    Raises:
        ConfigError: if the folder holds a run of another configuration.
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
            request = _request(config, folder, names, stacked)
            return Job(folder, sweep, request, OmegaConf.to_container(hydra.job_logging, resolve=True))
    except CannotGoOn as error:
        _say_left(folder, sweep, error)
        return Job(folder, sweep, None, None, left=True)


def concluded(job: Job) -> float:
    """Print what became of a job; returns what a search minimises, as `make_job`."""
    if job.left:
        return math.inf
    folder = job.folder
    try:
        with unimportant_output():
            state = folder.status()["state"]
            value = objective(folder.result()) if state == "done" else math.inf
            print(f"gan-lab: {shown(folder.path.name)}: {state} ({job.sweep.update()})", flush=True)
    except CannotGoOn as error:  # a record is damaged
        _say_left(folder, job.sweep, error)
        return math.inf
    return value


def _say_left(folder: RunFolder, sweep: SweepFolder, error: CannotGoOn) -> None:
    print(f"gan-lab: {shown(folder.path.name)}: left as it is: {sentence(error)}", file=sys.stderr, flush=True)
    sweep.update()


def _request(config: DictConfig, folder: RunFolder, names: dict[str, str], stacked: bool) -> RunRequest | None:
    """The run that is still to be made; what it asks for is recorded. None if it is finished, or refused."""
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
            if stacked:
                check_stackable(asked)
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
        check_has_checkpoints(folder)
        return RunRequest(asked, folder, names, resume=folder.status_file.exists())
    return None


def carry_out(jobs: Sequence[Job]) -> None:
    """Make the runs of jobs in one process, several as one program, and record how it ended where it could not itself.

    Raises:
        KeyboardInterrupt: if they were stopped by SIGINT, which stops the sweep.
    """
    todo = [job for job in jobs if job.request is not None]
    if not todo:
        return
    with unimportant_output():
        if len(todo) > 1:
            _say_stacked(todo)
        code = _run_in_child(todo)
    if code == _INTERRUPTED:
        todo[0].sweep.update()
        raise KeyboardInterrupt
    for folder in [job.folder for job in todo]:
        if not folder.status_file.exists():  # a user's module may end the process while it is imported
            folder.update_status(state="failed", error=f"its process ended with status {code} before it began")
        elif folder.status()["state"] == "running":
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
            with suppress(CannotGoOn), folder.held():  # not if another process is at work on it
                if folder.status()["state"] == "running":
                    folder.update_status(state="failed", error=how)


def _say_stacked(jobs: Sequence[Job]) -> None:
    """Print that runs begin to train together: they have no bar."""
    assert jobs[0].request is not None
    compiled = ", compiled at the first iteration" if jobs[0].request.config.compile == "iteration" else ""
    first = shown(jobs[0].folder.path.name)
    print(f"gan-lab: {len(jobs)} runs, {first} first, train as one program{compiled}", flush=True)


def _hydra_config() -> DictConfig:
    config = HydraConfig.instance().cfg
    assert isinstance(config, DictConfig)  # Hydra annotates it as its dataclass
    return config


def _run_in_child(jobs: Sequence[Job]) -> int:
    requests, logs = [job.request for job in jobs], [job.logs for job in jobs]
    child = forkserver().Process(target=_child, args=(requests, logs, sys.path))
    child.start()
    try:
        child.join()
    except KeyboardInterrupt:
        assert child.pid is not None
        with suppress(ProcessLookupError):  # it was told as well, and has ended
            os.kill(child.pid, signal.SIGTERM)  # it finishes its iteration and saves
        child.join()
        raise
    assert child.exitcode is not None
    return child.exitcode


def _child(requests: list[RunRequest], logs: list[Any], path: list[str]) -> None:
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.path[:] = path  # users' modules lie in the working directory
    with unimportant_output():
        if len(requests) > 1:
            from gan_lab.training.stacked import execute_stacked

            for request, error in zip(requests, execute_stacked(requests, _handlers(logs)), strict=True):
                _say(request, error)
            return
        logging.config.dictConfig(logs[0])
        try:
            execute(requests[0])
        except Exception as error:
            _say(requests[0], error)


def _handlers(logs: list[Any]) -> list[list[logging.Handler]]:
    """The handlers of each run's log."""
    made = []
    for one in logs:
        logging.config.dictConfig(one)
        made.append(logging.getLogger().handlers[:])
    return made


def _say(request: RunRequest, error: BaseException | None) -> None:
    """Print what a run ended with, if it did not come to its end."""
    if isinstance(error, USER_ERRORS):
        print(f"gan-lab: {shown(request.folder.path.name)}: {sentence(error)}", file=sys.stderr)
    elif isinstance(error, Exception):
        traceback.print_exception(error)
