"""The keys of ``trainer``: what a run hands on to Lightning, and what to use instead of the rest."""

from typing import Any

from omegaconf import DictConfig

from gan_lab.config.messages import listed
from gan_lab.errors import ConfigError, closest
from gan_lab.validation import typed

_VALUES: dict[str, tuple[Any, ...]] = {
    "accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
    "precision": ("32-true", "64-true", "bf16-mixed", "16-mixed"),
    "deterministic": (True, False, "warn"),
    "benchmark": (True, False, None),
    "detect_anomaly": (True, False),
    "enable_model_summary": (True, False),
    "profiler": (None, "simple", "advanced"),
}
_COUNTS = {"devices": "processes, each on a device of its own", "num_nodes": "machines"}
_KEYS = ("_target_", *_VALUES, *_COUNTS)

_NO_VALIDATION = "Lightning validates and tests nothing here; expected evaluation.every, evaluation.samples"
_NO_EPOCHS = "a run is counted in iterations; expected iterations, budget.updates or budget.seconds"
_INSTEAD = {
    "strategy": "processes share every batch, which other strategies do not; expected trainer=ddp, trainer.devices",
    "fast_dev_run": "it would leave out checkpoints and curves; expected trainer=debug, which tries everything out",
    "logger": "expected logger=csv, wandb, mlflow or several, such as logger=[csv,mlflow]",
    "callbacks": "expected callbacks=[lr_monitor], or +callbacks.NAME={_target_:...}",
    "plugins": "expected trainer.precision, and gan_lab's own checkpoints",
    "max_steps": "an iteration is one step; expected iterations",
    "min_steps": "a run makes all of its iterations; expected iterations",
    "max_epochs": _NO_EPOCHS,
    "min_epochs": _NO_EPOCHS,
    "max_time": "expected budget.seconds, of training alone",
    "limit_train_batches": "expected iterations, or dataset.subset for fewer samples",
    "overfit_batches": "expected dataset.max_samples or dataset.subset",
    "log_every_n_steps": "expected log_every",
    "enable_checkpointing": "a run is always saved; expected checkpoint.every, checkpoint.keep",
    "enable_progress_bar": "the bar hides itself where nobody looks, as in a sweep; expected none",
    "accumulate_grad_batches": "players step by themselves; expected batch_size, with micro_batch to save memory",
    "gradient_clip_val": "players clip by themselves; expected clip_grad.generator, clip_grad.discriminator",
    "gradient_clip_algorithm": "norms are clipped; expected clip_grad.generator, clip_grad.discriminator",
    "use_distributed_sampler": "processes share every batch as it is; expected none",
    "sync_batchnorm": "processes that share a batch share its statistics already; expected none",
    "reload_dataloaders_every_n_epochs": "the stream of samples never ends; expected none",
    "default_root_dir": "expected hydra.run.dir",
    "barebones": "a run without callbacks would save nothing; expected log_every, evaluation.every, pictures.every",
    "enable_autolog_hparams": "expected logger, whose loggers get all hyper-parameters",
    "model_registry": "checkpoints stay in the run's folder; expected none",
    **dict.fromkeys(
        (
            "limit_val_batches",
            "limit_test_batches",
            "limit_predict_batches",
            "val_check_interval",
            "check_val_every_n_epoch",
            "num_sanity_val_steps",
            "inference_mode",
        ),
        _NO_VALIDATION,
    ),
}
"""What Lightning's trainer takes and a run does not, with what to use instead."""


def check_trainer(trainer: DictConfig) -> None:
    """Raise ConfigError for a key that a run cannot hand on to Lightning's trainer, or a value it cannot have."""
    for key in map(str, trainer):
        if key in _INSTEAD:
            raise ConfigError(f"trainer.{key}: {_INSTEAD[key]}")
        if key not in _KEYS:
            raise ConfigError(f"trainer.{key}: there is no key '{key}' in trainer; {closest(key, _KEYS)}")
    for key, values in _VALUES.items():
        if key in trainer and not any(type(trainer[key]) is type(value) and trainer[key] == value for value in values):
            raise ConfigError(f"trainer.{key}={typed(trainer[key])}: expected {listed(values)}")
    for key, meaning in _COUNTS.items():
        value = trainer[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(f"trainer.{key}={value}: expected a whole number of at least 1, of {meaning}")


def check_micro_batch(config: DictConfig) -> None:
    """Raise ConfigError unless each process's part of a batch is a whole number of micro-batches.

    What is compiled beyond the networks would be whole updates, which do not compute anything again.
    """
    if config.micro_batch is None:
        return
    if not isinstance(config.compile, bool):
        raise ConfigError(f"compile={config.compile}: expected true or false with micro_batch={config.micro_batch}")
    processes = config.trainer.devices * config.trainer.num_nodes
    own, rest = divmod(config.batch_size, processes)
    if not rest and own % config.micro_batch:
        what = (
            f"batch_size={own}" if processes == 1 else f"{own}, each process's part of batch_size={config.batch_size}"
        )
        raise ConfigError(f"micro_batch={config.micro_batch}: expected null or a divisor of {what}")
