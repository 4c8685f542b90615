"""Going on with a run: its command line, and what may be changed of its configuration."""

import logging
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.config.schema import within_budget
from gan_lab.errors import CannotGoOn, ConfigError
from gan_lab.runs.configuration import config_hash
from gan_lab.runs.folder import RunFolder

log = logging.getLogger(__name__)

_CHANGEABLE = (
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "compile",
    "threads",
    "log_every",
    "pictures",
    "checkpoint",
    "evaluation.every",
    "evaluation.verdict",
    "on_divergence",
    "dataset.root",
    "dataset.path",
    "dataset.download",
)
"""Keys, or blocks of them, that do not change what is trained: where, how often it is looked at, where the data lie."""

_SAID = 4  # of many changes: one option of a group brings as many

Changes = dict[str, tuple[Any, Any]]
"""By key, the value that was and the value that is."""


def goes_on(config: DictConfig, folder: RunFolder) -> bool:
    """Whether a run was begun in the folder, and is to go on."""
    return config.resume is not None and folder.status_file.exists()


def check_has_checkpoints(folder: RunFolder) -> None:
    """Raise CannotGoOn if a run has made checkpoints, and none is left: begun anew, all else of it would be lost."""
    if not folder.status_file.exists():
        return
    status = folder.status()
    if status["state"] != "diverged" and status["iteration"] and not folder.saved_iterations():
        raise CannotGoOn(
            f"{folder.checkpoints}: no checkpoint is left of {status['iteration']} iterations; expected one to go on "
            "from; name another folder to start over"
        )


def changes_since(folder: RunFolder, config: DictConfig) -> Changes:
    """What of the configuration is not as the run was begun with; all of it harmless.

    Raises:
        ConfigError: if the run would become another.
    """
    before, now = dict(_leaves(folder.configuration.read())), dict(_leaves(config))
    changes = {
        key: (before.get(key), now.get(key))
        for key in {**before, **now}
        if key not in ("resume", "allowed_targets") and before.get(key) != now.get(key)
    }
    others = {key: change for key, change in changes.items() if not _harmless(key, change, config)}
    if others:
        said = ", ".join(f"{key} was {was} and is {value}" for key, (was, value) in list(others.items())[:_SAID])
        if len(others) > _SAID:
            said += f", and {len(others) - _SAID} more"
        raise ConfigError(
            f"resume={folder.path}: {said}: expected what the run was begun with, but for more iterations "
            f"(if lr_schedule=constant), {', '.join(_CHANGEABLE)}"
        )
    known = folder.status()["config_hash"]
    if not changes and known not in (None, config_hash(config)):
        raise ConfigError(f"resume={folder.path}: the run was begun with another configuration than .hydra holds now")
    for key, (was, value) in changes.items():
        log.info("%s was %s and is %s from here on", key, was, value)
    return changes


def is_done(folder: RunFolder, config: DictConfig) -> bool:
    """Whether nothing is left to do."""
    if folder.status()["state"] != "done" or not folder.result_file.is_file():
        return False
    spent = folder.result()["budget"]
    out_of_time = config.budget.seconds is not None and spent["train_seconds"] >= config.budget.seconds
    return out_of_time or spent["iterations"] >= within_budget(config).iterations


def _harmless(key: str, change: tuple[Any, Any], config: DictConfig) -> bool:
    if key == "iterations":  # a schedule that ends with training would have been another from the beginning
        return change[1] > change[0] and config.lr_schedule == "constant"
    return any(key == block or key.startswith(f"{block}.") for block in _CHANGEABLE)


def _leaves(config: DictConfig) -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key, interpolations resolved."""

    def below(prefix: str, node: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                yield from below(f"{prefix}.{key}" if prefix else str(key), value)
        else:
            yield prefix, node

    yield from below("", OmegaConf.to_container(config, resolve=True))
