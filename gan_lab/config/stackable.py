"""Which runs can train as one program with others that differ from them in the seed alone."""

from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.config.messages import listed
from gan_lab.config.schema import ALGORITHM, NO_AUGMENTATION
from gan_lab.errors import ConfigError
from gan_lab.validation import typed

_MODELS = "gan_lab.models."
_LOSSES = "gan_lab.losses."
_PERCEPTRONS = {
    "generator": ("MLPGenerator", "PacGANMLPGenerator"),
    "discriminator": ("MLPDiscriminator", "PacGANMLPDiscriminator"),
}
_OBJECTIVES = (
    "NonSaturating",
    "Minimax",
    "LeastSquares",
    "Hinge",
    "Wasserstein",
    "Relativistic",
    "RelativisticAttention",
)
_PENALTIES = ("GradientPenalty", "LipschitzPenalty", "DRAGAN", "R1", "R2", "ZeroCentered", "Classification")
_CLASSIFIES = _LOSSES + "Classification"
_TERMS = ("ClassificationTerm",)
_CONSTRAINTS = ("SpectralNorm", "WeightClip")
_OPTIMIZERS = ("Adam", "AdamW", "RMSprop", "SGD")  # each number of a weight is moved by its own gradient alone
_LOGGERS = ("CSVLogger", "TensorBoardLogger")  # others know one run a process
_PLAIN: dict[str, Any] = {
    "trainer.precision": ("32-true", "64-true"),
    "trainer.devices": (1,),
    "trainer.num_nodes": (1,),
    "trainer.profiler": (None,),
    "trainer.detect_anomaly": (None, False),  # it would end all runs where one diverges
    "compile": (False, "iteration"),
    "micro_batch": (None,),
    "loss.top_k": (None,),
    "on_divergence": ("stop",),
    "checkpoint.minutes": (None,),
}
"""Keys by which runs share what each would need for itself, with the values that can be stacked."""


def check_stackable(config: DictConfig) -> None:
    """Raise ConfigError, by the key, for the first part of a run that cannot be stacked.

    Args:
        config: the resolved configuration.
    """
    for key, value, allowed in _parts(config):
        if value not in allowed:
            what = key if isinstance(value, DictConfig) else f"{key}={typed(value)}"
            raise ConfigError(
                f"{what}: it cannot be stacked; expected {listed(allowed)} with "
                "hydra/launcher=vectorized, or another launcher"
            )


def _parts(config: DictConfig) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """What is asked for, by its key, with what can be stacked in its place."""
    yield "algorithm._target_", config.algorithm["_target_"], (ALGORITHM["_target_"],)
    for role, networks in _PERCEPTRONS.items():
        target = OmegaConf.select(config, f"model.{role}._target_")
        yield f"model.{role}._target_", target, tuple(_MODELS + name for name in networks)
    yield "augmentation._target_", config.augmentation["_target_"], tuple(NO_AUGMENTATION.values())
    loss = config.loss
    yield from _of_loss("objective", loss.objective, _OBJECTIVES)
    for name, block in loss.penalties.items():
        yield from _of_loss(f"penalties.{name}", block, _PENALTIES)
        if block["_target_"] == _CLASSIFIES:  # without it the weights of the classifier have no gradient
            yield f"loss.penalties.{name}.every", block.get("every", 1), (1,)
            for key in ("weight", "final_weight"):
                if block.get(key) == 0:
                    yield f"loss.penalties.{name}.{key}", 0, ("a number above 0",)
    for name, block in loss.terms.items():
        yield from _of_loss(f"terms.{name}", block, _TERMS)
    if loss.constraint is not None:
        yield from _of_loss("constraint", loss.constraint, _CONSTRAINTS)
    for role in _PERCEPTRONS:
        target = OmegaConf.select(config, f"optimizer.{role}._target_")
        yield f"optimizer.{role}._target_", target, tuple(f"torch.optim.{name}" for name in _OPTIMIZERS)
    for key, values in _PLAIN.items():
        yield key, OmegaConf.select(config, key), values
    for name, block in config.logger.items():
        loggers = tuple(f"pytorch_lightning.loggers.{one}" for one in _LOGGERS)
        yield f"logger.{name}._target_", block["_target_"], loggers
    yield "callbacks", next(iter(config.callbacks), "none"), ("none",)


def _of_loss(key: str, block: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    yield f"loss.{key}._target_", block["_target_"], tuple(_LOSSES + name for name in names)
