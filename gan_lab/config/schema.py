"""The root of the configuration: its keys, their types, their ranges, and what must hold between them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from gan_lab.config.targets import check_allowed, check_names
from gan_lab.errors import ConfigError, closest


def _at_least(minimum: float, at_most: float | None = None, **default: Any) -> Any:
    return field(metadata={"at_least": minimum} | ({} if at_most is None else {"at_most": at_most}), **default)


def _above(bound: float, **default: Any) -> Any:
    return field(metadata={"above": bound}, **default)


def _one_of(*choices: str, **default: Any) -> Any:
    return field(metadata={"one_of": choices}, **default)


@dataclass
class LossConfig:
    """The mathematics of a recipe."""

    _target_: str = MISSING
    _convert_: str = MISSING
    objective: Any = MISSING
    penalties: dict[str, Any] = MISSING
    terms: dict[str, Any] = field(default_factory=dict)
    constraint: Any = None


@dataclass
class NetworksConfig:
    """Something for each of the two networks."""

    generator: Any = MISSING
    discriminator: Any = MISSING


@dataclass
class ClipGradConfig:
    """Largest gradient norm of each network; null does not clip."""

    generator: float | None = _above(0, default=None)
    discriminator: float | None = _above(0, default=None)


@dataclass
class BudgetConfig:
    """Limits of training besides ``iterations``."""

    updates: int | None = _at_least(1, default=None)
    seconds: float | None = _above(0, default=None)


@dataclass
class VerdictConfig:
    """From where on a sign is a verdict (`gan_lab.metrics.verdict.Thresholds`)."""

    weight_growth: float = _above(1, default=MISSING)
    still: float = _at_least(0, default=MISSING)
    accuracy: float = _at_least(0, default=MISSING)
    realistic: float = _at_least(0, default=MISSING)
    diversity: float = _at_least(0, default=MISSING)
    duplicates: float = _at_least(0, default=MISSING)
    modes: float = _at_least(0, default=MISSING)


@dataclass
class EvaluationConfig:
    """What is measured, when, and on how many samples."""

    extractor: Any = MISSING
    metrics: list[str] = MISSING
    every: int = _at_least(1, default=MISSING)
    samples: int = _at_least(2, default=MISSING)
    k: int = _at_least(1, default=MISSING)
    kid_subsets: int = _at_least(1, 100_000, default=MISSING)
    kid_subset_size: int = _at_least(2, default=MISSING)
    verdict: VerdictConfig = field(default_factory=VerdictConfig)


@dataclass
class CheckpointConfig:
    """When the state is saved, and for how long it is kept."""

    every: int = _at_least(1, default=MISSING)
    minutes: float | None = _above(0, default=None)
    keep: int = _at_least(0, default=MISSING)


@dataclass
class PicturesConfig:
    """Sample pictures during training."""

    every: int = _at_least(1, default=MISSING)
    samples: int = _at_least(1, 10_000, default=MISSING)


@dataclass
class TrainConfig:
    """The keys of ``train.yaml``, where each is explained."""

    model: NetworksConfig = field(default_factory=NetworksConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    dataset: Any = MISSING
    trainer: Any = MISSING
    optimizer: NetworksConfig = field(default_factory=NetworksConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    seed: int = _at_least(0, 2**32 - 1, default=MISSING)
    iterations: int = _at_least(1, 10**12, default=MISSING)
    batch_size: int = _at_least(1, default=MISSING)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    n_critic: int = _at_least(1, 10_000, default=MISSING)
    n_generator: int = _at_least(1, 10_000, default=MISSING)
    latent_dim: int = _at_least(1, 10**6, default=MISSING)
    latent_prior: str = _one_of("normal", "uniform", default=MISSING)
    lr_schedule: str = _one_of("constant", "linear", "cosine", default=MISSING)
    lr_warmup: int = _at_least(0, default=MISSING)
    clip_grad: ClipGradConfig = field(default_factory=ClipGradConfig)
    ema_decay: float | None = _at_least(0, default=None)
    allow_batchnorm_penalty: bool = MISSING
    joint_batch: bool | None = None
    compile: Any = False
    matmul_precision: str = _one_of("highest", "high", "medium", default=MISSING)
    threads: int | None = _at_least(1, 1024, default=None)
    log_every: int = _at_least(1, default=MISSING)
    on_divergence: str = _one_of("stop", "skip_update", default=MISSING)
    resume: str | None = None
    allowed_targets: list[str] = MISSING
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)


_BLOCKS = (
    "model.generator",
    "model.discriminator",
    "loss.objective",
    "optimizer.generator",
    "optimizer.discriminator",
    "dataset",
    "evaluation.extractor",
    "trainer",
)
# what of Lightning's trainer a run can be given: steps, clipping, logging and checkpoints are keys of the root
_TRAINER_KEYS = (
    "_target_",
    "accelerator",
    "devices",
    "num_nodes",
    "precision",
    "deterministic",
    "benchmark",
    "detect_anomaly",
)

ConfigStore.instance().store(name="schema", node=TrainConfig)


def check(config: DictConfig) -> None:
    """Raise ConfigError for the first value outside its range, naming the key, the value and what is allowed.

    That is `check_values`, and that nothing is named that may not be instantiated.
    """
    check_values(config)
    check_allowed(config.allowed_targets)
    named = OmegaConf.to_container(OmegaConf.masked_copy(config, [entry.name for entry in fields(TrainConfig)]))
    check_names(named, "", config.allowed_targets)


def check_values(config: DictConfig) -> None:
    """The same, whoever's classes are named: nothing may be made of them."""
    known = {entry.name for entry in fields(TrainConfig)}
    for key in map(str, config):
        if key not in known and key != "hydra":
            raise ConfigError(f"{key}: there is no key '{key}' in the configuration; {closest(key, known)}")
    for key in sorted(known - set(config)):
        raise ConfigError(f"{key}: missing, expected a value")
    check_ranges(config, TrainConfig)
    for key in OmegaConf.missing_keys(OmegaConf.masked_copy(config, list(known))):
        raise ConfigError(f"{key}: it has no value unless you give it one, expected {key}=...")
    for key in _BLOCKS:
        block = OmegaConf.select(config, key)
        if not isinstance(block, DictConfig):
            raise ConfigError(f"{key}={block}: expected a block with a _target_, or an option of its group")
        if "_target_" not in block:
            raise ConfigError(f"{key}._target_: missing, expected the full name of a class")
    for key in map(str, config.trainer):
        if key not in _TRAINER_KEYS:
            raise ConfigError(f"trainer.{key}: there is no key '{key}' in trainer; {closest(key, _TRAINER_KEYS)}")
    if config.ema_decay is not None and config.ema_decay >= 1:
        raise ConfigError(f"ema_decay={config.ema_decay}: expected null or a number from 0 to below 1")
    if config.budget.seconds is not None and config.lr_schedule != "constant":
        raise ConfigError(
            f"budget.seconds={config.budget.seconds}: expected null with lr_schedule={config.lr_schedule}, "
            "which must know its last iteration"
        )
    updates = config.n_critic + config.n_generator
    if config.budget.updates is not None and config.budget.updates < updates:
        raise ConfigError(
            f"budget.updates={config.budget.updates}: expected at least {updates}, the updates of one iteration"
        )
    for player in ("generator", "discriminator"):
        _check_optimizer(f"optimizer.{player}", config.optimizer[player])
    _check_trainer(config.trainer)
    if not isinstance(config.compile, bool) and config.compile != "cudagraph":
        raise ConfigError(f"compile={config.compile}: expected true, false or cudagraph")
    if config.compile == "cudagraph":
        _check_graph(config)
    if config.on_divergence == "skip_update" and config.trainer.precision == "16-mixed":
        raise ConfigError(
            "on_divergence=skip_update: expected stop with trainer.precision=16-mixed, which skips by itself"
        )


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


def _check_optimizer(key: str, settings: DictConfig) -> None:
    rate = settings.get("lr", 1.0)
    if not _is_number(rate) or not 0 < rate < math.inf:
        raise ConfigError(f"{key}.lr={rate}: expected a number above 0")
    betas = settings.get("betas", [0.5, 0.5])
    pair = OmegaConf.is_list(betas) or isinstance(betas, list)
    if not pair or len(betas) != 2 or not all(_is_number(beta) and 0 <= beta < 1 for beta in betas):
        raise ConfigError(f"{key}.betas={betas}: expected two numbers from 0 to below 1, such as [0.5,0.999]")
    for name in ("alpha", "eps", "momentum", "weight_decay"):
        value = settings.get(name, 0.0)
        if not _is_number(value) or not 0 <= value < math.inf:
            raise ConfigError(f"{key}.{name}={value}: expected a number of at least 0")


def _check_graph(config: DictConfig) -> None:
    """A CUDA graph repeats the same work on one GPU, and never looks at a result."""
    needed = {
        "trainer.devices": (config.trainer.devices * config.trainer.num_nodes, 1),
        "on_divergence": (config.on_divergence, "stop"),
        "trainer.precision": (config.trainer.precision, ("32-true", "64-true", "bf16-mixed")),
        "trainer.detect_anomaly": (config.trainer.get("detect_anomaly", False), False),
    }
    for name, penalty in config.loss.penalties.items():
        needed[f"loss.penalties.{name}.every"] = (penalty.get("every", 1), 1)
    for key, (value, expected) in needed.items():
        if value not in (expected if isinstance(expected, tuple) else (expected,)):
            words = ", ".join(map(str, expected)) if isinstance(expected, tuple) else expected
            raise ConfigError(f"{key}={value}: expected {words} with compile=cudagraph")


def _check_trainer(trainer: DictConfig) -> None:
    allowed: dict[str, tuple[Any, ...]] = {
        "accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
        "precision": ("32-true", "64-true", "bf16-mixed", "16-mixed"),
        "deterministic": (True, False, "warn"),
        "benchmark": (True, False, None),
        "detect_anomaly": (True, False),
    }
    for key, values in allowed.items():
        if key in trainer and not any(type(trainer[key]) is type(value) and trainer[key] == value for value in values):
            words = ", ".join("null" if value is None else str(value) for value in values)
            raise ConfigError(f"trainer.{key}={trainer[key]}: expected one of {words}")
    for key, meaning in (("devices", "processes, each on a device of its own"), ("num_nodes", "machines")):
        value = trainer[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"trainer.{key}={value}: expected a whole number of at least 1, of {meaning}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ruled(config: DictConfig, schema: type, prefix: str = "") -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Every key of the schema that has a rule, with its value."""
    for entry in fields(schema):
        if entry.metadata:
            yield f"{prefix}{entry.name}", config[entry.name], dict(entry.metadata)
        elif isinstance(entry.default_factory, type):
            yield from _ruled(config[entry.name], entry.default_factory, f"{prefix}{entry.name}.")


def within_budget(config: DictConfig) -> DictConfig:
    """The configuration with as many ``iterations`` as ``budget.updates`` allows, if that is fewer."""
    if config.budget.updates is None:
        return config
    config = config.copy()
    config.iterations = min(config.iterations, config.budget.updates // (config.n_critic + config.n_generator))
    return config
