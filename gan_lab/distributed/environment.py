"""Rank and number of the processes that torchrun or srun started."""

import os

from gan_lab.errors import ConfigError


def rank() -> int | None:
    """The number of this process among those started together; None if it was started alone."""
    if _by_torchrun():
        return _whole("RANK")
    if "SLURM_PROCID" in os.environ and "SLURM_NTASKS" in os.environ and _whole("SLURM_NTASKS") > 1:
        return _whole("SLURM_PROCID")
    return None


def size() -> int | None:
    """How many processes were started together; None if this one was started alone."""
    if rank() is None:
        return None
    return _whole("WORLD_SIZE" if _by_torchrun() else "SLURM_NTASKS")


def _by_torchrun() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def _whole(name: str) -> int:
    """What a variable of the environment holds.

    Raises:
        ConfigError: if that is no whole number of at least 0.
    """
    value = os.environ.get(name, "")
    if not value.isdecimal():
        raise ConfigError(f"the environment has {name}={value}: expected a whole number, as torchrun or srun sets it")
    return int(value)
