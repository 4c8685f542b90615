"""The YAML files of conf/, and what they compose to."""

import copy
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_module
from omegaconf import DictConfig

CONF = Path(__file__).parent.parent / "conf"


def options(group: str) -> list[str]:
    """The options of a configuration group: its files."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def composed_of(*overrides: str) -> DictConfig:
    """train.yaml with overrides, composed as the command does; a copy, as Hydra takes long."""
    return copy.deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        return compose("train", list(overrides))
