"""What happens before and after the jobs of a sweep: it is checked, recorded, and reported."""

import shlex
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, flag_override

from gan_lab.config.hydra_nodes import check_record, named_by_the_clock
from gan_lab.config.messages import USER_ERRORS
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.making import make_new_folder
from gan_lab.runs.sweep_folder import SweepFolder
from gan_lab.runs.terminal import exit_with
from gan_lab.sweeps.checks import check_jobs
from gan_lab.sweeps.overrides import named_keys, planned, quoted, sweep_overrides, sweep_values
from gan_lab.sweeps.search import check_guided, draw_alike, refuse_untuned, search_of


class Launch(Callback):
    """Refuses an invalid sweep before its folder is made, keeps its index, and writes its report.

    Hydra turns an Exception of a callback into a warning. SystemExit passes, and ends the program with its sentence.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)  # runs that are under way save before the sweep ends
        with _ending_the_program():
            overrides = sweep_overrides(config)
            _open_sweep(config, overrides)
        # folders are named after what is swept, not after what all runs share
        named = named_keys(overrides)
        shared = ",".join(one.get_key_element() for one in overrides if one.get_key_element() not in named)
        with flag_override(config, "readonly", False):
            # Hydra composes every job from these overrides
            config.hydra.overrides.hydra.append(f"hydra.job.config.override_dirname.exclude_keys=[{shared}]")
            if OmegaConf.select(config, "hydra.launcher.submitit_folder") is not None:
                # submitit unpickles what it finds there: a name that nobody can have put anything into
                config.hydra.launcher.submitit_folder = f"{config.hydra.sweep.dir}/.submitit/{token_hex(8)}/%j"
            # Hydra would rewrite .hydra of finished runs too: gan_lab.sweeps.worker writes it, once
            config.hydra.overrides.hydra.append("hydra.output_subdir=null")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        sweep = SweepFolder(config.hydra.sweep.dir)
        print(f"\n{sweep.update()}\nsweep   {shown(sweep.path)}", flush=True)
        lost = {run: status for run, status in sweep.states().items() if status["state"] != "done"}
        for run, status in lost.items():
            reason = (status["error"] or "no error was recorded").strip().splitlines()[-1]
            said = f"{status['state']}: {run.path.relative_to(sweep.path)}: {reason}"
            print(f"  {shown(said)}", file=sys.stderr)
        import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
        from gan_lab.report.render import write_report

        with _ending_the_program():
            print(f"report  {shown(write_report([sweep.path]))}")
        if lost:
            sys.exit(1)


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(number)


_opened: list[tuple[SweepFolder, list[Path]]] = []
"""The sweep of this process and the folders made for it: Hydra calls no callback if the sweep cannot be composed."""


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
    except KeyboardInterrupt:
        for sweep, _ in _opened:
            go_on = shlex.quote(f"hydra.sweep.dir={shown(sweep.path)}")
            print(f"gan-lab: {sweep.update()}; go on with the same line and {go_on}", file=sys.stderr)
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


def _open_sweep(config: DictConfig, overrides: list[Override]) -> None:
    """Check what can be checked of all runs, then make the sweep's folder.

    Raises:
        ConfigError: if the sweep cannot be.
    """
    swept = {one.get_key_element(): sweep_values(one) for one in overrides if one.is_sweep_override()}
    held = [one.input_line or "" for one in overrides if not one.is_sweep_override()]
    if empty := [key for key, values in swept.items() if not values]:
        raise ConfigError(f"{empty[0]}: the sweep has no runs, its glob matches nothing")
    check_record(config.hydra.output_subdir)
    _check_numbers(config.hydra)
    refuse_untuned(",".join(swept.get("protocol", [])))
    for key, values in swept.items():
        if twice := [value for value in values if values.count(value) > 1]:
            raise ConfigError(f"{key}: expected every value once; the sweep has {twice[0]} twice")
    search = search_of(config.hydra.sweeper, [one.get_key_element() for one in overrides])
    check_guided(config)
    runs = planned(config, overrides)
    check_jobs(config, overrides, search)
    above: list[Path] = []
    path = Path(config.hydra.sweep.dir)
    if named_by_the_clock(config.hydra.sweep):
        path, above = make_new_folder(path, "hydra.sweep.dir")
    with flag_override(config, "readonly", False):
        config.hydra.sweep.dir = str(path)
        draw_alike(config.hydra.sweeper)
        # Hydra composes jobs from these overrides: no file that one of them reads can name another folder
        config.hydra.overrides.hydra.append(quoted("hydra.sweep.dir", str(path)))
    sweep = SweepFolder(config.hydra.sweep.dir)
    _opened.append((sweep, sweep.open(held, swept, runs, search.as_record() if search else {}) + above))
    print(f"gan-lab: {shown(sweep.path)}: {sweep.update()}", flush=True)  # nothing else is said until a run ends


def _check_numbers(hydra: DictConfig) -> None:
    """Raise ConfigError for counts with which launchers and sweepers would fail by a traceback."""
    for key in ("sweeper.n_trials", "sweeper.n_jobs", "sweeper.max_batch_size", "launcher.n_jobs"):
        value = OmegaConf.select(hydra, key)
        if value is not None and value < 1 and not (key == "launcher.n_jobs" and value < 0):
            raise ConfigError(f"hydra.{key}={value}: expected a whole number of at least 1")
