"""Players from the configuration: networks as they train, optimizers, schedules, moving averages."""

import inspect
from functools import partial

import torch
from omegaconf import DictConfig

from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.algorithms.player import Player
from gan_lab.config.messages import blame, first_line
from gan_lab.distributed.batchnorm import over_all_processes
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe
from gan_lab.models.packing import packed_shape
from gan_lab.runs.building import build
from gan_lab.runs.components import keeps_average
from gan_lab.training.compiler import records_graph
from gan_lab.training.schedules import Decay, Schedule


def prepared(
    config: DictConfig, loss: Recipe, networks: dict[str, torch.nn.Module], processes: int
) -> dict[str, torch.nn.Module]:
    """The networks as they train: statistics over all processes, the constraint attached, in the weights' precision."""
    if processes > 1:
        networks = {role: over_all_processes(network) for role, network in networks.items()}
    if loss.constraint is not None:
        loss.constraint.attach(networks["discriminator"])
    if config.trainer.precision == "64-true":  # before the optimizers, some of which make their state at once
        networks = {role: network.double() for role, network in networks.items()}
    return networks


def judged_together(
    config: DictConfig,
    discriminator: torch.nn.Module,
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None,
    processes: int,
) -> bool:
    """Whether real and fake samples are judged together: as asked, or if each is judged alone in a batch of both."""
    if config.joint_batch is not None:
        return bool(config.joint_batch)
    judged = packed_shape(sample_shape, config.model.packing)
    return judges_each_alone(discriminator, judged, source_shape, config.batch_size // processes)


def build_player(config: DictConfig, name: str, network: torch.nn.Module, average: Decay | None = None) -> Player:
    """A player with the optimizer that the configuration has for its name."""
    key = f"optimizer.{name}"
    make_optimizer = build(config, key)
    until = config.iterations if config.lr_iterations is None else config.lr_iterations
    schedule = Schedule(config.lr_schedule, config.lr_warmup, until, config.lr_final, config.lr_hold)
    try:
        with blame(key):
            optimizer = make_optimizer(network.parameters())
    except RuntimeError as error:  # of settings that exclude each other
        raise ConfigError(f"{key}: {first_line(error)}") from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(f"{key}: it makes a {type(optimizer).__name__}: expected an Optimizer")
    if "lr" not in getattr(optimizer, "defaults", {}):
        raise ConfigError(f"{key}: {type(optimizer).__name__} has no learning rate: expected 'lr' among its defaults")
    arguments = inspect.signature(optimizer.step).parameters.values()
    needed = [one for one in arguments if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    if isinstance(optimizer, torch.optim.SparseAdam) or needed:
        what = type(optimizer).__name__
        raise ConfigError(
            f"{key}: {what} cannot train these networks; expected one for dense gradients, without closure"
        )
    if records_graph(config) and "capturable" not in optimizer.defaults:
        raise ConfigError(
            f"{key}: {type(optimizer).__name__} cannot be part of compile={config.compile}; "
            "expected one with an argument capturable, such as Adam or RMSprop"
        )
    beta2 = None
    if config.beta2_final is not None:
        if "betas" not in optimizer.defaults:
            raise ConfigError(
                f"beta2_final={config.beta2_final}: expected null, as {type(optimizer).__name__} of {key} has no betas"
            )
        beta2 = partial(schedule.between, optimizer.defaults["betas"][1], config.beta2_final)
    skips = config.on_divergence == "skip_update"
    return Player(name, network, optimizer, schedule, config.clip_grad[name], average, skips, beta2)


def averaging(config: DictConfig) -> Decay | None:
    """The decay of the generator's moving average; None if it keeps none."""
    if not keeps_average(config):
        return None
    batch = config.batch_size * config.model.packing
    return Decay(config.ema_decay, config.ema.half_life, config.ema.ramp, batch, config.ema.rise)
