"""What a configuration may tell Hydra itself to instantiate: callbacks, launcher, sweeper and logging."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from gan_lab.config.leaves import leaves
from gan_lab.config.targets import check_name, check_target
from gan_lab.errors import ConfigError
from gan_lab.validation import typed

_HYDRA = ("gan_lab.sweeps.hydra_callback.Launch", "hydra_plugins", "hydra._internal.core_plugins", "optuna.samplers")
_INSTANTIATED, _LOGGING = ("callbacks", "launcher", "sweeper"), ("hydra_logging", "job_logging")
CHECKED = [*_INSTANTIATED, *_LOGGING, "job"]
_LOG = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
# part of a text, or the job's name, as in submitit's own configuration: it is checked to be a plain word
_MAY_LEAD_ON = re.compile(r"[^${}\\]+\$\{.*|\$\{.*\}[^${}\\]+|\$\{hydra\.job\.name\}")
_LEVELS = ("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", *range(0, 51, 10))
_LOGGED: dict[str, tuple[Any, ...]] = {
    r"version": (1,),
    r"disable_existing_loggers": (True, False),
    r"root": (None,),
    r"loggers": ({},),
    r"(root|loggers\..+|handlers\.(console|file))\.level": _LEVELS,
    r"(root|loggers\..+)\.handlers(\.\d)?": ("console", "file", []),
    r"loggers\..+\.propagate": (True, False),
    r"formatters\.simple\.format": (
        "%(message)s",
        "[%(asctime)s][HYDRA] %(message)s",
        "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s",
    ),
    r"handlers\.(console|file)\.formatter": ("simple",),
    r"handlers\.console\.class": ("logging.StreamHandler",),
    r"handlers\.console\.stream": ("ext://sys.stdout", "ext://sys.stderr"),
    r"handlers\.file\.class": ("logging.FileHandler",),
    r"handlers\.file\.filename": (_LOG,),
}
"""What may be in a logging configuration: values by the pattern of their keys."""


_SLURM = (
    "timeout_min|cpus_per_task|gpus_per_node|tasks_per_node|mem_gb|nodes|name|stderr_to_stdout|partition|qos|comment|"
    "constraint|exclude|gres|cpus_per_gpu|gpus_per_task|mem_per_gpu|mem_per_cpu|account|signal_delay_s|"
    "max_num_timeout|array_parallelism"
)
_JOBLIB = "n_jobs|backend|prefer|require|verbose|timeout|pre_dispatch|batch_size|max_nbytes|mmap_mode"
_UNTYPED = re.compile(
    rf"callbacks\.\w+\._target_|launcher\.(_target_|{_SLURM}|{_JOBLIB}|ray\.(init|remote)\.num_[cg]pus)"
    r"|sweeper\.(_target_|max_batch_size|direction(\.\d+)?|study_name|n_trials|n_jobs|max_failure_rate"
    r"|custom_search_space|(search_space|params|sampler|space)(\..*)?|trials|(tuning_seeds|seeds)(\.\d+)?|metric|draw)"
    r"|job\.env_set\.((OMP|MKL|OPENBLAS|NUMEXPR)_NUM_THREADS|CUDA_VISIBLE_DEVICES)"
)
"""Keys of Hydra's callbacks, launchers, sweepers and environment that a file may set. Others can be commands, variables
or places: they are accepted as Hydra's plugins ship them, or if a person has typed them."""
_SWEEPS_HYDRA = re.compile(r"sweeper\.(search_space|params|space)\.[+~\s]*hydra\b")  # overrides of every run
_SHIPPED: tuple[Any, ...] = (None, {}, [], "${hydra.sweep.dir}/.submitit/%j")
_PYTHONS = ("_args_", "_partial_", "_convert_", "_recursive_")  # words that change what is made of a block


def check_hydra(hydra: DictConfig, allowed: Sequence[str], typed: Iterable[str]) -> None:
    """Raise ConfigError for anything among Hydra's own nodes that would run code that is not allowed.

    Nodes are read as they are written: an interpolation may have another value by the time Hydra uses it. It may be
    part of a text, but not a whole value, which could be a block with a ``_target_``.

    Args:
        hydra: the nodes `CHECKED` of a composed configuration.
        allowed: packages that may be named besides Hydra's plugins and gan_lab's callback.
        typed: the keys on the command line that begin with ``hydra.``.
    """
    written: Any = OmegaConf.to_container(hydra, resolve=False)
    _check_typed(written, tuple(typed))
    for part in _INSTANTIATED:
        for where, value in leaves(written[part], f"hydra.{part}", into_lists=True):
            key = where.rpartition(".")[2]
            if key == "_target_" or (key == "custom_search_space" and value is not None):  # Optuna calls the latter
                check_name(where, value, _HYDRA, allowed)
                check_target(where, value, _HYDRA, allowed)
            elif isinstance(value, str) and "${" in value and not _MAY_LEAD_ON.fullmatch(value):
                raise ConfigError(f"{where}={value}: expected a value without ${{")
    for part in _LOGGING:
        _check_logging(part, written[part])
    name = written["job"]["name"]  # the log file's too
    if not re.fullmatch(r"[\w-]{1,100}", str(name)):
        raise ConfigError(f"hydra.job.name={name}: expected at most 100 letters, digits, - and _")


def named_by_the_clock(folder: DictConfig) -> bool:
    """Whether the program chose the name in ``hydra.run.dir`` or ``hydra.sweep.dir``: such a name holds the time.

    Args:
        folder: the configuration's node ``hydra.run`` or ``hydra.sweep``.
    """
    written: Any = OmegaConf.to_container(folder, resolve=False)
    return "${now:" in str(written["dir"])


def check_subdir(hydra: DictConfig) -> None:
    """Raise ConfigError if a run of a sweep would lie outside the sweep's folder.

    Args:
        hydra: the configuration's node, resolved as far as the run is known.
    """
    parts = re.split(r"[/\\]", str(hydra.sweep.subdir))
    if not str(hydra.sweep.subdir) or parts[0] in ("", "~") or ".." in parts or any(":" in part for part in parts[:1]):
        raise ConfigError(f"hydra.sweep.subdir={hydra.sweep.subdir}: expected a folder within the sweep's")


def check_record(output_subdir: str | None) -> None:
    """Raise ConfigError unless Hydra is to record what was asked for where gan_lab reads it."""
    if output_subdir != ".hydra":
        raise ConfigError(
            f"hydra.output_subdir={typed(output_subdir)}: expected .hydra, without which no run can be rebuilt"
        )


def _check_typed(written: Any, typed: tuple[str, ...]) -> None:
    """Raise ConfigError for a key that a file may not set, and for lines in a launcher's texts."""
    for where, value in leaves(written, into_lists=True):
        part, _, below = where.partition(".")
        if part in _LOGGING or (part == "job" and not below.startswith("env_set.")):
            continue
        key = f"hydra.{where}"
        if found := set(_PYTHONS).intersection(where.split(".")):
            raise ConfigError(f"{key}={value}: expected no {min(found)} in Hydra's own blocks")
        by_hand = any(key == word or key.startswith(f"{word}.") for word in typed)
        if _SWEEPS_HYDRA.match(where) and not by_hand:
            raise ConfigError(f"{key}={value}: a sweep cannot change Hydra's own keys; expected those of gan-lab")
        if not _UNTYPED.fullmatch(where) and not by_hand and value not in _SHIPPED:
            raise ConfigError(f"{key}={value}: expected on the command line alone, where a person has typed it")
        if part == "launcher" and isinstance(value, str) and not value.isprintable():
            raise ConfigError(f"{key}={value}: expected one line of text, as it becomes part of a script")


def _check_logging(part: str, node: Any) -> None:
    """Raise ConfigError for anything but what Hydra and gan_lab ship, and levels.

    Python's logging configuration is a language of its own: it makes objects, opens files and sockets, sets attributes.
    """
    for where, value in leaves(node, into_lists=True):
        allowed = next((values for pattern, values in _LOGGED.items() if re.fullmatch(pattern, where)), ())
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise ConfigError(f"hydra.{part}.{where}={value}: expected what gan-lab ships; levels alone can be changed")
