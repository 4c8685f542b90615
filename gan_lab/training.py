"""A run from its configuration: build, train, evaluate, record."""

import logging
import math
import os
import platform
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread

from gan_lab.budget import within_budget
from gan_lab.building import build_dataset, build_evaluator, fixed_latents
from gan_lab.callbacks import (
    AfterIterations,
    Callback,
    Checkpoints,
    Curves,
    Deadline,
    Evaluation,
    Pictures,
    ProgressBar,
    Randomness,
    Signals,
    Stopwatch,
)
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.files import write_json
from gan_lab.heap import keep_freed_memory
from gan_lab.lightning_parts import build_module, build_trainer, check_devices
from gan_lab.processes import assisted
from gan_lab.recording import RUNNING
from gan_lab.run_configuration import config_hash
from gan_lab.run_folder import RunFolder
from gan_lab.saved import check_fits, newest_checkpoint
from gan_lab.stopping import Stop
from gan_lab.targets import check_targets
from gan_lab.verdict import Thresholds, verdict


def train(
    config: DictConfig,
    folder: RunFolder,
    names: dict[str, str],
    stop: Stop,
    resume: bool = False,
    changed: list[str] | None = None,
) -> float:
    """Train as configured, write the run's folder, and return the final value of its first metric.

    Args:
        config: the composed ``train.yaml``, checked by `gan_lab.schema.check`.
        folder: where everything goes.
        names: the option chosen in the groups loss, model, dataset and protocol.
        stop: hears signals, as `gan_lab.recording.recorded` has it.
        resume: go on from the folder's newest intact checkpoint, bit for bit as if there had been no break; from the
            start if there is none yet. What was written since is taken back and written again.
        changed: the overrides that make the configuration, if it is another than the run was begun with.

    Raises:
        ConfigError: for bad input, before training begins; if the checkpoints are broken.
        Diverged: if a loss, logit or gradient is no longer finite.
    """
    with library_settings(config):
        return _train(config, folder, names, stop, resume, changed)


@contextmanager
def library_settings(config: DictConfig) -> Iterator[None]:
    """Inside, the libraries work as a run wants them to."""
    keep_freed_memory()
    variables = os.environ.copy()
    libraries = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.fabric")]
    levels = [library.level for library in libraries]
    for library in libraries:
        library.setLevel(logging.WARNING)  # their hints concern what is decided here
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"  # Lightning's 1 has every optimizer step look for a driver
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision(config.matmul_precision)
    torch.backends.cudnn.allow_tf32 = config.matmul_precision != "highest"
    report_of_thread = threading.excepthook
    threading.excepthook = lambda fault: None if _is_told_again(fault) else report_of_thread(fault)
    threads = torch.get_num_threads()
    on_cpu = config.trainer.accelerator == "cpu" or not torch.cuda.is_available()
    sharing = config.trainer.devices if on_cpu else 1
    torch.set_num_threads(config.threads or max(threads // sharing, 1))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*`dataloader_iter` step flavor")
            warnings.filterwarnings("ignore", message=".*Found `dataloader_iter` argument")
            warnings.filterwarnings(
                "ignore", message=".*isinstance\\(treespec, LeafSpec\\)", module="pytorch_lightning"
            )
            yield
    finally:
        # the next run in this process chooses for itself; Lightning would take from the environment where to meet
        os.environ.clear()
        os.environ.update(variables)
        for library, level in zip(libraries, levels, strict=True):
            library.setLevel(level)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32
        threading.excepthook = report_of_thread


def _is_told_again(fault: threading.ExceptHookArgs) -> bool:
    """Whether a thread's exception, as of a full disk, will be raised in the main thread too: TensorBoard's are."""
    return isinstance(fault.thread, _AsyncWriterThread)


def _train(
    config: DictConfig,
    folder: RunFolder,
    names: dict[str, str],
    stop: Stop,
    resume: bool,
    changed: list[str] | None,
) -> float:
    check_targets(OmegaConf.to_container(config, resolve=True), "", config.allowed_targets)
    start = newest_checkpoint(folder) if resume else None
    checkpoint = None if start in (None, -1) else folder.checkpoint(start)
    training = Training(config, folder, names, start, stop)
    if checkpoint is not None:
        keeping = [callback.state_key for callback in training.callbacks if callback.state_dict()]
        check_fits(checkpoint, training.module.state_dict(), training.dataset.checksum, keeping)
    if start is not None:
        # not before: who named a wrong device, or data that are not there, has lost nothing
        folder.update_status(**RUNNING)
        if changed is not None:
            folder.change_configuration(config, changed)
        _take_up(folder, start, training.config.iterations)
    described = OmegaConf.to_yaml(config, resolve=True)
    with assisted(training.trainer.strategy, assist, described, names, start, checkpoint):
        training.fit(checkpoint)
    result = training.result()
    if folder.result_file.exists():  # of a run that was interrupted after it, and has been measured since
        result["evaluations"] = folder.result()["evaluations"]
    training.curves.write_hyperparameters(_hyperparameters(config, names, folder), result["metrics"])
    write_json(folder.result_file, result)
    return next(iter(result["metrics"].values()))


def assist(scratch: str, described: str, names: dict[str, str], start: int | None, checkpoint: Path | None) -> None:
    """Train as the run's first process does, which alone keeps what comes of it.

    Args:
        scratch: a folder, not there yet, for what nobody will see.
        described: the configuration, as YAML.
        names: the options chosen in the groups.
        start: iterations done before, or None.
        checkpoint: the first process's, to go on from.
    """
    config = OmegaConf.create(described)
    assert isinstance(config, DictConfig)
    Path(scratch).mkdir()
    with library_settings(config):
        logging.disable(logging.WARNING)  # the first process has said it
        Training(config, RunFolder(scratch), names, start, Stop()).fit(checkpoint)


class Training:
    """All parts of a run, ready to begin.

    Args:
        config: the composed configuration.
        folder: where everything goes.
        names: the options chosen in the groups.
        start: iterations done before, or None in a run's first process.
        stop: hears signals.

    Raises:
        ConfigError: for bad input.
    """

    def __init__(
        self, config: DictConfig, folder: RunFolder, names: dict[str, str], start: int | None, stop: Stop
    ) -> None:
        self.asked = config
        self.names = names
        self.folder = folder
        self.config = config = within_budget(config)
        check_devices(config)
        self.dataset = build_dataset(config)
        # before the evaluator, which may have a classifier to train: who named a wrong network waits for none
        processes = config.trainer.devices * config.trainer.num_nodes
        self.module = build_module(config, self.dataset.sample_shape, processes)
        self.evaluator = build_evaluator(config, self.dataset)
        self.stopwatch = Stopwatch()
        self.curves = Curves(folder, config.log_every, self.stopwatch, start)
        self.evaluation = Evaluation(self.evaluator, config.evaluation.every, self.curves, self.stopwatch)
        self.callbacks: list[Callback] = [
            self.stopwatch,
            Deadline(config.budget.seconds, self.stopwatch),
            self.curves,
            self.evaluation,
            Pictures(
                folder,
                fixed_latents(config, "samples", config.pictures.samples),
                self.dataset.test[:2500],
                config.pictures.every,
                self.curves,
                self.stopwatch,
            ),
            Checkpoints(
                folder, **config.checkpoint, dataset=self.dataset, curves=self.curves, stopwatch=self.stopwatch
            ),
            Randomness(),
            ProgressBar(f"{names['dataset']} {names['loss']}", self.curves),
            Signals(stop),
        ]
        self.trainer = build_trainer(config, [*self.callbacks, AfterIterations()])

    def fit(self, checkpoint: Path | None) -> None:
        """Train to the end, from the checkpoint if there is one.

        Raises:
            Diverged: if a loss, logit or gradient is no longer finite.
        """
        config, trainer = self.config, self.trainer
        data = InMemoryData(self.dataset, config.batch_size, config.n_critic, config.iterations, config.seed)
        # Lightning loads a checkpoint before it does that itself: float64 would be rounded
        trainer.precision_plugin.convert_module(self.module)
        trainer.fit(self.module, data, ckpt_path=checkpoint)
        if trainer.global_step != trainer.max_steps:
            raise RuntimeError(f"training ended after {trainer.global_step} of {trainer.max_steps} iterations")

    def result(self) -> dict[str, Any]:
        """What result.json tells of the training, which is over."""
        updates, fingerprint = self.module.updates, self.evaluator.fingerprint
        thresholds = Thresholds(**self.config.evaluation.verdict)
        return {
            "schema": 1,
            "config_hash": config_hash(self.asked),
            **self.names,
            "seed": self.config.seed,
            "budget": {
                "iterations": self.trainer.global_step,
                "discriminator_updates": updates["discriminator"],
                "generator_updates": updates["generator"],
                "real_images": updates["discriminator"] * self.config.batch_size,
                "train_seconds": self.stopwatch.seconds(),
            },
            "metrics": self.evaluation.final,
            "best": self.evaluation.best,
            "floor": self.evaluator.floor,
            "ceiling": self.evaluator.ceiling,
            "signals": self.evaluation.signals,
            "verdict": verdict(self.folder.curves(), self.evaluator.floor, thresholds),
            "fingerprint": fingerprint | {"ema": self.module.ema is not None},
            "data": self.dataset.record,
            "skipped_updates": self.module.skipped,
            "evaluations": [],
            "environment": environment(self.trainer),
        }


def _take_up(folder: RunFolder, start: int, iterations: int) -> None:
    """Bring the folder back to the checkpoint of an iteration, −1 for the beginning."""
    folder.cut_back(start)
    if start >= 0:
        folder.point_last_checkpoint(start)
    folder.update_status(iteration=max(start, 0))
    if folder.result_file.exists() and (done := folder.result()["budget"]["iterations"]) < iterations:
        folder.result_file.rename(folder.path / f"result_{done:07d}.json")  # it was done, and is to become longer


def _hyperparameters(config: DictConfig, names: dict[str, str], folder: RunFolder) -> dict[str, Any]:
    """The choices, the plain values of the configuration and what was overridden, flat, for TensorBoard's table."""
    flat = {str(key): value for key, value in config.items() if isinstance(value, int | float | str)}
    for player in ("generator", "discriminator"):
        flat[f"lr_{player}"] = config.optimizer[player].get("lr", math.nan)
    for key in (word.partition("=")[0].lstrip("+~") for word in folder.configuration.overrides()):
        value = OmegaConf.select(config, key)  # a group's option is among the names, or a block
        if isinstance(value, int | float | str):
            flat[key] = value
    return names | flat


def environment(trainer: pl.Trainer) -> dict[str, Any]:
    """What the figures may depend on besides the configuration."""
    device = trainer.strategy.root_device
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "pytorch_lightning": pl.__version__,
        "numpy": np.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
