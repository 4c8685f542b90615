"""The YAML files of conf/, and what they compose to."""

import pickle
import re
from functools import cache
from pathlib import Path

from hydra import version
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from gan_lab.config.kept_loader import KeptLoader

CONF = Path(__file__).parent.parent / "conf"


def options(group: str) -> list[str]:
    """The options of a configuration group: its files."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def composed_of(*overrides: str) -> DictConfig:
    """train.yaml with overrides, composed as the command does; a copy, as Hydra takes long."""
    config: DictConfig = pickle.loads(_composed(overrides))
    return config


def choices_of(*words: str) -> dict[str, str]:
    """The option of each group, chosen by these words, by a dataset, by a recipe, or by default."""
    return dict(pickle.loads(_chosen(words)).hydra.runtime.choices)


@cache
def _composed(overrides: tuple[str, ...]) -> bytes:
    """Pickled. As Hydra does it: options of groups first, and then all other overrides, in order."""
    chosen = tuple(word for word in overrides if _chooses(word))
    config = pickle.loads(_chosen(chosen))
    others = OverridesParser.create().parse_overrides([word for word in overrides if word not in chosen])
    KeptLoader._apply_overrides_to_config(others, config)
    with flag_override(config, ["struct", "readonly"], False):
        del config["hydra"]
    if config.get("loss"):
        OmegaConf.resolve(config.loss)  # as a run does; whether a value is an interpolation is of no interest here
    return pickle.dumps(config)


def _chooses(word: str) -> bool:
    """Whether an override is of a group, or says where else there are options."""
    key = re.split("[=@]", word.lstrip("+~"))[0]
    return (CONF / key).is_dir() or key == "hydra.searchpath"


@cache
def _chosen(words: tuple[str, ...]) -> bytes:
    """train.yaml with options of groups, pickled: they are the same in many tests."""
    version.setbase("1.3")
    return pickle.dumps(_loader().load_configuration("train", list(words), RunMode.RUN, from_shell=False))


@cache
def _loader() -> KeptLoader:
    return KeptLoader(create_config_search_path("pkg://gan_lab.conf"))
