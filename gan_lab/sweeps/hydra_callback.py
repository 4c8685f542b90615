"""Around Hydra's jobs: what is checked before a folder is made, how a sweep's folders are named, how a sweep ends."""

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import InterpolationResolutionError

from gan_lab.config.messages import USER_ERRORS, exit_with, sentence
from gan_lab.config.schema import check
from gan_lab.errors import ConfigError, Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.resume import goes_on
from gan_lab.runs.sweep_folder import SweepFolder
from gan_lab.sweeps.overrides import named_keys, planned, sweep_overrides, sweep_values
from gan_lab.sweeps.search import refuse_untuned, search_of


class Launch(Callback):
    """Stops a bad single run before Hydra makes its folder, takes back one that never began, and keeps a sweep's index.

    Hydra turns an Exception of a callback into a warning; SystemExit is none, and ends the program with its sentence.
    """

    def __init__(self) -> None:
        self.made: list[Path] | None = None  # None: the run was begun before

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            check(config)
            folder = RunFolder(config.hydra.run.dir)
            if goes_on(config, folder):
                folder.check_writable("resume")
            else:
                _check_record(config)
                refuse_untuned(config.hydra.runtime.choices.protocol)
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
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a sweep has runs to end, each of which may save
        try:
            overrides = sweep_overrides(config)
            swept = {one.get_key_element(): sweep_values(one) for one in overrides if one.is_sweep_override()}
            held = [one.input_line or "" for one in overrides if not one.is_sweep_override()]
            if empty := [key for key, values in swept.items() if not values]:
                raise ConfigError(f"{empty[0]}: the sweep has no runs, its glob matches nothing")
            _check_record(config)
            _check_numbers(config.hydra)
            refuse_untuned(",".join(swept.get("protocol", [])))
            search = search_of(config.hydra.sweeper, [one.get_key_element() for one in overrides])
            runs = planned(config, overrides)
            _check_first_jobs(config, overrides)
            sweep = SweepFolder(config.hydra.sweep.dir)
            _opened.append((sweep, sweep.open(held, swept, runs, search.as_record() if search else {})))
        except USER_ERRORS as error:
            exit_with(error)
        # what all runs share is not in their folders' names; Hydra composes every job anew from these overrides
        named = named_keys(overrides)
        shared = ",".join(one.get_key_element() for one in overrides if one.get_key_element() not in named)
        with flag_override(config, "readonly", False):
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys=[{shared}]")
            # Hydra would write each job's .hydra anew, of finished runs too: gan_lab.sweeps.worker writes it, once
            config.hydra.overrides.hydra.append("hydra.output_subdir=null")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        sweep = SweepFolder(config.hydra.sweep.dir)
        print(f"\n{sweep.update()}\nsweep   {sweep.path}", flush=True)
        lost = {run: status for run, status in sweep.states().items() if status["state"] != "done"}
        for run, status in lost.items():
            reason = (status["error"] or "it left no word").strip().splitlines()[-1]
            print(f"  {status['state']}: {run.path.relative_to(sweep.path)}: {reason}", file=sys.stderr)
        from gan_lab.report.render import write_report

        try:
            print(f"report  {write_report([sweep.path], out=sweep.path / 'report')}")
        except USER_ERRORS as error:
            exit_with(error)
        except Exception:  # a bug, of which Hydra would make a warning and exit status 0
            traceback.print_exc()
            sys.exit(1)
        if lost:
            sys.exit(1)


_opened: list[tuple[SweepFolder, list[Path]]] = []
"""The sweep of this process, and the folders made for it: Hydra has no hook for one that cannot be composed."""


@contextmanager
def unbegun_sweep_taken_back() -> Iterator[None]:
    """Should the block end with bad input before a sweep has begun a run, remove what was made for the sweep."""
    _opened.clear()
    try:
        yield
    except USER_ERRORS:
        for sweep, made in _opened:
            sweep.discard(made)
        raise


def _check_record(config: DictConfig) -> None:
    if config.hydra.output_subdir != ".hydra":
        raise ConfigError(
            f"hydra.output_subdir={config.hydra.output_subdir}: expected .hydra, without which no run can be rebuilt"
        )


def _check_numbers(hydra: DictConfig) -> None:
    """Raise ConfigError for counts that launchers and sweepers fail on with a traceback."""
    for key in ("sweeper.n_trials", "sweeper.n_jobs", "sweeper.max_batch_size", "launcher.n_jobs"):
        value = OmegaConf.select(hydra, key)
        if value is not None and value < 1 and not (key == "launcher.n_jobs" and value < 0):
            raise ConfigError(f"hydra.{key}={value}: expected a whole number of at least 1")


def _check_first_jobs(config: DictConfig, overrides: list[Override]) -> None:
    """Raise ConfigError if no run of the sweep can be; those that can are not kept by the others from being made.

    The first that passes is enough, so that a sweep that is well costs one more composition.
    """
    if not all(one.is_discrete_sweep() or not one.is_sweep_override() for one in overrides):
        return  # what a search draws is not known yet
    loader = GlobalHydra.instance().config_loader()
    refused: ConfigError | None = None
    for words in BasicSweeper.split_arguments(overrides, None)[0]:
        try:
            check(loader.load_sweep_config(config, words))
            return
        except ConfigError as error:
            refused = refused or error
        except InterpolationResolutionError as error:  # its run records it
            refused = refused or ConfigError(sentence(error))
    if refused:
        raise refused
