"""What happens before and after Hydra's jobs: a bad run is refused before its folder is made, a sweep is recorded."""

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from omegaconf.errors import InterpolationResolutionError

from gan_lab.config.checks import check
from gan_lab.config.messages import USER_ERRORS, exit_with, sentence
from gan_lab.errors import ConfigError, Diverged
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import Change, RunRequest, chosen_options
from gan_lab.runs.resume import changes_since, check_has_checkpoints, goes_on
from gan_lab.runs.sweep_folder import SweepFolder
from gan_lab.sweeps.overrides import named_keys, planned, sweep_overrides, sweep_values
from gan_lab.sweeps.search import refuse_untuned, search_of


class Launch(Callback):
    """Checks a single run before Hydra makes its folder, removes what was made for one that is refused, and keeps the
    index of a sweep.

    Hydra turns an Exception of a callback into a warning. SystemExit passes, and ends the program with its sentence.
    """

    def __init__(self) -> None:
        self.made: list[Path] | None = None  # folders made for a new run

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _ending_the_program():
            folder = RunFolder(config.hydra.run.dir)
            request = _requested(config, folder)
            if request.resume:
                folder.check_writable("resume")
            else:
                self.made = folder.create(again=config.resume is not None)
            _requests.append(request)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        job_return: JobReturn = kwargs["job_return"]
        error = job_return._return_value if job_return.status == JobStatus.FAILED else None
        if isinstance(error, USER_ERRORS):
            if self.made is not None and not isinstance(error, Diverged):
                RunFolder(config.hydra.run.dir).discard(self.made)
            exit_with(error)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # runs that are under way save before the sweep ends
        with _ending_the_program():
            overrides = sweep_overrides(config)
            _open_sweep(config, overrides)
        # folders are named after what is swept, not after what all runs share
        named = named_keys(overrides)
        shared = ",".join(one.get_key_element() for one in overrides if one.get_key_element() not in named)
        with flag_override(config, "readonly", False):
            # Hydra composes every job from these overrides
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys=[{shared}]")
            # Hydra would rewrite .hydra of finished runs too: gan_lab.sweeps.worker writes it, once
            config.hydra.overrides.hydra.append("hydra.output_subdir=null")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        sweep = SweepFolder(config.hydra.sweep.dir)
        print(f"\n{sweep.update()}\nsweep   {sweep.path}", flush=True)
        lost = {run: status for run, status in sweep.states().items() if status["state"] != "done"}
        for run, status in lost.items():
            reason = (status["error"] or "it left no word").strip().splitlines()[-1]
            print(f"  {status['state']}: {run.path.relative_to(sweep.path)}: {reason}", file=sys.stderr)
        from gan_lab.report.render import write_report

        with _ending_the_program():
            print(f"report  {write_report([sweep.path], out=sweep.path / 'report')}")
        if lost:
            sys.exit(1)


_opened: list[tuple[SweepFolder, list[Path]]] = []
"""The sweep of this process and the folders made for it: Hydra calls no callback if the sweep cannot be composed."""

_requests: list[RunRequest] = []
"""The run that was checked last: Hydra hands no object from a callback to the job that it then calls."""


def checked_request() -> RunRequest:
    """The run that Hydra is to make in this process, as `Launch` has checked it.

    Raises:
        ConfigError: if the configuration has no such callback.
    """
    if not _requests:
        raise ConfigError("hydra.callbacks.gan_lab: missing, expected gan_lab.sweeps.hydra_callback.Launch")
    return _requests.pop()


@contextmanager
def unbegun_sweep_taken_back() -> Iterator[None]:
    """Should the block end with bad input before a sweep has begun a run, remove what was made for the sweep."""
    _opened.clear()
    _requests.clear()
    try:
        yield
    except USER_ERRORS:
        for sweep, made in _opened:
            sweep.discard(made)
        raise


@contextmanager
def _ending_the_program() -> Iterator[None]:
    """Turn exceptions, of which Hydra would make warnings, into the program's exit."""
    try:
        yield
    except USER_ERRORS as error:
        exit_with(error)
    except Exception:  # a bug
        traceback.print_exc()
        sys.exit(1)


def _requested(config: DictConfig, named: RunFolder) -> RunRequest:
    """What a composed configuration asks of a single run, checked.

    Args:
        config: with Hydra's own keys.
        named: the run's folder, as the command line names it.
    """
    asked = _checked(config, named.path)
    asked.resume = None  # it says how this process began, not what is run
    folder, names = RunFolder(named.path.absolute()), chosen_options(config.hydra.runtime.choices)
    if not goes_on(config, named):
        _check_record(config)
        refuse_untuned(names["protocol"])
        return RunRequest(asked, folder, names)
    check_has_checkpoints(folder)
    changes = changes_since(folder, asked)
    if not changes:
        return RunRequest(asked, folder, names, resume=True)
    written = OmegaConf.masked_copy(config, [key for key in map(str, config) if key != "hydra"])
    written.resume = None
    typed = OverridesParser.create().parse_overrides(config.hydra.overrides.task)
    words = [one.input_line or "" for one in typed if one.key_or_group != "resume"]
    return RunRequest(asked, folder, names, resume=True, change=Change(written, words, changes))


def _checked(config: DictConfig, folder: Path) -> DictConfig:
    """`check` of a composed configuration as its job will see it.

    Inside a job ``${hydra:…}`` leads to Hydra's own keys, of which the output folder is known by then.
    """
    hydra, job = HydraConfig.instance(), config.copy()
    before = hydra.cfg
    with open_dict(job.hydra.runtime), flag_override(job.hydra, "readonly", False):
        job.hydra.runtime.output_dir = str(folder.absolute())
    hydra.set_config(job)
    try:
        return check(job)
    finally:
        hydra.cfg = before


def _open_sweep(config: DictConfig, overrides: list[Override]) -> None:
    """Check what can be checked of all runs, then make the sweep's folder.

    Raises:
        ConfigError: if the sweep cannot be.
    """
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


def _check_record(config: DictConfig) -> None:
    if config.hydra.output_subdir != ".hydra":
        raise ConfigError(
            f"hydra.output_subdir={config.hydra.output_subdir}: expected .hydra, without which no run can be rebuilt"
        )


def _check_numbers(hydra: DictConfig) -> None:
    """Raise ConfigError for counts with which launchers and sweepers would fail by a traceback."""
    for key in ("sweeper.n_trials", "sweeper.n_jobs", "sweeper.max_batch_size", "launcher.n_jobs"):
        value = OmegaConf.select(hydra, key)
        if value is not None and value < 1 and not (key == "launcher.n_jobs" and value < 0):
            raise ConfigError(f"hydra.{key}={value}: expected a whole number of at least 1")


def _check_first_jobs(config: DictConfig, overrides: list[Override]) -> None:
    """Raise ConfigError if every run of the sweep would be refused; if some would not, those are made.

    Runs are checked up to the first that passes, so that a good sweep costs one more composition.
    """
    if not all(one.is_discrete_sweep() or not one.is_sweep_override() for one in overrides):
        return  # what a search draws is not known yet
    loader = GlobalHydra.instance().config_loader()
    refused: ConfigError | None = None
    for words in BasicSweeper.split_arguments(overrides, None)[0]:
        try:
            _checked(loader.load_sweep_config(config, words), Path(config.hydra.sweep.dir))
            return
        except ConfigError as error:
            refused = refused or error
        except InterpolationResolutionError as error:  # recorded by its run, if others can be made
            refused = refused or ConfigError(sentence(error))
    if refused:
        raise refused
