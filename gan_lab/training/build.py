"""All objects of a run, from its configuration."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.joint_batch import judges_each_alone
from gan_lab.algorithms.player import Player
from gan_lab.callbacks import (
    AfterIterations,
    AtomicCheckpointIO,
    AtStart,
    Callback,
    CallbackCurves,
    Checkpoints,
    Curves,
    Deadline,
    Evaluation,
    ProgressBar,
    Randomness,
    Signals,
    Stopwatch,
)
from gan_lab.config.arguments import named_by
from gan_lab.config.checks import within_budget
from gan_lab.config.leaves import named_targets
from gan_lab.config.messages import blame
from gan_lab.config.targets import check_targets
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.distributed.batchnorm import over_all_processes
from gan_lab.distributed.strategy import SharedBatch
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe
from gan_lab.models.packing import packed_shape
from gan_lab.runs.checkpoint_checks import check_callbacks, check_fits
from gan_lab.runs.components import (
    build,
    build_dataset,
    build_network,
    check_arguments,
    keeps_average,
    latent_prior,
    statistics_requests,
)
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.measuring import build_evaluator
from gan_lab.runs.request import RunRequest
from gan_lab.runs.resume import Start
from gan_lab.runs.stop_signals import Stop
from gan_lab.seeds import derive
from gan_lab.training.compatibility import (
    check_combination,
    check_labels,
    check_networks,
    check_pairs,
    check_players,
    check_terms,
)
from gan_lab.training.lightning_parts import build_callbacks, build_profiler, build_trackers
from gan_lab.training.pictures import build_pictures
from gan_lab.training.runtime import check_devices
from gan_lab.training.schedules import Decay, Schedule
from gan_lab.training.selection import build_selection
from gan_lab.training.warm_start import warm_start

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
    networks = {role: build_network(config, role, sample_shape, class_counts, source_shape) for role in kind.roles}
    generator, discriminator = networks["generator"], networks["discriminator"]
    check_labels(config.conditional, generator, discriminator)
    check_players(config, kind, generator)
    loss = build(config, "loss")
    packing = config.model.packing
    check_terms(loss, kind, packing)
    check_networks(
        loss, generator, discriminator, config.latent_dim, sample_shape, config.batch_size, packing, source_shape
    )
    if processes > 1:
        networks = {role: over_all_processes(network) for role, network in networks.items()}
    discriminator = networks["discriminator"]
    if loss.constraint is not None:
        loss.constraint.attach(discriminator)
    if config.trainer.precision == "64-true":  # before the optimizers, some of which make their state at once
        networks = {role: network.double() for role, network in networks.items()}
    averages = {"generator": averaging(config)}
    players = {role: build_player(config, role, one, averages.get(role)) for role, one in networks.items()}
    warn_of_dangers(config, loss, players["discriminator"])
    joint_batch, judged = config.joint_batch, packed_shape(sample_shape, packing)
    make = build(config, "algorithm")
    of_data = {"sample_shape": sample_shape, "source_shape": source_shape, "processes": processes}
    with blame("algorithm"):
        made: Algorithm = make(
            **players,
            **{name: one for name, one in of_data.items() if name in named_by(kind)},
            loss=loss,
            prior=latent_prior(config),
            noise_seed=derive(config.seed, "noise"),
            turns={role: config.n_critic if role == "discriminator" else config.n_generator for role in players},
            joint_batch=judges_each_alone(discriminator, judged, source_shape) if joint_batch is None else joint_batch,
            packing=packing,
            statistics=statistics_requests(config, class_counts),
            compile_mode=config.compile,
        )
    return made


def warn_of_dangers(config: DictConfig, loss: Recipe, discriminator: Player) -> None:
    """Log a warning for each combination that is known to fail.

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


def build_player(config: DictConfig, name: str, network: torch.nn.Module, average: Decay | None = None) -> Player:
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
    return Player(name, network, optimizer, schedule, config.clip_grad[name], average, skips)


def averaging(config: DictConfig) -> Decay | None:
    """The decay of the generator's moving average; None if it keeps none."""
    if not keeps_average(config):
        return None
    batch = config.batch_size * config.model.packing
    return Decay(config.ema_decay, config.ema.half_life, config.ema.ramp, batch)


def build_trainer(
    config: DictConfig, callbacks: list[pl.Callback], checkpoint: dict[str, Any] | None = None, **settings: Any
) -> pl.Trainer:
    """Lightning's trainer for exactly ``iterations`` steps; pictures, curves and checkpoints are the callbacks' work.

    Args:
        config: the resolved configuration.
        callbacks: in the order in which they are called.
        checkpoint: what the checkpoint to go on from holds, if it has been loaded.
        settings: further ones of Lightning's trainer.
    """
    processes = config.trainer.devices * config.trainer.num_nodes
    return build(
        config,
        "trainer",
        strategy=SharedBatch(timeout=timedelta(minutes=10)) if processes > 1 else "auto",
        max_steps=config.iterations,
        max_epochs=-1,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(checkpoint)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=config.trainer.get("enable_model_summary", False),
        **settings,
    )


class Training:
    """All parts of a run, built in order: what can be refused comes before what takes long.

    Args:
        request: what is asked for.
        start: where training starts.
        checkpoint: what the checkpoint to go on from holds; if None, Lightning loads it.
        stop: hears signals.
        writes: whether curves and pictures are written; a process that assists writes none.

    Raises:
        ConfigError: for bad input.
    """

    def __init__(
        self, request: RunRequest, start: Start, checkpoint: dict[str, Any] | None, stop: Stop, writes: bool = True
    ) -> None:
        self.start = start
        self.config = config = within_budget(request.config)
        check_devices(config.trainer, config.compile, config.batch_size)
        check_targets(named_targets(OmegaConf.to_container(config)), config.allowed_targets)
        self.dataset = build_dataset(config)
        processes = config.trainer.devices * config.trainer.num_nodes
        data, source = self.dataset, self.dataset.source
        self.module = build_module(config, data.sample_shape, processes, data.class_counts, data.source_shape)
        check_pairs(type(self.module), source)
        self.warm_start = warm_start(config, self.module) if start.iteration is None else None
        if checkpoint is not None:
            check_fits(start.checkpoint, checkpoint, self.module, self.dataset.checksum)
        self.evaluator = build_evaluator(config, self.dataset)  # may train a classifier
        folder = request.folder if writes else None
        self.stopwatch = Stopwatch()
        self.trackers = build_trackers(config, request.folder, self.stopwatch, writes)
        self.curves = Curves(folder, config.log_every, self.stopwatch, start.purge_step, self.trackers)
        self.evaluation = Evaluation(self.evaluator, config.evaluation.every, self.curves, self.stopwatch)
        self.selection = build_selection(request, self.dataset, self.evaluation)
        saved = config.checkpoint
        checkpoints = Checkpoints(
            request.folder, saved.every, saved.minutes, saved.keep, self.dataset, self.curves, self.stopwatch
        )
        callbacks: list[Callback] = [
            Randomness(),
            self.stopwatch,
            Deadline(config.budget.seconds, self.stopwatch),
            self.curves,
            self.evaluation,
            *([] if self.selection is None else [self.selection]),
            build_pictures(config, self.dataset, self.module, folder, self.curves, self.stopwatch),
            checkpoints,
            ProgressBar(f"{request.names['dataset']} {request.names['loss']}", self.curves),
            Signals(stop, checkpoints),
            self.trackers,
        ]
        self.trainer = self._trainer(request.folder, callbacks, start, checkpoint)

    def _trainer(
        self, folder: RunFolder, callbacks: list[Callback], start: Start, checkpoint: dict[str, Any] | None
    ) -> pl.Trainer:
        """Lightning's trainer with our callbacks and the user's.

        The user's come before what saves an iteration, and after what prepares the first one.
        """
        added = build_callbacks(self.config)
        if checkpoint is not None:
            check_callbacks(start.checkpoint, checkpoint, callbacks)
        return build_trainer(
            self.config,
            [*callbacks, *added, AfterIterations(callbacks)],
            checkpoint,
            logger=CallbackCurves(self.curves, lambda: self.trainer) if added else False,
            log_every_n_steps=self.config.log_every,
            profiler=build_profiler(self.config.trainer.get("profiler"), folder.path),
            default_root_dir=str(folder.path),
        )

    def fit(self, begin: Callable[[], None]) -> None:
        """Train to the end.

        Args:
            begin: called when the checkpoint, if there is one, has been restored, and before anything else happens.

        Raises:
            Diverged: if a loss, logit or gradient is no longer finite.
        """
        config, trainer = self.config, self.trainer
        # behind Randomness, which restores the last of the state
        trainer.callbacks.insert(1, AtStart(begin))  # type: ignore[attr-defined]  # Lightning's list
        data = InMemoryData(
            self.dataset,
            config.batch_size * config.model.packing,
            config.n_critic,
            config.n_generator,
            config.iterations,
            config.seed,
            self.module.generator_uses_real,
            config.generator_batch_factor,
            keeps_pairs=not self.module.translates_back,
        )
        # Lightning loads the checkpoint before it converts the module: float64 would be rounded
        trainer.precision_plugin.convert_module(self.module)
        trainer.fit(self.module, data, ckpt_path=self.start.checkpoint)
        if trainer.global_step != trainer.max_steps:
            raise RuntimeError(f"training ended after {trainer.global_step} of {trainer.max_steps} iterations")
