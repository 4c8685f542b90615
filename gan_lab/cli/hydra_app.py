"""Hydra, started as ``hydra.main`` starts it, except that every configuration is checked before Hydra uses it.

Hydra instantiates callbacks, launcher, sweeper and logging from what it composes, and has no hook before that. So it is
given a loader of configurations of our own. The loader also composes the jobs of a sweep, in this process or in one
that a launcher has started: what a swept option brings is checked as well.
"""

import os
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra._internal.utils import (
    _run_app,
    _run_hydra,
    create_automatic_config_search_path,
    get_args_parser,
    validate_config_path,
)
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.types import TaskFunction
from omegaconf import DictConfig, flag_override

from gan_lab.cli.options import CommandLine
from gan_lab.config.hydra_nodes import check_hydra
from gan_lab.errors import ConfigError

_CONFIG_PATH, _CONFIG_NAME = "pkg://gan_lab.conf", "train"
_SHOWING = ("help", "hydra_help", "cfg", "info", "shell_completion", "resolve")


class CheckedLoader(ConfigLoaderImpl):
    """Composes configurations that allow themselves nothing and tell Hydra to run no foreign code.

    Args:
        config_search_path: where the YAML lies.
        allowed: the packages that the user has typed into ``allowed_targets``; no YAML can add to them.
    """

    def __init__(self, config_search_path: ConfigSearchPath, allowed: list[str]) -> None:
        super().__init__(config_search_path=config_search_path)
        self.allowed = allowed

    def load_configuration(self, *arguments: Any, **keywords: Any) -> DictConfig:
        """As Hydra's.

        Raises:
            ConfigError: for a configuration that is refused.
        """
        config = super().load_configuration(*arguments, **keywords)
        if (allowed := list(config.get("allowed_targets") or [])) != self.allowed:
            raise ConfigError(
                f"allowed_targets={allowed}: expected on the command line alone, where a person "
                "has typed it; a configuration cannot allow itself anything"
            )
        if "allowed_targets" in config:
            with flag_override(config, "readonly", False):
                config.allowed_targets = self.allowed  # it may have been an interpolation, of another value next time
        check_hydra(config.hydra, self.allowed)
        return config


def run_hydra(line: CommandLine, task: TaskFunction) -> None:
    """Do what a command line asks of Hydra: make a run or a sweep, or show something.

    Args:
        line: the command line.
        task: called with the configuration of each run.
    """
    version.setbase("1.3")
    options = line.options
    options.overrides = line.lines()
    if any(getattr(options, name) for name in _SHOWING) or (options.run and options.multirun):
        _run_hydra(options, get_args_parser(), task, _CONFIG_PATH, _CONFIG_NAME)  # Hydra instantiates nothing of it
        return
    config_name = options.config_name or _CONFIG_NAME
    path = _search_path(task, options.config_path or _CONFIG_PATH, options.config_dir)
    app = Hydra.create_main_hydra2(task_name="gan-lab", config_search_path=path)
    app.config_loader = CheckedLoader(path, line.allowed_targets())
    try:
        _run_app(
            run=not options.multirun,
            multirun=options.multirun,
            mode=app.get_mode(config_name, options.overrides),
            hydra=app,
            config_name=config_name,
            task_function=task,
            overrides=options.overrides,
        )
    finally:
        GlobalHydra.instance().clear()


def _search_path(task: TaskFunction, config_path: str, config_dir: str | None) -> ConfigSearchPath:
    """Where Hydra looks for YAML: our configuration, then the user's folder."""
    validate_config_path(config_path)
    path = create_automatic_config_search_path(None, task.__module__, config_path)
    if config_dir is not None:
        folder = f"file://{os.path.abspath(config_dir)}"
        path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
    return path
