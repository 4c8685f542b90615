"""Loggers and callbacks beside gan_lab's own: which a configuration may name, and what a file may set of them.

A logger can write anywhere and send to any host. So each gets a folder in its run's, which no key can change, and what
could send anything elsewhere is accepted only where a person has typed it: neither a YAML file nor the record of a run
counts, as both may come from anyone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.leaves import leaves
from gan_lab.config.targets import LIGHTNINGS
from gan_lab.errors import ConfigError

LOGGERS, _CALLBACKS = LIGHTNINGS["logger"], LIGHTNINGS["callbacks"]
_NAME = r"\w{1,60}"
_HYDRAS = ("_args_", "_partial_", "_convert_", "_recursive_")  # they change how arguments are handed over
_INSTALL = "uv sync brings it, or pip install '.[trackers]' in gan_lab's folder"
_NEEDS = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow", "DeviceStatsMonitor": "psutil"}
_OURS = {"save_dir", "dir", "root_dir", "sub_dir", "version", "id", "run_id", "resume", "experiment", "log_model"}
_OURS |= {"prefix"}

_FREE: dict[str, set[str]] = {
    f"{LOGGERS}.CSVLogger": {"flush_logs_every_n_steps"},
    f"{LOGGERS}.TensorBoardLogger": set(),
    f"{LOGGERS}.WandbLogger": {"project", "name", "group", "tags", "notes", "job_type"},
    f"{LOGGERS}.MLFlowLogger": {"experiment_name", "run_name", "tags"},
}
"""By class, the keys of a logger that a file may set to anything: labels, which stay in the run's folder."""
_ABSENT = {"tracking_uri": None, "offline": True}  # as good as no such key: nothing is sent

_COUNTED = "updates are counted by n_critic and n_generator"
REFUSED_CALLBACKS = {
    "Checkpoint": "a run goes on from gan_lab's checkpoints alone; expected checkpoint.every and checkpoint.keep",
    "ModelCheckpoint": "a run goes on from gan_lab's checkpoints alone; expected checkpoint.every or checkpoint.best",
    "OnExceptionCheckpoint": "a run goes on from gan_lab's checkpoints alone; expected checkpoint.minutes",
    "EarlyStopping": "Lightning validates nothing here; expected stop_early.metric",
    "Timer": "it would end a run before its last evaluation and checkpoint; expected budget.seconds",
    "GradientAccumulationScheduler": f"{_COUNTED}; expected a larger batch_size, or generator_batch_factor",
    "StochasticWeightAveraging": "it would put averages in the discriminator's place too; expected ema_decay",
    "WeightAveraging": "it would put averages in the discriminator's place too; expected ema_decay",
    "EMAWeightAveraging": "it would put averages in the discriminator's place too; expected ema_decay",
    "BatchSizeFinder": f"it trains before the run begins, and {_COUNTED}; expected batch_size",
    "LearningRateFinder": f"it trains before the run begins, and {_COUNTED}; expected protocol=tuned",
    "BaseFinetuning": "it would change the optimizers, by which a checkpoint is checked; expected none",
    "BackboneFinetuning": "it would change the optimizers, by which a checkpoint is checked; expected none",
    "ModelPruning": "it would replace weights that the optimizers and the constraint hold; expected none",
    "SpikeDetection": "it looks at a single loss; expected on_divergence",
    "ThroughputMonitor": "it counts batches of one loader; expected the curve time/iterations_per_second",
    "BasePredictionWriter": "nothing is predicted here; expected gan-lab-sample",
    "ProgressBar": "a run shows a bar already; expected none",
    "TQDMProgressBar": "a run shows a bar already; expected none",
    "RichProgressBar": "a run shows a bar already; expected none",
}
"""Lightning's callbacks that would break what a run promises: by class, the reason and what to use instead."""


def check_lightning_parts(config: DictConfig) -> None:
    """Raise ConfigError for a block of ``logger`` or ``callbacks`` that no run could have; nothing is imported."""
    for group in ("logger", "callbacks"):
        for name, block in config[group].items():
            key = f"{group}.{name}"
            if not re.fullmatch(_NAME, str(name)):
                raise ConfigError(f"{key}: expected a name of at most 60 letters, digits and _")
            if not isinstance(block, DictConfig):
                raise ConfigError(f"{key}={block}: expected a block with a _target_, or an option of its group")
            if "_target_" not in block:
                raise ConfigError(f"{key}._target_: missing, expected the full name of a class")
            if found := set(_HYDRAS).intersection(map(str, block)):
                raise ConfigError(f"{key}.{min(found)}: expected no such key in a block of {group}")
            last = str(block["_target_"]).rpartition(".")[2]
            if group == "logger":
                _check_logger(key, block)
            elif str(block["_target_"]).startswith("pytorch_lightning.") and last in REFUSED_CALLBACKS:
                raise ConfigError(f"{key}._target_={block['_target_']}: {REFUSED_CALLBACKS[last]}")


def _check_logger(key: str, block: DictConfig) -> None:
    plain: Any = OmegaConf.to_container(block)
    named = _OURS | ({"name"} if str(block["_target_"]).endswith(("CSVLogger", "TensorBoardLogger")) else set())
    for word in named.intersection(plain):
        raise ConfigError(
            f"{key}.{word}: curves keep their names, and all files lie in the run's folder; expected no such key"
        )
    for where, value in leaves(plain, key, into_lists=True):
        if "._target_" in where.removeprefix(f"{key}._target_"):
            raise ConfigError(f"{where}={value}: expected plain values, and no _target_, in what a logger is given")


def check_installed(config: DictConfig) -> None:
    """Raise ConfigError for a logger or callback whose package is not installed."""
    for group in ("logger", "callbacks"):
        for name, block in config[group].items():
            last = str(block["_target_"]).rpartition(".")[2]
            if (package := _NEEDS.get(last)) and find_spec(package) is None:
                raise ConfigError(f"{group}={name}: the package {package} is not installed; {_INSTALL}")


def check_typed(config: DictConfig, typed: Iterable[Override]) -> None:
    """Raise ConfigError for a setting of a logger that only a person may give, and that nobody has typed.

    Args:
        config: a composed configuration, as it is written.
        typed: the overrides on the command line, without those that were read from a run's folder.
    """
    written: Any = OmegaConf.to_container(config.get("logger") or OmegaConf.create(), resolve=False)
    by_hand = {where for one in typed for where, _ in _given(one)}
    for name, block in written.items():
        if not isinstance(block, dict):  # an interpolation may become any block
            if "${" in str(block) and f"logger.{name}" not in by_hand:
                raise ConfigError(f"logger.{name}={block}: expected a value without ${{")
            continue
        free = _FREE.get(str(block.get("_target_")), set())
        for where, value in leaves(block, f"logger.{name}", into_lists=True):
            if where not in by_hand and not _is_free(where, value, free):
                raise ConfigError(
                    f"{where}={value}: it could send a run's curves elsewhere; expected on the command line alone, "
                    "where a person has typed it"
                )


def harmless(override: Override) -> bool:
    """Whether an override, which may come from anyone, names no other logger and lets none send anything."""
    group, _, name = override.key_or_group.partition(".")
    if group != "logger" or not name:  # options of the group are gan_lab's own
        return True
    free = set().union(*_FREE.values())
    return all(_is_free(where, value, free) for where, value in _given(override))


def _given(override: Override) -> Iterator[tuple[str, Any]]:
    """The values of a logger that an override gives, by key."""
    key = override.key_or_group
    if key.startswith("logger.") and not override.is_delete():
        value = override.value()
        yield from leaves(value, key, into_lists=True) if not override.is_sweep_override() else [(key, ...)]


def _is_free(where: str, value: Any, free: set[str]) -> bool:
    key = where.split(".")[2] if where.count(".") > 1 else ""
    if key == "_target_":
        return value in _FREE
    return key in free or (key in _ABSENT and type(value) is type(_ABSENT[key]) and value == _ABSENT[key])


def refused_callback(kinds: Iterable[type]) -> str | None:
    """The reason for which a callback of these classes, its own and those that it derives from, is refused; or None."""
    ours = (kind for kind in kinds if kind.__module__.startswith(_CALLBACKS))
    return next((REFUSED_CALLBACKS[kind.__name__] for kind in ours if kind.__name__ in REFUSED_CALLBACKS), None)


def with_defaults(block: Mapping[str, Any]) -> dict[str, Any]:
    """A logger's block with what keeps its data here, unless the block says something else."""
    offline = {"offline": True} if block["_target_"] == f"{LOGGERS}.WandbLogger" else {}
    return offline | {key: value for key, value in block.items() if key != "tracking_uri" or value is not None}
