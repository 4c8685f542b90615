"""Lightning's trainer, loggers, callbacks and profilers in a run, from its configuration."""

import io
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from pytorch_lightning.profilers import AdvancedProfiler, Profiler, SimpleProfiler

from gan_lab.callbacks import AtomicCheckpointIO
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.mlflow_tracker import MLflowTracker
from gan_lab.callbacks.trackers import LocalTracker, Tracker, Trackers
from gan_lab.callbacks.wandb_tracker import WandbTracker
from gan_lab.config.lightning_parts import refused_callback, with_defaults
from gan_lab.distributed.strategy import SharedBatch
from gan_lab.errors import ConfigError
from gan_lab.runs.building import asked_for, build, check_arguments
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.sweep_folder import sweep_around


def build_trackers(config: DictConfig, folder: RunFolder, stopwatch: Stopwatch, writes: bool = True) -> Trackers:
    """The trackers of a run; their loggers are made when training begins.

    Args:
        config: the resolved configuration.
        folder: the run's.
        stopwatch: stopped while they are at work.
        writes: False in a process that assists, which has none.

    Raises:
        ConfigError: for a class or an argument that a logger cannot have.
    """
    found = {}
    for name in config.logger:
        config.logger[name] = with_defaults(config.logger[name])
        found[str(name)] = check_arguments(config, f"logger.{name}")
    trackers = [_tracker(config, name, kind, folder) for name, kind in found.items()] if writes else []
    return Trackers(folder, trackers, stopwatch)


def _tracker(config: DictConfig, name: str, kind: type[Logger], folder: RunFolder) -> Tracker:
    own, sweep = folder.loggers / name, sweep_around(folder.path)
    block: Any = OmegaConf.to_container(config.logger[name])
    run = folder.path.name if sweep is None else str(folder.path.relative_to(sweep.path))
    group = None if sweep is None else sweep.path.name
    make = partial(_logger, config, f"logger.{name}", kind)
    if issubclass(kind, WandbLogger):
        return WandbTracker(name, own, make, block, run, group)
    if issubclass(kind, MLFlowLogger):
        home = own if sweep is None else sweep.path / own.relative_to(folder.path)
        return MLflowTracker(home, name, own, make, block, run, group)
    local = issubclass(kind, CSVLogger | TensorBoardLogger)
    return (LocalTracker if local else Tracker)(name, own, make)


def _logger(config: DictConfig, key: str, kind: type[Logger], /, **arguments: Any) -> Logger:
    made = build(config, key, **asked_for(kind, arguments))
    assert isinstance(made, Logger)
    return made


def build_callbacks(config: DictConfig) -> list[pl.Callback]:
    """The callbacks that the configuration names, in its order, and one that looks at their states.

    Raises:
        ConfigError: for one that cannot be made, or that would break what a run promises.
    """
    callbacks: dict[str, pl.Callback] = {}
    for name in map(str, config.callbacks):
        key = f"callbacks.{name}"
        made = build(config, key)
        if reason := refused_callback(type(made).__mro__):
            raise ConfigError(f"{key}._target_={config.callbacks[name]['_target_']}: {reason}")
        callbacks[key] = made
    return [*callbacks.values(), PlainStates(callbacks)] if callbacks else []


class PlainStates(pl.Callback):
    """Refuses a callback's state that a checkpoint could not give back, before the checkpoint is written.

    Args:
        callbacks: by their keys.
    """

    def __init__(self, callbacks: Mapping[str, pl.Callback]) -> None:
        self.callbacks = callbacks

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        for key, callback in self.callbacks.items():
            written = io.BytesIO()
            torch.save(callback.state_dict(), written)
            written.seek(0)
            try:
                torch.load(written, weights_only=True)
            except UnpicklingError as error:
                raise ConfigError(
                    f"{key}: its state_dict holds objects; expected tensors and plain containers"
                ) from error


def build_profiler(name: str | None, folder: Path) -> Profiler | None:
    """Lightning's profiler of that name, which writes ``fit-profile.txt`` into a folder; None for None."""
    kinds: dict[str, type[SimpleProfiler | AdvancedProfiler]] = {"simple": SimpleProfiler, "advanced": AdvancedProfiler}
    return None if name is None else kinds[name](dirpath=folder, filename="profile")


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
