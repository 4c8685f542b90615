"""A configuration, resolved and checked by reading it: ranges, names of classes, keys that exclude each other.

Nothing is imported for it; what the names lead to is checked where objects are built (`gan_lab.runs.building.build`).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, flag_override

import gan_lab.config.resolvers  # noqa: F401  # conf/ uses them
from gan_lab.config.compilation import check_compilation
from gan_lab.config.encoder import complete_encoder
from gan_lab.config.leaves import leaves, named_targets
from gan_lab.config.lightning_parts import check_installed, check_lightning_parts
from gan_lab.config.messages import A_BLOCK, unknown_key
from gan_lab.config.published import check_published
from gan_lab.config.schema import TrainConfig
from gan_lab.config.targets import check_allowed, check_names
from gan_lab.config.trainer import check_micro_batch, check_trainer
from gan_lab.errors import ConfigError
from gan_lab.validation import is_number, typed

_BLOCKS = (
    "algorithm",
    "model.generator",
    "model.discriminator",
    "loss.objective",
    "augmentation",
    "optimizer.generator",
    "optimizer.discriminator",
    "dataset",
    "evaluation.extractor",
    "trainer",
)
_FURTHER_BLOCKS = ("model.encoder", "optimizer.encoder")  # of some algorithms
_DEPENDENT = {
    "stop_early.patience": ("stop_early.metric", 5),
    "stop_early.minimum_change": ("stop_early.metric", 0.0),
    "init_players": ("init_from", ["generator", "discriminator"]),
    "init_strict": ("init_from", True),
}
"""Keys that another key needs, and their defaults."""
_DEEPEST = 40  # levels of nesting; readers of run folders refuse more than 50


def without_hydra(config: DictConfig) -> DictConfig:
    """A copy of a configuration without Hydra's own keys, as a job gets it. Keys keep their types."""
    own = config.copy()
    with flag_override(own, ["struct", "readonly"], [False, False]):
        own.pop("hydra", None)
    return own


def resolved(config: DictConfig) -> DictConfig:
    """A configuration without Hydra's own keys, every interpolation replaced by its value, so that it stays as checked.

    An encoder's optimizer whose ``_target_`` is null gets what it lacks from the generator's.

    Raises:
        ConfigError: for a value that would be an interpolation again.
        OmegaConfBaseException: for an interpolation that leads nowhere.
    """
    own = without_hydra(config) if "hydra" in config else config
    values: Any = OmegaConf.to_container(own, resolve=True)
    for where, value in leaves(values, into_lists=True):
        if isinstance(value, str) and "${" in value:
            raise ConfigError(f"{where}={value}: expected a value without ${{")
    complete_encoder(values)
    result = OmegaConf.create(values)
    assert isinstance(result, DictConfig)
    return result


def check(config: DictConfig) -> DictConfig:
    """The resolved configuration, checked as far as reading it allows; nothing is imported.

    Raises:
        ConfigError: for the first value that cannot be, naming the key, the value and what is allowed.
        OmegaConfBaseException: for an interpolation that leads nowhere.
    """
    config = resolved(config)
    check_values(config)
    check_allowed(config.allowed_targets)
    check_installed(config)
    check_names(named_targets(OmegaConf.to_container(config)), config.allowed_targets)
    return config


def _check_types(config: DictConfig) -> None:
    """Raise an error for values of wrong types, which interpolations may have brought after Hydra had looked."""
    _check_blocks(config, TrainConfig)
    OmegaConf.merge(_typed_schema(), config)


@cache
def _typed_schema() -> DictConfig:
    """The schema as OmegaConf merges into it; it copies it first."""
    schema: DictConfig = OmegaConf.structured(TrainConfig)
    return schema


def _check_blocks(config: DictConfig, schema: type, prefix: str = "") -> None:
    for entry in fields(schema):
        kind = entry.default_factory
        if entry.name in config and isinstance(kind, type) and is_dataclass(kind):
            block = config[entry.name]
            if not isinstance(block, DictConfig):
                raise ConfigError(f"{prefix}{entry.name}={block}: {A_BLOCK}")
            _check_blocks(block, kind, f"{prefix}{entry.name}.")


def check_recordable(config: DictConfig) -> None:
    """Raise ConfigError for a value, Hydra's own included, that no record of a run could give back.

    Such are names in other encodings than UTF-8, a few control characters, and nesting that a reader of YAML refuses.
    """
    values: Any = OmegaConf.to_container(config, resolve=False)
    found = sorted(leaves(values, into_lists=True), key=lambda leaf: leaf[0].startswith("hydra.overrides."))
    for where, value in found:  # a key is told rather than the word that gave it
        if where.count(".") > _DEEPEST:
            raise ConfigError(f"{where}: expected at most {_DEEPEST} levels of nesting")
        if isinstance(value, str) and not value.isprintable() and not _is_kept(value):
            what = f"the working directory {value}" if where == "hydra.runtime.cwd" else f"{where}={value}"
            raise ConfigError(f"{what}: expected text in UTF-8 without control characters, which YAML can hold")


def _is_kept(text: str) -> bool:
    """Whether YAML gives a text back as it was."""
    try:
        return bool(yaml.load(yaml.dump(text, allow_unicode=True).encode(), Loader=yaml.CSafeLoader) == text)
    except (UnicodeEncodeError, yaml.YAMLError):
        return False


def check_values(config: DictConfig) -> None:
    """`check` of a resolved configuration without the classes that it names: for one that is only read."""
    known = {entry.name for entry in fields(TrainConfig)}
    for key in map(str, config):
        if key not in known:
            raise ConfigError(unknown_key(key, key, known))
    for key in sorted(known - set(config)):
        raise ConfigError(f"{key}: missing, expected a value")
    _check_types(config)
    for kind in ("penalties", "terms"):
        for name in config.loss[kind]:
            if not re.fullmatch(r"[\w-]{1,60}", str(name)):
                raise ConfigError(f"loss.{kind}.{name}: expected a name of at most 60 letters, digits, - and _")
    check_ranges(config, TrainConfig)
    for key in OmegaConf.missing_keys(config):
        raise ConfigError(f"{key}: it has no value unless you give it one, expected {key}=...")
    further = [key for key in _FURTHER_BLOCKS if OmegaConf.select(config, key) is not None]
    for key in (*_BLOCKS, *further):
        block = OmegaConf.select(config, key)
        if not isinstance(block, DictConfig):
            raise ConfigError(f"{key}={typed(block)}: expected a block with a _target_, or an option of its group")
        if "_target_" not in block:
            raise ConfigError(f"{key}._target_: missing, expected the full name of a class")
    for player, optimizer in config.optimizer.items():
        if optimizer is not None:
            _check_optimizer(f"optimizer.{player}", optimizer)
    check_trainer(config.trainer)
    check_lightning_parts(config)
    check_published(config)
    _check_budget(config)
    check_micro_batch(config)
    _check_schedules(config)
    _check_init_players(config)
    for key, without in _DEPENDENT.items():
        needed, default = without
        if OmegaConf.select(config, needed) is None and (value := OmegaConf.select(config, key)) != default:
            raise ConfigError(f"{key}={typed(value)}: it does nothing without {needed}; expected {needed}=... with it")
    check_compilation(config)
    if not isinstance(config.joint_batch, bool | None):
        raise ConfigError(f"joint_batch={typed(config.joint_batch)}: expected null, true or false")
    if config.on_divergence == "skip_update" and config.trainer.precision == "16-mixed":
        raise ConfigError(
            "on_divergence=skip_update: expected stop with trainer.precision=16-mixed, which skips by itself"
        )


def _check_schedules(config: DictConfig) -> None:
    """Raise ConfigError for keys of a moving average, or of what moves in training, that do not go together."""
    ema = config.ema
    for key in ("ema_decay", "beta2_final"):
        if config[key] is not None and config[key] >= 1:
            raise ConfigError(f"{key}={config[key]}: expected null or a number from 0 to below 1")
    if ema.half_life is not None and config.ema_decay is not None:
        raise ConfigError(f"ema.half_life={ema.half_life}: expected null with ema_decay={config.ema_decay}")
    for name in ("ramp", "rise"):
        if ema[name] is not None and ema.half_life is None:
            raise ConfigError(f"ema.{name}={ema[name]}: expected null without ema.half_life, which it shortens")
    if ema.ramp is not None and ema.rise is not None:
        raise ConfigError(f"ema.rise={ema.rise}: expected null with ema.ramp={ema.ramp}")
    for key, absent in (("lr_hold", 0), ("lr_final", 0), ("lr_iterations", None), ("beta2_final", None)):
        if config.lr_schedule == "constant" and config[key] != absent:
            raise ConfigError(
                f"{key}={config[key]}: it does nothing with lr_schedule=constant; expected lr_schedule=cosine or linear"
            )
    if config.lr_iterations is not None and config.lr_iterations <= config.lr_warmup + config.lr_hold:
        before = f"lr_warmup={config.lr_warmup}" + (f" and lr_hold={config.lr_hold}" if config.lr_hold else "")
        raise ConfigError(f"lr_iterations={config.lr_iterations}: expected more than {before}")


def check_ranges(config: DictConfig, schema: type, prefix: str = "") -> None:
    """Raise ConfigError for the first value outside the range its dataclass states."""
    for key, value, rule in _ruled(config, schema, prefix):
        if value is None:
            continue
        kind = "a whole number" if isinstance(value, int) else "a number"
        if value == math.inf:
            raise ConfigError(f"{key}={value}: expected a finite number")
        if "at_least" in rule and not value >= rule["at_least"]:
            raise ConfigError(f"{key}={value}: expected {kind} of at least {rule['at_least']}")
        if "at_most" in rule and not value <= rule["at_most"]:
            raise ConfigError(f"{key}={value}: expected {kind} of at most {rule['at_most']}")
        if "above" in rule and not value > rule["above"]:
            raise ConfigError(f"{key}={value}: expected {kind} above {rule['above']}")
        if "one_of" in rule and value not in rule["one_of"]:
            raise ConfigError(f"{key}={value}: expected one of {', '.join(rule['one_of'])}")


def within_budget(config: DictConfig) -> DictConfig:
    """The configuration with as many ``iterations`` as ``budget.updates`` allows, if that is fewer."""
    config = config.copy()
    if config.budget.updates is not None:
        config.iterations = min(config.iterations, config.budget.updates // (config.n_critic + config.n_generator))
    return config


def planned_by_length(config: DictConfig) -> str:
    """The setting that depends on the number of iterations from the first one on, as a word; empty if none does."""
    if config.lr_schedule != "constant" and config.lr_iterations is None:
        return f"lr_schedule={config.lr_schedule}"
    if (schedule := config.augmentation.get("schedule", "constant")) != "constant":
        return f"augmentation.schedule={schedule}"
    growth, *phases = (config.algorithm.get(key, 0) for key in ("growth", "stable", "fade"))
    return "algorithm.growth=null" if growth is None and None in phases else ""


def _check_budget(config: DictConfig) -> None:
    if config.budget.seconds is not None and (planned := planned_by_length(config)):
        raise ConfigError(
            f"budget.seconds={config.budget.seconds}: expected null with {planned}, which must know its last iteration"
        )
    updates = config.n_critic + config.n_generator
    if config.budget.updates is not None and config.budget.updates < updates:
        raise ConfigError(
            f"budget.updates={config.budget.updates}: expected at least {updates}, the updates of one iteration"
        )


def _check_init_players(config: DictConfig) -> None:
    has_encoder = config.model.encoder is not None
    players = {"generator", "discriminator", *(["encoder"] if has_encoder else [])}
    if not config.init_players or set(config.init_players) - players:
        expected = (
            "some of generator, discriminator and encoder" if has_encoder else "[generator], [discriminator] or both"
        )
        raise ConfigError(f"init_players={typed(list(config.init_players))}: expected {expected}")


def _check_optimizer(key: str, settings: DictConfig) -> None:
    if "params" in settings:
        raise ConfigError(f"{key}.params: expected none, as the network gives its weights")
    rate = settings.get("lr", 1.0)
    if not is_number(rate) or rate <= 0:
        raise ConfigError(f"{key}.lr={typed(rate)}: expected a number above 0")
    betas = settings.get("betas", [0.5, 0.5])
    if not OmegaConf.is_list(betas) and not isinstance(betas, list):
        betas = [betas]
    if len(betas) != 2 or not all(is_number(beta) and 0 <= beta < 1 for beta in betas):
        said = typed(settings.betas)
        raise ConfigError(f"{key}.betas={said}: expected two numbers from 0 to below 1, such as [0.5,0.999]")
    for name in ("alpha", "eps", "momentum", "weight_decay"):
        value = settings.get(name, 0.0)
        if not is_number(value) or value < 0:
            raise ConfigError(f"{key}.{name}={typed(value)}: expected a number of at least 0")
    if (alpha := settings.get("alpha", 0.0)) >= 1:
        raise ConfigError(f"{key}.alpha={alpha}: expected a number from 0 to below 1")


def _ruled(config: DictConfig, schema: type, prefix: str = "") -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Every key of the schema that has a range, with its value and its range."""
    for entry in fields(schema):
        if entry.metadata:
            yield f"{prefix}{entry.name}", config[entry.name], dict(entry.metadata)
        elif isinstance(entry.default_factory, type) and is_dataclass(entry.default_factory):
            yield from _ruled(config[entry.name], entry.default_factory, f"{prefix}{entry.name}.")
