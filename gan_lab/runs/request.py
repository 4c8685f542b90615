"""What is asked of a run, as the command, a sweep's worker and assisting processes hand it on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from gan_lab.runs.folder import RunFolder

_GROUPS = ("loss", "model", "dataset", "protocol")


@dataclass(frozen=True)
class Change:
    """How the configuration of a run that goes on differs from the one it was begun with.

    Args:
        config: the new one, as it is to be written.
        overrides: the command line that makes it.
        keys: by key, the value before and the value from now on.
    """

    config: DictConfig
    overrides: list[str]
    keys: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class RunRequest:
    """A run to be made, or to go on with.

    Args:
        config: the configuration, as `gan_lab.config.checks.check` returned it.
        folder: the run's.
        names: the options chosen in the groups loss, model, dataset and protocol.
        resume: whether the run was begun before.
        change: what is new in the configuration of a run that goes on; None if nothing is.
        latest_start: the largest iteration to go on from; None for the newest checkpoint's.
    """

    config: DictConfig
    folder: RunFolder
    names: dict[str, str]
    resume: bool = False
    change: Change | None = None
    latest_start: int | None = None


def chosen_options(choices: Mapping[str, Any]) -> dict[str, str]:
    """The options that a run is known by, of Hydra's choices in all groups."""
    return {group: str(choices[group]) for group in _GROUPS}
