"""Functions run in two processes that share a batch."""

from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from gan_lab.distributed import collectives


def in_two_processes(folder, work):
    """What a function of the rank returns in each of two processes that have met; they part afterwards."""
    arguments = (str(folder / "rendezvous"), str(folder), work)
    mp.start_processes(_work, args=arguments, nprocs=2, start_method="fork")
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def _work(rank, rendezvous, folder, work):
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    collectives.connect()
    torch.save(work(rank), f"{folder}/{rank}.pt")
    collectives.disconnect()
    assert collectives.process_count() == 1
    assert not dist.is_initialized()


def half(rank: int) -> slice:
    """A process's part of a batch of 8."""
    return slice(4 * rank, 4 * rank + 4)
