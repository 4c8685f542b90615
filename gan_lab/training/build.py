"""What Lightning trains, and with what: the module and the trainer of a configuration."""

import logging
from datetime import timedelta

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.algorithms.player import Player
from gan_lab.callbacks import AtomicCheckpointIO
from gan_lab.config.messages import blame
from gan_lab.distributed.batchnorm import over_all_processes
from gan_lab.distributed.strategy import SharedBatch
from gan_lab.errors import ConfigError
from gan_lab.runs.components import build, build_discriminator, build_generator, latent_prior
from gan_lab.seeds import derive
from gan_lab.training.compatibility import check_combination, check_networks
from gan_lab.training.schedules import Schedule

log = logging.getLogger(__name__)


def build_module(config: DictConfig, sample_shape: tuple[int, ...], processes: int = 1) -> GAN:
    """The game and both players, their networks initialised from the seed alone; a warning for each known danger.

    Args:
        config: the composed configuration.
        sample_shape: of one sample.
        processes: number of processes that share every batch.
    """
    pl.seed_everything(config.seed, verbose=False)
    generator = build_generator(config, sample_shape)
    discriminator = build_discriminator(config, sample_shape)
    loss = build(config, "loss")
    check_networks(loss, generator, discriminator, config.latent_dim, sample_shape, config.batch_size)
    if processes > 1:
        generator, discriminator = over_all_processes(generator), over_all_processes(discriminator)
    if loss.constraint is not None:
        loss.constraint.attach(discriminator)
    players = {
        "generator": build_player(config, "generator", generator, config.ema_decay),
        "discriminator": build_player(config, "discriminator", discriminator),
    }
    for oddity in check_combination(
        loss,
        discriminator,
        players["discriminator"].optimizer,
        config.trainer.precision,
        config.allow_batchnorm_penalty,
    ):
        log.warning("gan-lab: warning: %s", oddity)
    joint_batch = config.joint_batch
    return GAN(
        **players,
        loss=loss,
        prior=latent_prior(config),
        noise_seed=derive(config.seed, "noise"),
        n_critic=config.n_critic,
        n_generator=config.n_generator,
        joint_batch=judges_each_alone(discriminator, sample_shape) if joint_batch is None else joint_batch,
        compile_mode=config.compile,
    )


def build_player(config: DictConfig, name: str, network: torch.nn.Module, ema_decay: float | None = None) -> Player:
    """A player with the optimizer that the configuration has for its name."""
    key = f"optimizer.{name}"
    make_optimizer = build(config, key)
    schedule = Schedule(config.lr_schedule, config.lr_warmup, config.iterations)
    with blame(key):
        optimizer = make_optimizer(network.parameters())
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(f"{key}: it makes a {type(optimizer).__name__}: expected an Optimizer")
    if config.compile == "cudagraph" and "capturable" not in optimizer.defaults:
        raise ConfigError(
            f"{key}: {type(optimizer).__name__} cannot be part of compile=cudagraph; "
            "expected one with an argument capturable, such as Adam or RMSprop"
        )
    skips = config.on_divergence == "skip_update"
    return Player(name, network, optimizer, schedule, config.clip_grad[name], ema_decay, skips)


def build_trainer(config: DictConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer for exactly ``iterations`` steps; pictures, curves and checkpoints are the callbacks'."""
    processes = config.trainer.devices * config.trainer.num_nodes
    trainer = build(
        config,
        "trainer",
        strategy=SharedBatch(timeout=timedelta(minutes=10)) if processes > 1 else "auto",
        max_steps=config.iterations,
        max_epochs=-1,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    if not isinstance(trainer, pl.Trainer):
        raise ConfigError(f"trainer: {config.trainer._target_} makes a {type(trainer).__name__}: expected a Trainer")
    return trainer
