"""What Lightning trains, and with what: the module and the trainer of a configuration."""

import logging
from datetime import timedelta

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from gan_lab import cluster
from gan_lab.adversary import AdversarialModule
from gan_lab.building import build, build_discriminator, build_generator
from gan_lab.callbacks import AtomicCheckpointIO
from gan_lab.errors import ConfigError, blame
from gan_lab.joint import judges_each_alone
from gan_lab.lint import check_combination, check_networks
from gan_lab.models.batchnorm import over_all_processes
from gan_lab.processes import SharedBatch
from gan_lab.schedules import Schedule
from gan_lab.seeds import derive

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


def check_devices(config: DictConfig) -> None:
    """Raise ConfigError unless this machine, and the processes that were started on it, can train as configured."""
    accelerator, precision = config.trainer.accelerator, config.trainer.precision
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    here = {"gpu": has_gpu, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(accelerator, True):
        raise ConfigError(
            f"trainer.accelerator={accelerator}: this machine has no GPU that PyTorch can use; try trainer=cpu"
        )
    if precision == "16-mixed" and (accelerator == "cpu" or not has_gpu):  # Lightning would take bf16 instead
        raise ConfigError("trainer.precision=16-mixed: expected on a GPU alone; the CPU has 32-true and bf16-mixed")
    if config.compile == "cudagraph" and (accelerator == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("compile=cudagraph: expected a CUDA GPU to train on; the CPU has compile=true")
    devices, nodes = config.trainer.devices, config.trainer.num_nodes
    processes, started = devices * nodes, cluster.size()
    if nodes > 1 and started is None:  # Lightning would wait for the others for minutes
        raise ConfigError(f"trainer.num_nodes={nodes}: expected to be started by srun or torchrun on every node")
    if started not in (None, processes):  # with one device Lightning would train the whole run in each
        raise ConfigError(
            f"trainer.devices={devices}, trainer.num_nodes={nodes}: expected {started} as their product, the number of "
            "processes that srun or torchrun has started"
        )
    if config.batch_size % processes != 0:
        raise ConfigError(f"batch_size={config.batch_size}: expected a multiple of {processes}, the run's processes")


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
