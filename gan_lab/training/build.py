"""What Lightning trains, and with what: the module and the trainer of a configuration."""

import logging
from datetime import timedelta

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from gan_lab.algorithms.gan import AdversarialModule
from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.callbacks import AtomicCheckpointIO
from gan_lab.config.messages import blame
from gan_lab.distributed.batchnorm import over_all_processes
from gan_lab.distributed.strategy import SharedBatch
from gan_lab.errors import ConfigError
from gan_lab.runs.components import build, build_discriminator, build_generator
from gan_lab.seeds import derive
from gan_lab.training.compatibility import check_combination, check_networks
from gan_lab.training.schedules import Schedule

log = logging.getLogger(__name__)


def build_module(config: DictConfig, sample_shape: tuple[int, ...], processes: int = 1) -> AdversarialModule:
    """Both networks, freshly initialised from the seed alone, and the game between them; oddities are warned of.

    Args:
        config: the composed configuration.
        sample_shape: of one sample.
        processes: that will share every batch.
    """
    pl.seed_everything(config.seed, verbose=False)
    generator = build_generator(config, sample_shape)
    discriminator = build_discriminator(config, sample_shape)
    loss = build(config, "loss")
    check_networks(loss, generator, discriminator, config.latent_dim, sample_shape, config.batch_size)
    optimizers = {player: build(config, f"optimizer.{player}") for player in ("generator", "discriminator")}
    for player, network in (("generator", generator), ("discriminator", discriminator)):
        with blame(f"optimizer.{player}"):
            optimizer = optimizers[player](network.parameters())  # a bad setting is known by its key here
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise ConfigError(f"optimizer.{player}: it makes a {type(optimizer).__name__}: expected an Optimizer")
        if config.compile == "cudagraph" and "capturable" not in optimizer.defaults:
            raise ConfigError(
                f"optimizer.{player}: {type(optimizer).__name__} cannot be part of compile=cudagraph; "
                "expected one with an argument capturable, such as Adam or RMSprop"
            )
    for oddity in check_combination(
        loss, discriminator, optimizer, config.trainer.precision, config.allow_batchnorm_penalty
    ):
        log.warning("gan-lab: warning: %s", oddity)
    if processes > 1:
        generator, discriminator = over_all_processes(generator), over_all_processes(discriminator)
    module = AdversarialModule(
        generator,
        discriminator,
        loss,
        generator_optimizer=optimizers["generator"],
        discriminator_optimizer=optimizers["discriminator"],
        latent_dim=config.latent_dim,
        noise_seed=derive(config.seed, "noise"),
        latent_prior=config.latent_prior,
        n_critic=config.n_critic,
        n_generator=config.n_generator,
        schedule=Schedule(config.lr_schedule, config.lr_warmup, config.iterations),
        clip_generator=config.clip_grad.generator,
        clip_discriminator=config.clip_grad.discriminator,
        ema_decay=config.ema_decay,
        joint_batch=bool(config.joint_batch),
        compile_mode=config.compile,
        skips_bad_updates=config.on_divergence == "skip_update",
    )
    if config.joint_batch is None:  # there is an answer once the constraint is attached
        module.joint_batch = judges_each_alone(discriminator, sample_shape)
    return module


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
