"""What a sweep varies: its overrides, their values, and the number of its runs."""

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from omegaconf import DictConfig

from gan_lab.runs.sweep_folder import GROWING


def named_keys(overrides: list[Override]) -> set[str]:
    """The keys in the names of a sweep's folders: those swept, and loss and seed, by which a sweep may grow."""
    return {one.get_key_element() for one in overrides if one.is_sweep_override() or one.get_key_element() in GROWING}


def sweep_overrides(config: DictConfig) -> list[Override]:
    """The overrides of the sweeper's ``params`` and of the command line, which wins."""
    params = config.hydra.sweeper.get("params") or {}
    lines = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    parsed = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader()).parse_overrides(lines)
    return list({one.get_key_element(): one for one in parsed}.values())


def sweep_values(override: Override) -> list[str]:
    """The values that an override sweeps, or its one value; that of a deleted key is empty."""
    if override.is_discrete_sweep():
        return list(override.sweep_string_iterator())
    return ["" if override.value_type is None else override.get_value_string()]


def quoted(key: str, value: str) -> str:
    """An override that gives a key any text."""
    return f"{key}={QuotedString(text=value, quote=Quote.single).with_quotes()}"


def planned(config: DictConfig, overrides: list[Override]) -> int:
    """How many runs there will be."""
    sweeper = config.hydra.sweeper
    if "n_trials" in sweeper:  # Optuna's
        return sweeper.n_trials
    combinations = len(BasicSweeper.split_arguments(overrides, None)[0])
    if "trials" in sweeper:
        return combinations * (sweeper.trials * len(sweeper.tuning_seeds) + len(sweeper.seeds))
    return combinations
