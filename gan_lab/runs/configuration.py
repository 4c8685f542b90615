"""A run's ``.hydra`` folder: the configuration it was made with, and the command line that made it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lab.config.checks import check_values, resolved
from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.config.schema import TrainConfig
from gan_lab.errors import ConfigError
from gan_lab.runs.reader import read_overrides
from gan_lab.storage.files import BrokenRecord, read_yaml, replacing


class RunConfiguration:
    """The configuration of a run, and the command line that made it.

    Args:
        folder: Hydra's in the run's.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "config.yaml"
        self._hydra_file = folder / "hydra.yaml"
        self._overrides_file = folder / "overrides.yaml"

    def read(self, allowed_targets: Sequence[str] = ()) -> DictConfig:
        """The configuration the run was made with, resolved.

        Args:
            allowed_targets: packages it may name; what the folder says of them does not count, as it may come from
                anyone.

        Raises:
            ConfigError: if it is missing, or could not be run.
        """
        if not self._file.is_file():
            raise ConfigError(f"{self._file} is missing: the run cannot be rebuilt without its configuration")
        config = _load_yaml(self._file)
        if not isinstance(config, DictConfig):
            raise ConfigError(f"{self._file}: it is a {type(config).__name__}: expected a mapping of keys")
        config.allowed_targets = list(allowed_targets)
        try:
            config = OmegaConf.merge(OmegaConf.structured(TrainConfig), config)
            assert isinstance(config, DictConfig)
            config = resolved(config)
            check_values(config)
        except USER_ERRORS as error:
            raise ConfigError(f"{self._file}: {sentence(error)}") from error
        return config

    def overrides(self) -> list[str]:
        """The overrides on the command line that made the run, without Hydra's own; none without a record of them."""
        return read_overrides(self._overrides_file) if self._overrides_file.is_file() else []

    def choices(self) -> dict[str, Any]:
        """The options of groups that the run was made of; none without a record of them."""
        hydra = _load_yaml(self._hydra_file) if self._hydra_file.is_file() else None
        found = OmegaConf.select(hydra, "hydra.runtime.choices") if isinstance(hydra, DictConfig) else None
        return {str(group): option for group, option in found.items()} if isinstance(found, DictConfig) else {}

    def config_folder(self) -> str | None:
        """The folder that ``--config-dir`` named when the run was made, or None."""
        hydra = _load_yaml(self._hydra_file)
        if not isinstance(hydra, DictConfig):
            raise BrokenRecord(f"{self._hydra_file}: it is a {type(hydra).__name__}: expected a mapping of keys")
        sources = OmegaConf.select(hydra, "hydra.runtime.config_sources")
        if not isinstance(sources, ListConfig):
            return None
        own = (one for one in sources if isinstance(one, DictConfig) and one.get("provider") == "command-line")
        return next((str(one.get("path")) for one in own), None)

    def record(self, config: DictConfig, hydra: DictConfig, resolve: bool = True) -> None:
        """Write the folder as Hydra does, but resolved, so that it does not depend on the environment it is read in.

        Args:
            config: the composed configuration.
            hydra: Hydra's own configuration, with its key ``hydra``.
            resolve: False leaves interpolations that lead nowhere as they are.
        """
        _write(self._file, OmegaConf.to_yaml(config, resolve=resolve))
        _write(self._hydra_file, OmegaConf.to_yaml(hydra))
        _write(self._overrides_file, OmegaConf.to_yaml(hydra.hydra.overrides.task))  # last: a sweep counts runs by it

    def change(self, config: DictConfig, overrides: list[str], iteration: int) -> None:
        """Replace the configuration, which held until an iteration; the first one stays beside it."""
        for file in (self._file, self._overrides_file):
            before = file.with_name(f"{file.stem}_until_{iteration:07d}.yaml")
            if not before.exists():
                with replacing(before) as stream:
                    stream.write(file.read_bytes())
        _write(self._overrides_file, OmegaConf.to_yaml(OmegaConf.create(overrides)))
        _write(self._file, OmegaConf.to_yaml(config))


def _load_yaml(file: Path) -> Any:
    """The content of a YAML file; lists and mappings as OmegaConf's."""
    value = read_yaml(file)
    try:
        return OmegaConf.create(value) if isinstance(value, dict | list) else value
    except OmegaConfBaseException as error:
        raise BrokenRecord(f"{file}: not the YAML of a run: {sentence(error)}") from error


def _write(file: Path, text: str) -> None:
    with replacing(file) as stream:
        stream.write(text.encode())
