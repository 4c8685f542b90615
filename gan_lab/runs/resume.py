"""Going on with a run: where it starts, and what may be changed of its configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.config.checks import planned_by_length, within_budget
from gan_lab.config.hashing import config_hash, without_later
from gan_lab.config.leaves import leaves
from gan_lab.config.messages import BLOCKS
from gan_lab.errors import CannotGoOn, ConfigError
from gan_lab.runs.folder import RunFolder
from gan_lab.validation import typed

CHANGEABLE = (
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.profiler",
    "trainer.enable_model_summary",
    "micro_batch",
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
    "dataset.source",
    "dataset.target",
    "dataset.download",
    "logger",
    "callbacks",
    "published",
)
"""Keys, or blocks of keys, that do not change what is trained: where, how often it is looked at, where the data lie."""

_FILES = (".json", ".csv", ".png", ".ckpt", ".log", ".yaml")  # what a run writes: a folder of such a name is damage
_BY_LENGTH = "lr_schedule and augmentation.schedule constant, algorithm.growth, or stable and fade, not null"
_SAID = 4  # changes named in an error: choosing another option of a group makes many

Changes = dict[str, tuple[Any, Any]]
"""By key, the value before and the value from now on."""


@dataclass(frozen=True)
class Start:
    """Where training starts.

    ``Start()`` is a new run. ``Start(again=True)`` is a run that was begun and has no checkpoint yet: it starts from
    the beginning again. With ``iteration`` and ``checkpoint`` it goes on after that iteration.
    """

    again: bool = False
    iteration: int | None = None
    checkpoint: Path | None = None

    @property
    def kept_until(self) -> int:
        """The last iteration whose curves and pictures stay; −1 if even those of iteration 0 are written again."""
        return -1 if self.iteration is None else self.iteration

    @property
    def purge_step(self) -> int | None:
        """The first iteration of which TensorBoard hides what an earlier process wrote; None in a new run."""
        return self.kept_until + 1 if self.again else None


def check_has_checkpoints(folder: RunFolder) -> None:
    """Raise CannotGoOn if a run has made checkpoints and none is left: starting over would delete its other files.

    It is raised as well for a folder in the place of a file, such as one named ``metrics.csv``.
    """
    if not folder.status_file.exists():
        return
    for path in folder.path.rglob("*.*"):
        if path.is_dir() and path.suffix in _FILES:
            raise CannotGoOn(f"{path}: expected a file")
    status = folder.status()
    unsaved = 0  # iterations after which there may be no checkpoint yet; elsewhere the status tells the last one saved
    if status["state"] == "diverged":  # here it tells the iteration of the divergence
        unsaved = folder.configuration.read().checkpoint.every
    if status["iteration"] > unsaved and not folder.saved_iterations():
        raise CannotGoOn(
            f"{folder.checkpoints}: no checkpoint is left of {status['iteration']} iterations; expected one to go on "
            "from; name another folder to start over"
        )


def changes_since(
    folder: RunFolder, config: DictConfig, chosen: Mapping[str, Any] | None = None, words: Sequence[str] | None = None
) -> Changes:
    """What differs in a resolved configuration from the one the run was begun with, if it may differ.

    Args:
        folder: the run.
        config: resolved.
        chosen: the options of groups that it was composed of, to say which are others; None to name keys alone.
        words: the overrides that it was composed of, to say whether somebody has typed the difference; None if so.

    Raises:
        ConfigError: if what is trained would differ.
    """
    before, now = (_settings(one) for one in (folder.configuration.read(), config))
    changes = {
        key: (before.get(key), now.get(key))
        for key in {**before, **now}
        if key.partition(".")[0] not in ("resume", "allowed_targets") and before.get(key) != now.get(key)
    }
    others = {key: change for key, change in changes.items() if not _harmless(key, change, config)}
    if others:
        if words is not None and not _typed_now(folder, words):
            said = _listed(others, "{} is {} in .hydra/config.yaml and {} by .hydra/overrides.yaml")
            raise ConfigError(f"resume={folder.path}: {said}: expected both as they were when the run was begun")
        if chosen is not None:
            others = _by_group(others, _options(before, now, folder.configuration.choices(), chosen))
        longer = f", but for more iterations (with {_BY_LENGTH})" if "iterations" in others else ""
        raise ConfigError(
            f"resume={folder.path}: {_listed(others, '{} was {} and is {}')}: expected what the run was begun with"
            f"{longer}; docs/resuming.md lists what may change"
        )
    known = folder.status()["config_hash"]
    if not changes and known not in (None, config_hash(config)):
        raise ConfigError(f"resume={folder.path}: the run was begun with another configuration than .hydra holds now")
    return changes


def _listed(changes: Changes, form: str) -> str:
    """The first of the changes, each in a form for its key and its two values."""
    said = ", ".join(form.format(key, typed(was), typed(value)) for key, (was, value) in list(changes.items())[:_SAID])
    return said if len(changes) <= _SAID else f"{said}, and {len(changes) - _SAID} more"


def _typed_now(folder: RunFolder, words: Sequence[str]) -> bool:
    """Whether some override is not one that `gan_lab.cli.resuming.resumed` has read from the run's folder."""
    choices = (f"{group}={option}" for group, option in folder.configuration.choices().items())
    read = {*folder.configuration.overrides(), *choices}
    return any(word not in read and not word.startswith("allowed_targets=") for word in words)


def _by_group(changes: Changes, options: Mapping[str, tuple[Any, Any]]) -> Changes:
    """Changes of keys, with one of a group in the place of those in its block.

    Args:
        changes: by key.
        options: of groups in which another one is chosen, the one before and the one from now on.
    """
    blocks = {f"{BLOCKS.get(group, group).replace('/', '.')}.": group for group in options}
    told: Changes = {}
    for key, change in changes.items():
        group = next((group for block, group in blocks.items() if f"{key}.".startswith(block)), None)
        told |= {key: change} if group is None else {group: options[group]}
    return told


def _options(
    before: Mapping[str, Any], now: Mapping[str, Any], chosen_before: Mapping[str, Any], chosen: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """By group, the option before and the one from now on, where they differ.

    Args:
        before, now: values by key.
        chosen_before, chosen: Hydra's choices, which leave out groups of which several options can be chosen.
    """
    found = {group: (option, chosen[group]) for group, option in chosen_before.items() if group in chosen}
    for group in ("penalty", "term"):
        block = f"{BLOCKS[group]}."
        was, one = ({key.split(".")[2] for key in values if key.startswith(block)} for values in (before, now))
        found[group] = ", ".join(sorted(was)), ", ".join(sorted(one))
    return {group: (was or "none", one or "none") for group, (was, one) in found.items() if was != one}


def _settings(config: DictConfig) -> dict[str, Any]:
    values = OmegaConf.to_container(config, resolve=True)
    assert isinstance(values, dict)
    return dict(leaves(without_later(values)))


def is_done(folder: RunFolder, config: DictConfig) -> bool:
    """Whether the run has its result, and has reached its iterations or seconds or stopped early."""
    if folder.status()["state"] != "done" or not folder.result_file.is_file():
        return False
    result = folder.result()
    if result.get("stopped_early"):
        return True
    spent = result["budget"]
    out_of_time = config.budget.seconds is not None and spent["train_seconds"] >= config.budget.seconds
    return out_of_time or spent["iterations"] >= within_budget(config).iterations


def _harmless(key: str, change: tuple[Any, Any], config: DictConfig) -> bool:
    if key == "iterations":
        return change[1] > change[0] and not planned_by_length(config)
    if key == "checkpoint.best":  # samples to select by are set aside from the first iteration on
        return False
    return any(key == block or key.startswith(f"{block}.") for block in CHANGEABLE)
