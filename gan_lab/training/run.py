"""A run from its configuration: build, train, evaluate, record."""

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

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
from gan_lab.config.schema import check, within_budget
from gan_lab.config.targets import check_targets
from gan_lab.datasets.batch import one_per_sample
from gan_lab.datasets.data_module import InMemoryData
from gan_lab.distributed.launcher import assisted
from gan_lab.metrics.verdict import Thresholds, verdict
from gan_lab.runs.checkpoints import check_fits, newest_checkpoint
from gan_lab.runs.components import build_dataset, build_evaluator, fixed_request
from gan_lab.runs.configuration import config_hash
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.status import RUNNING, recorded
from gan_lab.runs.stop_signals import Stop
from gan_lab.storage.files import write_json
from gan_lab.training.build import build_module, build_trainer
from gan_lab.training.result import environment, hyperparameters
from gan_lab.training.runtime import check_devices, library_settings


def execute(
    config: DictConfig,
    folder: RunFolder,
    names: dict[str, str],
    resume: bool = False,
    changed: list[str] | None = None,
) -> float:
    """Train as configured, with status.json kept true of it.

    Args:
        config: the composed configuration.
        folder: the run's.
        names: the options chosen in the groups.
        resume: go on from the last checkpoint.
        changed: the overrides that make the configuration, if a resumed run's is another than it was.
    """
    with recorded(folder, config, resume) as stop:
        check(config)
        return train(config, folder, names, stop, resume, changed)


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
        config: the composed ``train.yaml``, checked by `gan_lab.config.schema.check`.
        folder: where everything goes.
        names: the option chosen in the groups loss, model, dataset and protocol.
        stop: hears signals, as `gan_lab.runs.status.recorded` has it.
        resume: go on from the folder's newest intact checkpoint, bit for bit as if there had been no break; from the
            start if there is none yet. What was written since is taken back and written again.
        changed: the overrides that make the configuration, if it is another than the run was begun with.

    Raises:
        ConfigError: for bad input, before training begins; if the checkpoints are broken.
        Diverged: if a loss, logit or gradient is no longer finite.
    """
    with library_settings(config):
        return _train(config, folder, names, stop, resume, changed)


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
    training.curves.write_hyperparameters(hyperparameters(config, names, folder), result["metrics"])
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
        checkpoints = Checkpoints(
            folder, **config.checkpoint, dataset=self.dataset, curves=self.curves, stopwatch=self.stopwatch
        )
        self.callbacks: list[Callback] = [
            self.stopwatch,
            Deadline(config.budget.seconds, self.stopwatch),
            self.curves,
            self.evaluation,
            Pictures(
                folder,
                fixed_request(config, "samples", config.pictures.samples, one_per_sample(self.dataset.test_labels)),
                self.dataset.test[:2500],
                config.pictures.every,
                self.curves,
                self.stopwatch,
            ),
            checkpoints,
            Randomness(),
            ProgressBar(f"{names['dataset']} {names['loss']}", self.curves),
            Signals(stop, checkpoints),
        ]
        self.trainer = build_trainer(config, [*self.callbacks, AfterIterations(self.callbacks)])

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
