"""``gan-lab``: Hydra composes the configuration, `gan_lab.training.run` makes the run.

Hydra instantiates callbacks, launcher, sweeper and logging as soon as it has composed a configuration. It is therefore
started as ``hydra.main`` starts it, but with `CheckedLoader`, which checks every configuration while it is composed,
those of a sweep's jobs too, in this process or in one that a launcher has started.

torch and Lightning take seconds to import, so nothing here imports them before a run begins.
"""

import os
import pydoc
import sys
from argparse import Namespace
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from string import Template
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import (
    _run_app,
    create_automatic_config_search_path,
    get_args_parser,
    validate_config_path,
)
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf

from gan_lab.cli.arguments import print_version
from gan_lab.cli.assistant import assist_the_first, check_folder_is_named
from gan_lab.cli.command_line import CheckedLoader, CommandLine
from gan_lab.cli.help import explained
from gan_lab.cli.resuming import resumed
from gan_lab.cli.show import all_groups, show, yaml_folders
from gan_lab.cli.summary import how_to_go_on, print_summary
from gan_lab.config.hydra_nodes import check_record, named_by_the_clock
from gan_lab.config.messages import USER_ERRORS
from gan_lab.config.targets import let_in
from gan_lab.distributed.environment import rank
from gan_lab.errors import ConfigError, Diverged, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.making import make_new_folder
from gan_lab.runs.request import RunRequest
from gan_lab.runs.resume import is_done
from gan_lab.runs.stop_signals import ended_by_interrupt, signal_of
from gan_lab.runs.terminal import harmless_output, one_sentence, unimportant_output
from gan_lab.sweeps.hydra_callback import unbegun_sweep_taken_back
from gan_lab.sweeps.search import refuse_untuned
from gan_lab.sweeps.worker import make_job
from gan_lab.training.run import execute, requested

_CONFIG_PATH, _CONFIG_NAME = "pkg://gan_lab.conf", "train"
_SHOWS = ("cfg", "info", "shell_completion", "help", "hydra_help")  # options that ask to see something


class App(Hydra):
    """Hydra, whose single runs are composed once, and checked before they have a folder."""

    made: RunFolder | None = None
    """The folder of the single run, once it has been made or gone on with."""

    def run(
        self,
        config_name: str | None,
        task_function: TaskFunction,
        overrides: list[str],
        with_log_configuration: bool = True,
    ) -> JobReturn:
        """Make a single run; `make_run` is its task. One that is refused leaves no folder behind.

        If the configuration asks for a sweep (``hydra.mode``), it is made instead.
        """
        config = self.compose_config(config_name, overrides, RunMode.RUN, with_log_configuration)
        if config.hydra.mode == RunMode.MULTIRUN:
            return self.multirun(config_name, task_function, overrides, with_log_configuration)
        callbacks = Callbacks(config)
        request = requested(config)
        folder, made = RunFolder(config.hydra.run.dir), None  # as the user named it
        if request.resume:
            folder.check_writable("resume")
        else:
            check_record(config.hydra.output_subdir)
            refuse_untuned(request.names["protocol"])
            if named_by_the_clock(config.hydra.run):
                path, above = make_new_folder(folder.path, "hydra.run.dir")
                folder, config.hydra.run.dir = RunFolder(path), str(path)
                request = replace(request, folder=RunFolder(path.absolute()))
                made = folder.create() + above
            else:
                made = folder.create(again=config.resume is not None)
        callbacks.on_run_start(config=config, config_name=config_name)
        context = HydraContext(self.config_loader, callbacks)

        def task(composed: DictConfig) -> float:
            if not request.resume:  # Hydra's record has interpolations, which may differ where it is read
                request.folder.configuration.record(composed, OmegaConf.masked_copy(config, "hydra"))
            return make_run(request)

        job = run_job(task, config, "hydra.run.dir", None, context, with_log_configuration)
        callbacks.on_run_end(config=config, config_name=config_name, job_return=job)
        if job.status == JobStatus.FAILED:
            error = job._return_value  # `return_value` would print a line of Hydra's own
            if isinstance(error, Diverged):
                error.add_note(f"run: {shown(folder.path)}")  # Python's traceback shows it
            elif made is not None and isinstance(error, USER_ERRORS):
                folder.discard(made)
            raise error
        self.made = request.folder
        return job

    def get_help(self, help_cfg: DictConfig, cfg: DictConfig, args_parser: Any, resolve: bool) -> str:
        """The template of ``train.yaml`` with every group, option and key, and the comments that explain them."""
        path = self.config_loader.get_search_path().get_path()
        own = [Path(one.path.removeprefix("file://")) for one in path if str(one.path).startswith("file://")]
        parts = {
            "APP_CONFIG_GROUPS": all_groups(yaml_folders(own)),
            "CONFIG": explained(cfg, dict(HydraConfig.get().runtime.choices)),
        }
        return Template(help_cfg.template).safe_substitute(parts)

    def app_help(self, *arguments: Any) -> None:
        """As Hydra's, but page by page on a terminal."""
        text = StringIO()
        with redirect_stdout(text):
            super().app_help(*arguments)
        pydoc.pager("\n".join(map(shown, text.getvalue().splitlines())))  # a pager shows what it is given


def make_run(request: RunRequest) -> float:
    """Make a single run, or go on with it; returns the final value of its first metric."""
    folder = request.folder
    if request.resume and is_done(folder, request.config):
        stopped = "; it stopped early" if folder.result().get("stopped_early") else ""
        print(f"{shown(folder.path)}: the run is done, nothing is left to do{stopped}")
        return next(iter(folder.result()["metrics"].values()))
    try:
        value = execute(request)
    except SystemExit as stop:
        if signal_of(stop.code) is not None:
            print(f"gan-lab: {how_to_go_on(folder, request.config)}", file=sys.stderr)
        raise
    print_summary(folder.result(), folder, request.config)
    return value


def run_hydra(line: CommandLine, kind: type[App] = App) -> RunFolder | None:
    """Do what a command line asks of Hydra: make a run or a sweep, or show something.

    Args:
        line: the command line.
        kind: the application that does it.

    Returns:
        The folder of a single run; None if none was asked for.

    Raises:
        ConfigError: for options that exclude each other.
    """
    version.setbase("1.3")
    options = line.options
    options.overrides = line.lines()
    if sum(bool(getattr(options, name)) for name in ("run", "multirun", *_SHOWS[:3])) > 1:
        raise ConfigError("Only one of --run, --multirun, --cfg, --info and --shell_completion can be specified")
    if options.resolve and not (options.cfg or options.help):
        raise ConfigError("The --resolve flag can only be used in conjunction with --cfg or --help")
    name = options.config_name or _CONFIG_NAME
    path = _search_path(options.config_path or _CONFIG_PATH, options.config_dir)
    app = kind("gan-lab", CheckedLoader(path, line.allowed_targets(), line.typed))
    GlobalHydra.instance().initialize(app)
    try:
        if not _shown(app, name, options):
            # where nothing is swept, `App.run` looks for the mode itself; Hydra would compose all once more for it
            swept = options.multirun or any(one.is_sweep_override() for one in line.overrides)
            mode = app.get_mode(name, options.overrides) if swept else RunMode.RUN
            _run_app(not options.multirun, options.multirun, mode, app, name, make_job, options.overrides)
    finally:
        GlobalHydra.instance().clear()
    return app.made


def _shown(app: App, config_name: str, options: Namespace) -> bool:
    """Show what an option asks to see; whether one does."""
    if options.help:
        app.app_help(config_name, get_args_parser(), options)
    elif options.hydra_help:
        app.hydra_help(config_name, get_args_parser(), options)
    elif options.cfg:
        app.show_cfg(config_name, options.overrides, options.cfg, options.package, options.resolve)
    elif options.shell_completion:
        app.shell_completion(config_name, options.overrides)
    elif options.info:
        app.show_info(options.info, config_name, options.overrides)
    else:
        return False
    return True


def _search_path(config_path: str, config_dir: str | None) -> ConfigSearchPath:
    """Where Hydra looks for YAML: our configuration, then the user's folder."""
    validate_config_path(config_path)
    path = create_automatic_config_search_path(None, __name__, config_path)
    if config_dir is not None:
        folder = f"file://{os.path.abspath(config_dir)}"
        path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
    return path


def main() -> None:
    """The command."""
    one_sentence(_main)


@ended_by_interrupt()
def _main() -> None:
    if "--version" in sys.argv[1:]:
        print_version()
        return
    if sys.argv[1:2] == ["show"]:
        with harmless_output():
            pydoc.pager(show(sys.argv[2:]))
        return
    carry_out(CommandLine.parse(sys.argv[1:]))


def carry_out(line: CommandLine, kind: type[App] = App) -> RunFolder | None:
    """`run_hydra` of a command line with what ``resume=`` stands for, in a process that may be one of several."""
    line = resumed(line) if line.resumes else line
    let_in(line.allowed_targets())
    if rank() is not None:
        check_folder_is_named(line)
    if rank():
        assist_the_first(line)
        return RunFolder(line.text("hydra.run.dir") or "")
    asks = any(getattr(line.options, name) for name in _SHOWS)
    with unbegun_sweep_taken_back(), harmless_output() if asks else unimportant_output():
        return run_hydra(line, kind)
