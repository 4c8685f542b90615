"""Where top-k training is defined."""

from omegaconf import DictConfig

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe


def check_top_k(config: DictConfig, algorithm: type[Algorithm], loss: Recipe) -> None:
    """Raise ConfigError where samples have no order, where a batch is not in one place, or where k must stay.

    Args:
        config: the composed configuration.
        algorithm: the configured one.
        loss: the recipe.
    """
    if loss.top_k is None:
        return
    objective, processes = loss.objective, config.trainer.devices * config.trainer.num_nodes
    if objective.generator_uses_real or objective.heads > 1:
        raise ConfigError(
            f"loss.top_k: expected null with {type(objective).__name__}, which rates samples against real ones, or by "
            "several logits"
        )
    if algorithm.translates_back or algorithm.needs_pairs:
        raise ConfigError(
            f"loss.top_k: expected null with {algorithm.__name__}, each of whose sources needs its sample"
        )
    if processes > 1:
        raise ConfigError(f"loss.top_k: expected null in {processes} processes, which share a batch")
    if isinstance(config.compile, str):
        raise ConfigError(f"loss.top_k: expected null with compile={config.compile}, as k falls while it trains")
