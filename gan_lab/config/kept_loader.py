"""Composing configurations as Hydra does, but reading what packages ship once in a process.

A sweep composes a configuration for each of its runs, and Hydra parses and merges the same YAML for each. Here the
files of packages, Hydra's own among them, are kept once they are read, and so is what they are merged to. A file that
has changed since is read again. Files in a folder of the user's are read every time.

Kept are pickles: unpickling makes a copy, which may be changed, in a fifth of the time that deepcopy takes. Classes
are not found by name in them: where Hydra looks for plugins again, as in a process of joblib, a name leads to another
class than before.
"""

import copy
import io
import pickle
from collections.abc import Hashable
from importlib import resources
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository, IConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.default_element import ResultDefault
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig

_READ: dict[Hashable, tuple[bytes, object]] = {}
"""The pickled content by the origin, and what must live on so that the origin stays the only one of its name."""
_MERGED: dict[Hashable, bytes] = {}
"""Pickled configurations by the origins of the files that were merged, in order, each with its place."""
_CLASSES: dict[int, type] = {}
"""Those that pickles mention, by their identity."""


class _Pickler(pickle.Pickler):
    def persistent_id(self, one: Any) -> int | None:
        if not isinstance(one, type):
            return None
        _CLASSES[id(one)] = one
        return id(one)


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: int) -> type:
        return _CLASSES[name]


def _pickled(one: object) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer).dump(one)
    return buffer.getvalue()


def _unpickled(kept: bytes) -> Any:
    return _Unpickler(io.BytesIO(kept)).load()


class KeptRepository(ConfigRepository):
    """Hydra's repository, which looks among what is kept first.

    Attributes:
        origins: where the configurations come from that one composition has asked for, by path; None for those that
            are not kept.
    """

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.origins: dict[str, Hashable] = {}

    def __deepcopy__(self, _: dict[int, Any]) -> "KeptRepository":
        """The repository of a composition. Hydra's own copies every class that is known as a configuration, too."""
        copied = copy.copy(self)
        copied.origins = {}
        return copied

    def load_config(self, config_path: str) -> ConfigResult | None:
        """As Hydra's."""
        origin, node = self._origin(config_path)
        self.origins[config_path] = origin
        if origin is None:
            return super().load_config(config_path)
        if origin not in _READ:
            _READ[origin] = _pickled(super().load_config(config_path)), node
        loaded: ConfigResult = _unpickled(_READ[origin][0])
        return loaded

    def _origin(self, config_path: str) -> tuple[Hashable, object]:
        """What tells a file of a package, in its present state, or a class from all others; a class comes with it."""
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        if source is None:
            return None, None
        name = ConfigSource._normalize_file_name(config_path)
        if source.scheme() == "structured":
            node = ConfigStore.instance()._load(name)
            return (source.provider, source.path, name, id(node)), node
        if source.scheme() == "pkg":
            file = resources.files(source.path).joinpath(name)
            if isinstance(file, Path):  # not one in a zip archive
                state = file.stat()
                return (source.provider, str(file), state.st_mtime_ns, state.st_size), None
        return None, None


class _Merged(ResultDefault):
    """Stands for the first files of a list, up to ``train.yaml``: nearly all configurations begin with these."""

    def __init__(self, key: Hashable) -> None:
        super().__init__()
        self.key = key


class KeptLoader(ConfigLoaderImpl):
    """Hydra's loader, for which files of packages are read and merged once."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository = KeptRepository(config_search_path)

    def _compose_config_from_defaults_list(self, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        """As Hydra's."""
        assert isinstance(repo, CachingConfigRepository)
        assert isinstance(repo.delegate, KeptRepository)
        origins = [repo.delegate.origins.get(one.config_path or "") for one in defaults]
        if None in origins or self.changes_files():
            return super()._compose_config_from_defaults_list(defaults, repo)
        places = ((one.config_path, one.package, one.is_self, one.primary) for one in defaults)
        key = tuple(zip(origins, places, strict=True))
        if key in _MERGED:
            kept: DictConfig = _unpickled(_MERGED[key])
            return kept
        head = 1 + next((place for place, one in enumerate(defaults) if one.primary), -1)
        if key[:head] not in _MERGED:
            _MERGED[key[:head]] = _pickled(super()._compose_config_from_defaults_list(defaults[:head], repo))
        merged = super()._compose_config_from_defaults_list([_Merged(key[:head]), *defaults[head:]], repo)
        _MERGED[key] = _pickled(merged)
        return merged

    def _load_single_config(self, default: ResultDefault, repo: IConfigRepository) -> ConfigResult:
        """As Hydra's."""
        if isinstance(default, _Merged):
            return ConfigResult("", "", _unpickled(_MERGED[default.key]), header={})
        return super()._load_single_config(default, repo)

    def changes_files(self) -> bool:
        """Whether `_load_single_config` makes something else of a file than Hydra's does."""
        return False
