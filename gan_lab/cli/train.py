"""``gan-lab``: Hydra composes the configuration, `gan_lab.training.run` makes the run.

Hydra instantiates callbacks, launcher, sweeper and logging as soon as it has composed a configuration. It is therefore
started as ``hydra.main`` starts it, but with `CheckedLoader`, which checks every configuration while it is composed,
those of a sweep's jobs too, in this process or in one that a launcher has started.

torch and Lightning take seconds to import, so nothing here imports them before a run begins.
"""

import os
import shutil
import sys
import textwrap
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
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
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus, run_job
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf, flag_override

from gan_lab.cli.arguments import print_version
from gan_lab.cli.assistant import assist_the_first, check_folder_is_named
from gan_lab.cli.help import explained
from gan_lab.cli.options import CommandLine, resumed
from gan_lab.cli.summary import how_to_go_on, print_summary
from gan_lab.config.guests import check_typed
from gan_lab.config.hydra_nodes import CHECKED, check_hydra, check_record, named_by_the_clock
from gan_lab.config.messages import USER_ERRORS, first_line
from gan_lab.config.targets import let_in
from gan_lab.distributed.environment import rank
from gan_lab.errors import ConfigError, Diverged, shown
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.making import make_new_folder
from gan_lab.runs.request import RunRequest
from gan_lab.runs.resume import is_done
from gan_lab.runs.stop_signals import ended_by_interrupt
from gan_lab.runs.terminal import harmless_output, one_sentence, unimportant_output
from gan_lab.sweeps.hydra_callback import unbegun_sweep_taken_back
from gan_lab.sweeps.search import refuse_untuned
from gan_lab.sweeps.worker import make_job
from gan_lab.training.run import execute, requested

_CONFIG_PATH, _CONFIG_NAME = "pkg://gan_lab.conf", "train"
_SHOWS = ("cfg", "info", "shell_completion", "help", "hydra_help")  # options that ask to see something


class CheckedLoader(ConfigLoaderImpl):
    """Composes configurations that allow themselves nothing and tell Hydra to run no foreign code.

    Args:
        config_search_path: where the YAML lies.
        allowed: the packages that the user has typed into ``allowed_targets``; no YAML can add to them.
        given: what the user has typed.
    """

    def __init__(self, config_search_path: ConfigSearchPath, allowed: list[str], given: Sequence[Override]) -> None:
        super().__init__(config_search_path=config_search_path)
        self.allowed = allowed
        self.given = given
        self.typed = [one.key_or_group for one in given if one.is_hydra_override()]

    def load_configuration(self, *arguments: Any, **keywords: Any) -> DictConfig:
        """As Hydra's.

        Raises:
            ConfigError: for a configuration that is refused.
        """
        try:
            config = super().load_configuration(*arguments, **keywords)
        except USER_ERRORS:
            raise
        except (ValueError, OSError, AttributeError) as error:  # Hydra takes for granted that files have the right form
            raise ConfigError(
                f"--config-name or a file that it names: {first_line(error)}: expected a mapping of keys, whose "
                "defaults are a list, such as [train, _self_]"
            ) from error
        if missing := [key for key in ("model", "loss", "dataset", "allowed_targets") if key not in config]:
            name = arguments[0] if arguments else keywords["config_name"]
            raise ConfigError(
                f"--config-name {name}: it has no '{missing[0]}': expected it to begin with defaults: [train, _self_]"
            )
        if (allowed := list(config.get("allowed_targets") or [])) != self.allowed:
            raise ConfigError(
                f"allowed_targets={allowed}: expected on the command line alone, where a person "
                "has typed it; a configuration cannot allow itself anything"
            )
        with flag_override(config, "readonly", False):
            config.allowed_targets = self.allowed  # it may have been an interpolation, of another value next time
        check_hydra(OmegaConf.masked_copy(config.hydra, CHECKED), self.allowed, self.typed)
        check_typed(config, self.given)
        return config

    def _process_config_searchpath(self, config_name: str | None, *arguments: Any) -> None:
        """As Hydra's, which imports the modules that ``pkg://`` names."""
        repository: Any = arguments[-1]
        loaded = None if config_name is None else repository.load_config(config_path=config_name)
        if "hydra.searchpath" not in self.typed:
            of_file = loaded.config if loaded is not None and OmegaConf.is_dict(loaded.config) else OmegaConf.create()
            named = [OmegaConf.select(of_file, "hydra.searchpath")]
            named += [one.value() for one in arguments[0] if one.key_or_group == "hydra.searchpath"]  # a sweeper's
            if found := [one for one in named if one is not None]:
                raise ConfigError(f"hydra.searchpath={found[0]}: expected on the command line alone, or --config-dir")
        super()._process_config_searchpath(config_name, *arguments)

    def get_group_options(self, group_name: str, *arguments: Any, **keywords: Any) -> list[str]:
        """As Hydra's, which copies every YAML that it has read for each group; ``--help`` asks for a hundred groups."""
        if keywords or len(arguments) > 1:
            return super().get_group_options(group_name, *arguments, **keywords)
        return self._groups.get_group_options(group_name, *arguments)

    @cached_property
    def _groups(self) -> CachingConfigRepository:
        return self._parse_overrides_and_create_caching_repo(None, [])[1]


class App(Hydra):
    """Hydra, whose single runs are composed once, and checked before they have a folder."""

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
        job = run_job(lambda _: make_run(request), config, "hydra.run.dir", None, context, with_log_configuration)
        callbacks.on_run_end(config=config, config_name=config_name, job_return=job)
        if job.status == JobStatus.FAILED:
            error = job._return_value  # `return_value` would print a line of Hydra's own
            if made is not None and isinstance(error, USER_ERRORS) and not isinstance(error, Diverged):
                folder.discard(made)
            raise error
        return job

    def get_help(self, help_cfg: DictConfig, cfg: DictConfig, args_parser: Any, resolve: bool) -> str:
        """As Hydra's, but each key with the comment that explains it."""
        text = super().get_help(help_cfg, OmegaConf.create({"x": _HERE}), args_parser, resolve)
        before, _, after = text.partition(f"x: {_HERE}")
        groups = "\n".join(textwrap.fill(line, _columns(), subsequent_indent="  ") for line in before.splitlines())
        return f"{groups}\n{explained(cfg, dict(HydraConfig.get().runtime.choices))}{after}"


_HERE = "here"  # where the configuration stands in Hydra's text


def _columns() -> int:
    return shutil.get_terminal_size().columns - 1


def make_run(request: RunRequest) -> float:
    """Make a single run, or go on with it; returns the final value of its first metric."""
    folder = request.folder
    if request.resume and is_done(folder, request.config):
        print(f"{shown(folder.path)}: the run is done, nothing is left to do")
        return next(iter(folder.result()["metrics"].values()))
    try:
        value = execute(request)
    except SystemExit as stop:
        if isinstance(stop.code, int) and stop.code > 128:
            print(f"gan-lab: {how_to_go_on(folder)}", file=sys.stderr)
        raise
    print_summary(folder.result(), folder)
    return value


def run_hydra(line: CommandLine) -> None:
    """Do what a command line asks of Hydra: make a run or a sweep, or show something.

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
    app = App("gan-lab", CheckedLoader(path, line.allowed_targets(), line.typed))
    GlobalHydra.instance().initialize(app)
    try:
        if not _shown(app, name, options):
            # where nothing is swept, `App.run` looks for the mode itself; Hydra would compose all once more for it
            swept = options.multirun or any(one.is_sweep_override() for one in line.overrides)
            mode = app.get_mode(name, options.overrides) if swept else RunMode.RUN
            _run_app(not options.multirun, options.multirun, mode, app, name, make_job, options.overrides)
    finally:
        GlobalHydra.instance().clear()


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
    line = resumed(CommandLine.parse(sys.argv[1:]))
    let_in(line.allowed_targets())
    if rank() is not None:
        check_folder_is_named(line)
    if rank():
        assist_the_first(line)
        return
    asks = any(getattr(line.options, name) for name in _SHOWS)
    with unbegun_sweep_taken_back(), harmless_output() if asks else unimportant_output():
        run_hydra(line)
