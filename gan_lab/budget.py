"""How many iterations a budget allows."""

from omegaconf import DictConfig


def within_budget(config: DictConfig) -> DictConfig:
    """The configuration with as many ``iterations`` as ``budget.updates`` allows, if that is fewer."""
    if config.budget.updates is None:
        return config
    config = config.copy()
    config.iterations = min(config.iterations, config.budget.updates // (config.n_critic + config.n_generator))
    return config
