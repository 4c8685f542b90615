"""Going on with a run: its command line, and what may be changed of its configuration."""

import logging
import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.budget import within_budget
from gan_lab.errors import CannotGoOn, ConfigError
from gan_lab.run_configuration import config_hash
from gan_lab.run_folder import RunFolder

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


def resumed_words(words: list[str]) -> list[str]:
    """The command line with what ``resume=`` stands for: the run's own overrides first, then those given now.

    Hydra then puts the output where the run is, and writes nothing to its ``.hydra`` folder.

    Args:
        words: the command line, without the command.

    Raises:
        ConfigError: if there is no such run, or no telling which.
    """
    given = {_key(word): word.partition("=")[2].strip("'\"") for word in words}
    resume = given.get("resume", "null")
    if resume == "null":
        return words
    if "-m" in words or "--multirun" in words:
        if resume != "auto":
            raise ConfigError(f"resume={resume}: a sweep goes on with resume=auto hydra.sweep.dir=FOLDER")
        return words
    if resume == "auto":
        if "hydra.run.dir" not in given:
            raise ConfigError("resume=auto: expected hydra.run.dir=FOLDER with it, the folder of the run")
        if not RunFolder(given["hydra.run.dir"]).status_file.exists():
            return words
        run = RunFolder.existing(given["hydra.run.dir"], key="hydra.run.dir")
    else:
        run = RunFolder.existing(resume, key="resume")
        if "hydra.run.dir" in given:
            raise ConfigError(f"resume={resume}: the run goes on in its own folder; leave out hydra.run.dir")
    own = [word for word in words if _key(word) not in ("resume", "hydra.run.dir")]
    recorded = [word for word in _recorded(run) if _key(word) not in given]
    if (folder := run.configuration.config_folder()) and not any(
        word.startswith(("--config-dir", "-cd")) for word in words
    ):
        raise ConfigError(  # its YAML says what Hydra does, and the folder may be anybody's
            f"resume={run.path}: the run was begun with --config-dir {folder}; expected it on this command line too"
        )
    path = "'" + str(run.path).replace("\\", "\\\\").replace("'", "\\'") + "'"
    return [*recorded, *own, f"resume={path}", f"hydra.run.dir={path}", "hydra.output_subdir=null"]


def _recorded(run: RunFolder) -> list[str]:
    """The overrides that the run was made with, less what it was allowed: that is for whoever resumes it to say.

    Raises:
        ConfigError: for one that no record of gan-lab holds; the folder may be anybody's, and Hydra does what it says.
    """
    words = run.configuration.overrides()
    for word in words:
        if not re.match(r"[+~]*[a-zA-Z_]", word) or re.match(r"[+~]*hydra\b", word):
            raise ConfigError(f"resume={run.path}: '{word}' in its overrides.yaml: expected keys of gan-lab's own")
    return [word for word in words if _key(word) != "allowed_targets"]


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


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
