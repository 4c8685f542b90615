"""The algorithm of a run and its players, from the configuration."""

import inspect
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.algorithms.player import Player
from gan_lab.augmentations import Augmentation
from gan_lab.config.arguments import named_by
from gan_lab.config.messages import blame, first_line
from gan_lab.distributed.batchnorm import over_all_processes
from gan_lab.errors import ConfigError
from gan_lab.losses import Classification, Recipe
from gan_lab.models.conditions import takes_source
from gan_lab.models.packing import packed_shape
from gan_lab.runs.components import build, build_network, check_arguments, keeps_average
from gan_lab.runs.latents import latent_prior, statistics_requests
from gan_lab.seeds import derive
from gan_lab.training.augmented import check_augmentation
from gan_lab.training.compatibility import (
    check_combination,
    check_constraint,
    check_labels,
    check_networks,
    check_players,
    check_terms,
    notes,
)
from gan_lab.training.compiler import check_parts, records_graph
from gan_lab.training.micro_batches import check_parts_of_run, use_micro_batches
from gan_lab.training.schedules import Decay, Schedule
from gan_lab.training.top_k import check_top_k
from gan_lab.validation import typed

log = logging.getLogger(__name__)


def build_module(
    config: DictConfig,
    sample_shape: tuple[int, ...],
    processes: int = 1,
    class_counts: Sequence[int] | None = None,
    source_shape: tuple[int, ...] | None = None,
) -> Algorithm:
    """The algorithm and its players, their networks initialised from the seed alone; a warning for each known danger.

    Args:
        config: the composed configuration.
        sample_shape: of one sample.
        processes: number of processes that share every batch.
        class_counts: number of training samples of each class, or None.
        source_shape: of the image that a sample translates, or None.
    """
    pl.seed_everything(config.seed, verbose=False)
    kind: type[Algorithm] = check_arguments(config, "algorithm")
    augmentation = build_augmentation(config, sample_shape)
    networks = {role: build_network(config, role, sample_shape, class_counts, source_shape) for role in kind.roles}
    loss = build(config, "loss")
    _check(config, kind, loss, networks, sample_shape, source_shape)
    judges_pairs = kind.needs_pairs or takes_source(networks["discriminator"])
    check_augmentation(config, kind, loss, augmentation, sample_shape, source_shape, judges_pairs)
    check_parts_of_run(config, kind, loss, augmentation)
    networks = _prepared(config, loss, networks, processes)
    averages = {"generator": averaging(config)}
    players = {role: build_player(config, role, one, averages.get(role)) for role, one in networks.items()}
    use_micro_batches(config, players, sample_shape, source_shape)
    warn_of_dangers(config, loss, players["discriminator"])
    _warn_of_sources(networks["generator"], source_shape)
    of_run = {"sample_shape": sample_shape, "source_shape": source_shape, "processes": processes}
    of_run |= {"reals": config.n_critic * config.batch_size * config.model.packing, "iterations": config.iterations}
    given = {
        **players,
        **{name: one for name, one in of_run.items() if name in named_by(kind)},
        "loss": loss,
        "prior": latent_prior(config),
        "noise_seed": derive(config.seed, "noise"),
        "turns": {role: config.n_critic if role == "discriminator" else config.n_generator for role in players},
        "joint_batch": _joint_batch(config, networks["discriminator"], sample_shape, source_shape, processes),
        "packing": config.model.packing,
        "statistics": statistics_requests(config, class_counts),
        "compile_mode": config.compile,
    }
    _refuse_given(config, "algorithm", given)
    with blame("algorithm"):
        made: Algorithm = build(config, "algorithm")(**given)
    made.augmentation = augmentation if kind.augments else made.augmentation
    return made


def build_augmentation(config: DictConfig, sample_shape: tuple[int, ...]) -> Augmentation:
    """What is done to samples before the discriminator sees them."""
    reals = config.batch_size * config.model.packing
    of_run = {"sample_shape": sample_shape, "batch_size": reals, "updates": config.iterations * config.n_critic}
    _refuse_given(config, "augmentation", of_run)
    made: Augmentation = build(config, "augmentation", **of_run)
    return made


def _refuse_given(config: DictConfig, key: str, of_run: Mapping[str, Any]) -> None:
    """Raise ConfigError for an argument in a block that is the run's to give."""
    for name in of_run:
        if name in config[key]:
            raise ConfigError(f"{key}.{name}={typed(config[key][name])}: expected none, as it follows from other keys")


def _prepared(
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


def _joint_batch(
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


def _check(
    config: DictConfig,
    kind: type[Algorithm],
    loss: Recipe,
    networks: dict[str, torch.nn.Module],
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None,
) -> None:
    """Raise ConfigError for parts that do not go together."""
    generator, discriminator, packing = networks["generator"], networks["discriminator"], config.model.packing
    check_labels(config.conditional, generator, discriminator)
    check_players(config, kind, generator)
    check_terms(loss, kind, generator, packing)
    check_constraint(loss.constraint, discriminator)
    check_top_k(config, kind, loss)
    check_parts(config, loss, discriminator)
    check_networks(
        loss, generator, discriminator, config.latent_dim, sample_shape, config.batch_size, packing, source_shape
    )


def warn_of_dangers(config: DictConfig, loss: Recipe, discriminator: Player) -> None:
    """Log a warning for each combination that is known to fail, and a note for each that is not as its formula says.

    Raises:
        ConfigError: for a combination that is ill-defined.
    """
    for oddity in check_combination(
        loss.objective,
        loss.constraint,
        loss.gradient_penalties,
        discriminator.network,
        discriminator.optimizer,
        config.trainer.precision,
        config.allow_batchnorm_penalty,
    ):
        log.warning("gan-lab: warning: %s", oddity)
    for name, penalty in loss.penalties.items():
        if penalty.counts and penalty.begins >= (updates := config.iterations * config.n_critic):
            log.warning(
                "gan-lab: warning: loss.penalties.%s adds nothing: it begins after %d updates of the discriminator, "
                "and training has %d; expected more iterations, or a smaller start",
                *(name, penalty.begins, updates),
            )
    weight = config.penalty_weight
    penalties = {name: one for name, one in loss.penalties.items() if not isinstance(one, Classification)}
    if weight is not None and penalties and not any(one.weight == weight for one in penalties.values()):
        log.warning(
            "gan-lab: warning: penalty_weight=%s: it does nothing, as the weight of loss.penalties.%s does not follow "
            "it; expected weight: ${or:${penalty_weight},1} in its block, or null",
            *(weight, next(iter(penalties))),
        )
    if config.iterations <= config.lr_warmup:  # no error: a run may become longer, and trainer=debug makes few
        log.warning(
            "gan-lab: warning: lr_warmup=%d: the learning rates stay below their full value, as training has %d "
            "iterations; expected more iterations, or a shorter warm-up",
            *(config.lr_warmup, config.iterations),
        )
    elif config.lr_hold and config.iterations <= config.lr_warmup + config.lr_hold:
        log.warning(
            "gan-lab: warning: lr_hold=%d: the learning rates do not decay, as training has %d iterations; expected "
            "more iterations, or a smaller number",
            *(config.lr_hold, config.iterations),
        )
    if weight is not None and not penalties:  # a sweep has one weight for all losses: no warning
        log.info("gan-lab: note: penalty_weight=%s changes nothing, as the recipe has no penalty", weight)
    for note in notes(loss.gradient_penalties, discriminator.network):
        log.info("gan-lab: note: %s", note)


def _warn_of_sources(generator: torch.nn.Module, source_shape: tuple[int, ...] | None) -> None:
    """Log a warning if the dataset has images to translate, and the generator takes none."""
    if source_shape is not None and not takes_source(generator):
        log.warning(
            "gan-lab: warning: dataset: its sources are ignored, as model.generator takes none; expected such as "
            "model=unet, which translates them"
        )


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
