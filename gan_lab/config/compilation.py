"""What ``compile`` can be, and what goes with it."""

from typing import Any

from omegaconf import DictConfig

from gan_lab.config.messages import listed
from gan_lab.config.schema import NO_AUGMENTATION
from gan_lab.errors import ConfigError
from gan_lab.validation import typed

_NONE = {"none": NO_AUGMENTATION["_target_"]}
_UNTRANSFORMED = _NONE | {"apa": "gan_lab.augmentations.APA"}  # the others choose samples at random


def check_compilation(config: DictConfig) -> None:
    """Raise ConfigError for a mode that does not exist, or for a key that does not go with the mode."""
    mode = config.compile
    if not isinstance(mode, bool) and mode not in ("iteration", "cudagraph"):
        raise ConfigError(f"compile={mode}: expected true, false, iteration or cudagraph")
    if mode == "iteration":
        _check_iteration(config)
    if mode == "cudagraph":
        check_graph(config)


def check_graph(config: DictConfig) -> None:
    """Raise ConfigError for a key that a CUDA graph cannot follow.

    It repeats the same work on one GPU and looks at no result in between.
    """
    mode = "compile=cudagraph" if config.compile == "cudagraph" else "compile=iteration on a GPU"
    _check_augmentation(config, _NONE, mode)
    needed = _of_both(config) | {
        "on_divergence": (config.on_divergence, ("stop",)),
        "beta2_final": (config.beta2_final, (None,)),  # a graph would keep these as they were when it was recorded
        "ema.ramp": (config.ema.ramp, (None,)),
        "ema.rise": (config.ema.rise, (None,)),
    }
    for kind in ("penalties", "terms"):
        for name, part in config.loss[kind].items():
            needed[f"loss.{kind}.{name}.every"] = (part.get("every", 1), (1,))
            needed[f"loss.{kind}.{name}.final_weight"] = (part.get("final_weight"), (None,))
    _check(needed, mode)


def _check_iteration(config: DictConfig) -> None:
    """A compiled loss is one graph of one process, in which no number decides what is computed."""
    _check_augmentation(config, _UNTRANSFORMED, "compile=iteration")
    for name, part in config.loss.penalties.items():
        if part.get("transform") is not None:
            raise ConfigError(f"loss.penalties.{name}: expected penalties without a transform with compile=iteration")
    _check(_of_both(config), "compile=iteration")


def _check_augmentation(config: DictConfig, options: dict[str, str], mode: str) -> None:
    name = config.augmentation._target_
    if name not in options.values():
        raise ConfigError(f"augmentation._target_={name}: expected augmentation={listed(options)} with {mode}")


def _of_both(config: DictConfig) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    return {
        "trainer.devices": (config.trainer.devices, (1,)),
        "trainer.num_nodes": (config.trainer.num_nodes, (1,)),
        "trainer.precision": (config.trainer.precision, ("32-true", "64-true", "bf16-mixed")),
        "trainer.detect_anomaly": (config.trainer.get("detect_anomaly", False), (False,)),
    }


def _check(needed: dict[str, tuple[Any, tuple[Any, ...]]], mode: str) -> None:
    for key, (value, expected) in needed.items():
        if value not in expected:
            raise ConfigError(f"{key}={typed(value)}: expected {listed(expected)} with {mode}")
