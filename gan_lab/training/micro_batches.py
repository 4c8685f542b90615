"""Whether micro-batches give what the whole batch would, and the players that are set to use them."""

import math
from collections.abc import Mapping

from omegaconf import DictConfig
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.micro_batch import MicroBatches, works_in_parts
from gan_lab.algorithms.player import Player
from gan_lab.augmentations import Augmentation
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe
from gan_lab.models.layers.minibatch_deviation import MinibatchDeviation
from gan_lab.models.packing import packed_shape


def check_parts_of_run(
    config: DictConfig, algorithm: type[Algorithm], loss: Recipe, augmentation: Augmentation
) -> None:
    """Raise ConfigError for parts of a run that micro-batches would change or could not reach."""
    if config.micro_batch is None:
        return
    expected = f"micro_batch={config.micro_batch}: expected null"
    if algorithm is not GAN:
        raise ConfigError(f"{expected}, as {algorithm.__name__} has no micro-batches; algorithm=gan has")
    if augmentation.changes_samples and loss.gradient_penalties:
        named = ", ".join(f"loss.penalties.{name}" for name in loss.gradient_penalties)
        raise ConfigError(
            f"{expected}, as {named} would draw other random numbers of augmentation={type(augmentation).__name__}"
        )
    for name, term in loss.terms.items():
        if term.looks_at_styles:
            raise ConfigError(f"{expected}, as loss.terms.{name} passes half a batch through the generator at once")


def use_micro_batches(
    config: DictConfig,
    players: Mapping[str, Player],
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None = None,
) -> None:
    """Set the players of a GAN to use micro-batches, if the configuration has them.

    Raises:
        ConfigError: for a network in which the samples of a batch depend on each other, or on random numbers.
    """
    if config.micro_batch is None:
        return
    packing = config.model.packing
    of_each = {
        "generator": (config.micro_batch * packing, (config.latent_dim,)),
        "discriminator": (config.micro_batch, packed_shape(sample_shape, packing)),
    }
    for role, (size, shape) in of_each.items():
        network = players[role].network
        _check_network(config.micro_batch, f"model.{role}", network, size, shape, source_shape)
        players[role].micro_batches = MicroBatches(network, size)


def _check_network(
    micro_batch: int,
    name: str,
    network: nn.Module,
    size: int,
    shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None,
) -> None:
    if any(isinstance(module, _BatchNorm) for module in network.modules()):
        raise ConfigError(
            f"micro_batch={micro_batch}: expected null, as {name} has BatchNorm, which takes the means of a whole batch"
        )
    groups = [module.group for module in network.modules() if isinstance(module, MinibatchDeviation)]
    group = math.lcm(*groups)  # 1 without any
    if size % group:
        raise ConfigError(
            f"micro_batch={micro_batch}: expected a multiple of {group}, the group of {name}'s minibatch deviation"
        )
    if not works_in_parts(network, shape, source_shape, size=math.lcm(2, group)):
        raise ConfigError(
            f"micro_batch={micro_batch}: expected null, as an output of {name} depends on the other samples of its "
            "batch, or on random numbers that are drawn inside, such as dropout's"
        )
