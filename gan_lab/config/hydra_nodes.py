"""What a configuration may tell Hydra itself to instantiate: callbacks, launcher, sweeper and logging."""

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.config.checks import leaves
from gan_lab.config.targets import check_name, check_target
from gan_lab.errors import ConfigError

_HYDRA = ("gan_lab.sweeps.hydra_callback.Launch", "hydra_plugins", "hydra._internal.core_plugins", "optuna.samplers")
_INSTANTIATED, _LOGGING = ("callbacks", "launcher", "sweeper"), ("hydra_logging", "job_logging")
CHECKED = [*_INSTANTIATED, *_LOGGING]
_LOG = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
# part of a text, or the job's name, as in submitit's own configuration: it is checked to be a plain word
_MAY_LEAD_ON = re.compile(r"[^${}\\]+\$\{.*|\$\{.*\}[^${}\\]+|\$\{hydra\.job\.name\}")
_LOGGING_CLASSES = [f"logging.{name}" for name in ("StreamHandler", "FileHandler", "NullHandler", "Formatter")]
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")  # the only Python objects that Hydra's own logging names


def check_hydra(hydra: DictConfig, job_name: str, allowed: Sequence[str]) -> None:
    """Raise ConfigError for anything among Hydra's own nodes that would run code that is not allowed.

    Nodes are read as they are written: an interpolation may have another value by the time Hydra uses it. It may be
    part of a text, but not a whole value, which could be a block with a ``_target_``.

    Args:
        hydra: those nodes of a composed configuration.
        job_name: ``hydra.job.name`` as written, which names the log file.
        allowed: packages that may be named besides Hydra's plugins and gan_lab's callback.
    """
    written: Any = OmegaConf.to_container(hydra, resolve=False)
    for part in _INSTANTIATED:
        for where, value in leaves(written[part], f"hydra.{part}", into_lists=True):
            key = where.rpartition(".")[2]
            if key == "_target_" or (key == "custom_search_space" and value is not None):  # Optuna calls the latter
                check_name(where, value, _HYDRA, allowed)
                check_target(where, value, _HYDRA, allowed)
            elif isinstance(value, str) and "${" in value and not _MAY_LEAD_ON.fullmatch(value):
                raise ConfigError(f"{where}={value}: expected a value without ${{")
    for part in _LOGGING:
        for where, value in leaves(written[part], f"hydra.{part}", into_lists=True):
            if not _may_log(where.rpartition(".")[2], str(value)):
                raise ConfigError(
                    f"{where}={value}: expected classes of Python's logging, to stdout, stderr or the run's {_LOG}"
                )
    if not re.fullmatch(r"[\w-]+", job_name):
        raise ConfigError(f"hydra.job.name={job_name}: expected letters, digits, - and _")


def check_record(output_subdir: str | None) -> None:
    """Raise ConfigError unless Hydra is to record what was asked for where gan_lab reads it."""
    if output_subdir != ".hydra":
        raise ConfigError(f"hydra.output_subdir={output_subdir}: expected .hydra, without which no run can be rebuilt")


def _may_log(key: str, text: str) -> bool:
    """Whether a key of Python's logging configuration may have a value: no factories, no files but the run's own."""
    if key == "filename":
        return text == _LOG
    if key == "()" or "${" in text:
        return False
    if key == "class":
        return text in _LOGGING_CLASSES
    return not text.startswith("ext://") or text in _STREAMS
