"""Starts the further processes of a run whose processes share every batch.

Each process trains the same networks on its part of every batch and averages the gradients with the others
(`gan_lab.distributed.collectives`). The first process owns the run: its folder, signals and clock. The others assist:
they train in the same way and write nothing.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from gan_lab.distributed.collectives import disconnect
from gan_lab.distributed.forkserver import end_with_parent, forkserver
from gan_lab.distributed.strategy import SharedBatch, announced
from gan_lab.errors import ConfigError


@contextmanager
def assisted(strategy: Any, function: Callable[[], None]) -> Iterator[None]:
    """Inside, ``function()`` runs in as many further processes as the strategy wants on this machine.

    Raises:
        ConfigError: if one of them is killed.
        RuntimeError: if one of them fails.
    """
    try:
        cluster = strategy.cluster_environment if isinstance(strategy, SharedBatch) else None
        if cluster is None or cluster.creates_processes_externally:
            yield
        else:
            with _started(strategy, cluster.main_port, function):
                yield
    finally:
        disconnect()


@contextmanager
def _started(strategy: SharedBatch, port: int, function: Callable[[], None]) -> Iterator[None]:
    context = forkserver()
    assistants, arrivals = [], []
    for rank, device in enumerate(strategy.parallel_devices or []):
        if rank > 0:
            heard, told = context.Pipe(duplex=False)
            what = (rank, device, port, told, sys.path, function)
            assistants.append(context.Process(target=_assist, name=f"process {rank}", args=what))
            assistants[-1].start()
            told.close()  # only the assistant holds it now: when the assistant ends, reading from the pipe ends
            arrivals.append(heard)
    strategy.assistants = list(zip(assistants, arrivals, strict=True))
    try:
        yield
    except BaseException as error:
        if isinstance(error, RuntimeError):  # a connection is found lost before the death that it is lost by
            wait([assistant.sentinel for assistant in assistants], timeout=5)
        failed = [assistant for assistant in assistants if assistant.exitcode]
        for assistant in assistants:
            assistant.kill()
        if failed and isinstance(error, Exception):  # the others report a lost connection, which is not the cause
            status = failed[0].exitcode or 0
            if status < 0:
                raise ConfigError(
                    f"{failed[0].name} of the run was ended by {signal.Signals(-status).name}, SIGKILL being what the "
                    "system sends when memory runs out; resume= goes on with the run"
                ) from error
            raise RuntimeError(f"{failed[0].name} of the run ended with exit status {status}") from error
        raise
    finally:
        for assistant in assistants:
            assistant.join()


def _assist(
    rank: int,
    device: torch.device,
    port: int,
    told: Connection,
    path: list[str],
    function: Callable[[], None],
) -> None:
    announced.append(told)
    end_with_parent(lambda: os._exit(1))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # the first process decides
    sys.path[:] = path  # users' modules lie in the working directory
    if device.type == "cuda":
        torch.cuda.set_device(device)
    os.environ |= {"LOCAL_RANK": str(rank), "MASTER_PORT": str(port)}
    function()
