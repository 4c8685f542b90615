"""The keys of ``train.yaml``, their types and their ranges."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


def _at_least(minimum: float, at_most: float | None = None, **default: Any) -> Any:
    return field(metadata={"at_least": minimum} | ({} if at_most is None else {"at_most": at_most}), **default)


def _above(bound: float, **default: Any) -> Any:
    return field(metadata={"above": bound}, **default)


def _one_of(*choices: str, **default: Any) -> Any:
    return field(metadata={"one_of": choices}, **default)


ALGORITHM = {"_target_": "gan_lab.algorithms.gan.GAN", "_partial_": True}
"""The block of conf/algorithm/gan.yaml."""
NO_AUGMENTATION = {"_target_": "gan_lab.augmentations.NoAugmentation"}
"""The block of conf/augmentation/none.yaml."""


@dataclass
class LossConfig:
    """The mathematics of a recipe."""

    _target_: str = MISSING
    _convert_: str = MISSING
    objective: Any = MISSING
    penalties: dict[str, Any] = MISSING
    terms: dict[str, Any] = field(default_factory=dict)
    constraint: Any = None
    top_k: Any = None  # configurations of earlier versions lack it


@dataclass
class NetworksConfig:
    """A block for each network."""

    generator: Any = MISSING
    discriminator: Any = MISSING
    encoder: Any = None  # a third player's, where the algorithm has one; configurations of earlier versions lack it


@dataclass
class ModelConfig(NetworksConfig):
    """The networks, and how many samples the discriminator sees at once."""

    packing: int = _at_least(1, 1024, default=1)  # configurations of earlier versions lack it


@dataclass
class ClipGradConfig:
    """Largest gradient norm of each network; null does not clip."""

    generator: float | None = _above(0, default=None)
    discriminator: float | None = _above(0, default=None)
    encoder: float | None = _above(0, default=None)


@dataclass
class AverageConfig:
    """The generator's moving average by the number of samples, instead of by ``ema_decay``."""

    half_life: float | None = _above(0, default=None)
    ramp: float | None = _above(0, default=None)
    rise: float | None = _above(0, default=None)


@dataclass
class BudgetConfig:
    """Limits of training besides ``iterations``."""

    updates: int | None = _at_least(1, default=None)
    seconds: float | None = _above(0, default=None)


@dataclass
class VerdictConfig:
    """Thresholds of the failure rules (`gan_lab.metrics.verdict.Thresholds`)."""

    weight_growth: float = _above(1, default=MISSING)
    still: float = _at_least(0, default=MISSING)
    accuracy: float = _at_least(0, 1, default=MISSING)
    realistic: float = _at_least(0, 1, default=MISSING)
    diversity: float = _at_least(0, default=MISSING)
    duplicates: float = _at_least(0, 1, default=MISSING)
    modes: float = _at_least(0, 1, default=MISSING)
    coverage: float = _at_least(0, default=0.1)  # configurations of earlier versions lack it


@dataclass
class EvaluationConfig:
    """What is measured, how often, and on how many samples."""

    extractor: Any = MISSING
    metrics: list[str] = MISSING
    every: int = _at_least(1, default=MISSING)
    samples: int = _at_least(2, default=MISSING)
    k: int = _at_least(1, default=MISSING)
    kid_subsets: int = _at_least(1, 100_000, default=MISSING)
    kid_subset_size: int | None = _at_least(2, default=MISSING)
    validation: bool = False  # configurations of earlier versions lack it
    verdict: VerdictConfig = field(default_factory=VerdictConfig)


@dataclass
class StopEarlyConfig:
    """When a training ends before its budget is spent, as a metric of validation samples gets no better."""

    metric: str | None = None
    patience: int = _at_least(1, default=5)
    minimum_change: float = _at_least(0, default=0.0)


@dataclass
class CheckpointConfig:
    """When the state is saved, and which checkpoints are kept."""

    every: int = _at_least(1, default=MISSING)
    minutes: float | None = _above(0, default=None)
    keep: int = _at_least(0, default=MISSING)
    best: str | None = None


@dataclass
class PicturesConfig:
    """Sample pictures during training."""

    every: int = _at_least(1, default=MISSING)
    samples: int = _at_least(1, 10_000, default=MISSING)


@dataclass
class TrainConfig:
    """The keys of ``train.yaml``, where each is explained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    algorithm: Any = field(default_factory=lambda: dict(ALGORITHM))  # configurations of earlier versions lack it
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: Any = field(
        default_factory=lambda: dict(NO_AUGMENTATION)
    )  # configurations of earlier versions lack it
    dataset: Any = MISSING
    trainer: Any = MISSING
    optimizer: NetworksConfig = field(default_factory=NetworksConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    conditional: str = _one_of("none", "concat", "projection", "auxiliary", "per_class", "own", default="none")
    penalty_weight: float | None = _at_least(0, default=None)  # configurations of earlier versions lack it
    seed: int = _at_least(0, 2**32 - 1, default=MISSING)
    iterations: int = _at_least(1, 10**12, default=MISSING)
    batch_size: int = _at_least(1, default=MISSING)
    micro_batch: int | None = _at_least(1, default=None)  # configurations of earlier versions lack it
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    n_critic: int = _at_least(1, 10_000, default=MISSING)
    n_generator: int = _at_least(1, 10_000, default=MISSING)
    latent_dim: int = _at_least(1, 10**6, default=MISSING)
    latent_prior: str = _one_of("normal", "uniform", default=MISSING)
    lr_schedule: str = _one_of("constant", "linear", "cosine", default=MISSING)
    lr_warmup: int = _at_least(0, default=MISSING)
    lr_hold: int = _at_least(0, 10**12, default=0)  # configurations of earlier versions lack it, and the next three
    lr_final: float = _at_least(0, 1, default=0.0)
    lr_iterations: int | None = _at_least(1, 10**12, default=None)
    beta2_final: float | None = _at_least(0, default=None)
    clip_grad: ClipGradConfig = field(default_factory=ClipGradConfig)
    ema_decay: float | None = _at_least(0, default=None)
    ema: AverageConfig = field(default_factory=AverageConfig)
    generator_batch_factor: int = _at_least(1, 1024, default=1)  # configurations of earlier versions lack it
    allow_batchnorm_penalty: bool = MISSING
    joint_batch: Any = None  # OmegaConf would take any number for a bool, such as a size
    compile: Any = False
    matmul_precision: str = _one_of("highest", "high", "medium", default=MISSING)
    threads: int | None = _at_least(1, 1024, default=None)
    log_every: int = _at_least(1, default=MISSING)
    on_divergence: str = _one_of("stop", "skip_update", default=MISSING)
    init_from: str | None = None  # configurations of earlier versions lack it, and the next two
    init_players: list[str] = field(default_factory=lambda: ["generator", "discriminator"])
    init_strict: bool = True
    resume: str | None = None
    allowed_targets: list[str] = MISSING
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    stop_early: StopEarlyConfig = field(default_factory=StopEarlyConfig)  # configurations of earlier versions lack it
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)
    published: Any = field(default_factory=list)  # configurations of earlier versions lack it


ConfigStore.instance().store(name="schema", node=TrainConfig)
