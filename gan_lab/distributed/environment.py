"""Rank and number of the processes that torchrun or srun started."""

import os


def rank() -> int | None:
    """The number of this process among those started together; None if it was started alone."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if int(os.environ.get("SLURM_NTASKS", "1")) > 1 and "SLURM_PROCID" in os.environ:
        return int(os.environ["SLURM_PROCID"])
    return None


def size() -> int | None:
    """How many processes were started together; None if this one was started alone."""
    if rank() is None:
        return None
    return int(os.environ["WORLD_SIZE" if "RANK" in os.environ else "SLURM_NTASKS"])
