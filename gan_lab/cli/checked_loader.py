"""Composing configurations, each checked as soon as it is composed."""

import re
from collections.abc import Sequence
from typing import Any

from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf, flag_override

from gan_lab.config.hydra_nodes import CHECKED, check_hydra
from gan_lab.config.kept_loader import KeptLoader
from gan_lab.config.lightning_parts import check_typed
from gan_lab.config.messages import USER_ERRORS, first_line
from gan_lab.errors import ConfigError


class CheckedLoader(KeptLoader):
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
        self.blocks: list[Override] = []
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
        except (TypeError, ValueError, OSError, AttributeError) as error:  # Hydra takes right forms for granted
            if word := re.match(r"(?:Index|invalid literal for int\(\) with base 10:) '(.*?)'", str(error)):
                typed = (one.input_line for one in self.given if word[1] in one.key_or_group.split("."))
                raise ConfigError(
                    f"{next(typed, word[1])}: a list has entries by number; expected the whole list, such as [a,b]"
                ) from error
            if isinstance(error, TypeError):
                raise
            if str(error).startswith("Config group override"):
                raise ConfigError("a group: expected the name of an option, such as loss=lsgan") from error
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

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        """As Hydra's; it is the first to read the overrides."""
        parsed, repository = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        self.blocks = [one for one in parsed if names_class(one)]
        return parsed, repository

    def changes_files(self) -> bool:
        """Whether a typed block takes the place of a file's."""
        return bool(self.blocks)

    def _load_single_config(self, *arguments: Any, **keywords: Any) -> ConfigResult:
        """As Hydra's, but a typed block takes the place of an option's block that names a class.

        Hydra would add it to the arguments of the option's class. What later options change in the block still counts.
        """
        loaded = super()._load_single_config(*arguments, **keywords)
        for block in self.blocks if loaded.path != "structured://" else ():  # the schema has types, and no classes
            there = OmegaConf.select(loaded.config, block.key_or_group, throw_on_missing=False)
            if isinstance(there, DictConfig) and "_target_" in there:
                typed: Any = block.value()
                own = there.items_ex(resolve=False)  # what a file's values refer to lies in others
                hydras = {name: value for name, value in own if str(name).startswith("_")}
                OmegaConf.update(loaded.config, block.key_or_group, hydras | typed, merge=False)
        return loaded

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


def names_class(override: Override) -> bool:
    """Whether an override is a block with a ``_target_``, such as ``model.generator={_target_:mine.Net}``."""
    if override.is_delete() or override.is_add() or override.is_sweep_override():
        return False
    value = override.value()
    return isinstance(value, dict) and "_target_" in value and "." in override.key_or_group
