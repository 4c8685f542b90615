"""The YAML files of conf/, and what they compose to."""

import copy
from functools import cache
from pathlib import Path

from hydra import version
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode
from omegaconf import DictConfig, flag_override

from gan_lab.config.kept_loader import KeptLoader

CONF = Path(__file__).parent.parent / "conf"


def options(group: str) -> list[str]:
    """The options of a configuration group: its files."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def composed_of(*overrides: str) -> DictConfig:
    """train.yaml with overrides, composed as the command does; a copy, as Hydra takes long."""
    return copy.deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    version.setbase("1.3")
    config = _loader().load_configuration("train", list(overrides), RunMode.RUN, from_shell=False)
    with flag_override(config, ["struct", "readonly"], False):
        del config["hydra"]
    return config


@cache
def _loader() -> KeptLoader:
    return KeptLoader(create_config_search_path("pkg://gan_lab.conf"))
