"""The command line of ``gan-lab`` as Hydra's own objects, and the configuration that is composed with it, checked."""

import re
from argparse import ArgumentError, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf, flag_override

from gan_lab.config.hydra_nodes import CHECKED, check_hydra
from gan_lab.config.kept_loader import KeptLoader
from gan_lab.config.lightning_parts import check_typed
from gan_lab.config.messages import USER_ERRORS, first_line
from gan_lab.config.schema import TrainConfig
from gan_lab.config.targets import check_allowed
from gan_lab.errors import ConfigError
from gan_lab.sweeps.overrides import quoted

_LISTS = ("penalty", "term", "logger", "callbacks", "experiment")
"""Groups of which several options can be chosen."""
KEYS = {entry.name for entry in fields(TrainConfig)}
"""The keys of ``train.yaml``."""
NAME = r"[\w-][\w. -]*(/[\w-][\w. -]*)*"  # of an option, in folders of the group; no part begins with a dot
AS_LISTED = "expected a name as the group lists it, such as wgan_gp"
_LONGEST = 200  # letters of an option's name; file systems allow 255 bytes


@dataclass(frozen=True)
class CommandLine:
    """Hydra's options and overrides, in the order in which they were typed.

    Args:
        options: what Hydra's parser makes of the options, such as ``config_dir`` and ``multirun``.
        overrides: ``key=value`` and the like.
        recorded: how many of the overrides, which come first, were read from the folder of a run that goes on.
    """

    options: Namespace
    overrides: tuple[Override, ...]
    recorded: int = 0

    @property
    def typed(self) -> tuple[Override, ...]:
        """The overrides that a person has typed."""
        return self.overrides[self.recorded :]

    @classmethod
    def parse(cls, words: Sequence[str]) -> "CommandLine":
        """Read the words after the command; options may stand between overrides.

        Raises:
            ConfigError: for an option that Hydra does not have, that would run code from a file, or that names no
                folder.
            OverrideParseException: for a word that is no override.
        """
        parser = get_args_parser()
        parser.exit_on_error = False
        try:
            options, unknown = parser.parse_known_intermixed_args(words)
        except ArgumentError as error:
            raise ConfigError(f"{error}; gan-lab --hydra-help lists Hydra's options") from error
        if unknown:
            raise ConfigError(f"{unknown[0]}: there is no such option; expected key=value, or what --hydra-help lists")
        if options.experimental_rerun is not None:
            raise ConfigError("--experimental-rerun: expected resume=FOLDER instead, as a pickle may run any code")
        if options.config_name is not None and len(options.config_name) > _LONGEST:
            raise ConfigError(f"--config-name: expected a name of at most {_LONGEST} letters")
        if options.config_dir is not None and not Path(options.config_dir).is_dir():
            raise ConfigError(f"--config-dir {options.config_dir}: there is no such folder")
        overrides = tuple(parse_overrides(options.overrides))
        for one in overrides:
            check_options(one)
        return cls(options, overrides)

    def find(self, key: str) -> Override | None:
        """The last override of a key; it is the one that counts."""
        return next((one for one in reversed(self.overrides) if one.key_or_group == key), None)

    def text(self, key: str) -> str | None:
        """The value that a key is given, as text; None if it is given none."""
        if (override := self.find(key)) is None or override.value() is None:
            return None
        return override.get_value_string() if override.is_sweep_override() else str(override.value())

    @property
    def resumes(self) -> bool:
        """Whether ``resume=`` is given a value."""
        return self.text("resume") is not None

    def allowed_targets(self) -> list[str]:
        """The packages that the user allows by typing ``allowed_targets=[…]``.

        Raises:
            ConfigError: if that is no list of packages.
        """
        if (override := self.find("allowed_targets")) is None or override.is_delete():
            return []
        names = override.value()
        if not isinstance(names, list):
            raise ConfigError(f"allowed_targets={override.get_value_string()}: expected a list, such as [my_package]")
        allowed = [str(name) for name in names]
        check_allowed(allowed)
        return allowed

    def lines(self) -> list[str]:
        """The overrides as words."""
        return [one.input_line or "" for one in self.overrides]


def parse_overrides(words: Iterable[str]) -> list[Override]:
    """Hydra's objects for overrides.

    ``resume=`` may name a folder without the quotes that Hydra asks for: the runs of a sweep have ``=`` and ``,`` in
    their names.
    """
    return OverridesParser.create().parse_overrides([_with_quotes(word) for word in words])


def check_options(override: Override) -> None:
    """Raise ConfigError for what is no name of an option.

    At some of it Hydra would fail with a traceback. At ``../x`` it would read a file outside the group, and the run's
    record, which may come from anyone, must not: such a run could not go on.
    """
    key = override.key_or_group
    if len(key) > _LONGEST:
        raise ConfigError(f"a key of {len(key)} letters: expected one of at most {_LONGEST}")
    if not may_be_group(key) or override.is_delete():
        return
    value = override.value()
    group = key.startswith("hydra/") or files("gan_lab.conf").joinpath(key).is_dir()
    if group and isinstance(value, list) and not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{override.input_line}: expected a list of names, such as [r1,r2]")
    if isinstance(value, list) and group and not key.startswith("hydra/") and key not in _LISTS:
        raise ConfigError(f"{override.input_line}: expected one option of the group; -m {key}=a,b sweeps several")
    if group and value is None and key != "experiment":
        raise ConfigError(f"{key}=null: expected the name of an option")
    if any(len(one) > _LONGEST for one in options_of(override)):
        raise ConfigError(f"{key}: expected a name of at most {_LONGEST} letters")
    if not all(re.fullmatch(NAME, one) for one in options_of(override)):
        raise ConfigError(f"{override.input_line}: {AS_LISTED}")


def may_be_group(key: str) -> bool:
    """Whether a key may be that of a group: any may that has no dot, but those of ``train.yaml`` that are no folder."""
    return "." not in key and (key not in KEYS or files("gan_lab.conf").joinpath(key).is_dir())


def options_of(override: Override) -> list[str]:
    """The options of a group that an override names; of a sweep, those of all runs."""
    value = override.value()
    runs = value.list if isinstance(value, ChoiceSweep) else [value]
    names = [name for one in runs for name in (one if isinstance(one, list) else [one])]
    return [name for name in names if isinstance(name, str)]


def _with_quotes(word: str) -> str:
    """An override; the value of ``resume`` in quotes if it names a folder, or if Hydra cannot read it without."""
    name = word.removeprefix("resume=")
    if name == word:
        return word
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return quoted("resume", name)
    return quoted("resume", name) if Path(name).is_dir() else word


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
