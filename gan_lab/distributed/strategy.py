"""Lightning's strategy for a run whose processes share every batch."""

import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy

from gan_lab.distributed.collectives import connect


class SharedBatch(DDPStrategy):
    """Devices, ranks, and checkpoints written by the first process alone; the module itself is not wrapped.

    `Algorithm` averages gradients itself, with one message an update. Lightning's wrapper would search for unused
    weights in every backward pass, as an update of one player uses none of the other's.

    Attributes:
        assistants: the processes that this one has started, each with the pipe on which it reports that it is ready.
    """

    assistants: Sequence[tuple[BaseProcess, Connection]] = ()

    def _configure_launcher(self) -> None:
        self._launcher = None  # processes are started by `assisted`, torchrun or srun

    def setup_distributed(self) -> None:
        os.environ.pop("PL_GLOBAL_SEED", None)  # with it Lightning would reset the random streams
        for arrival in announced:
            arrival.send_bytes(b"here")
        # wait here: `init_process_group` notices neither dead processes nor signals
        for assistant, arrival in self.assistants:
            try:
                arrival.recv_bytes()
            except EOFError:
                assistant.join()
                raise
        super().setup_distributed()
        connect()

    def configure_ddp(self) -> None:
        """Copy the first process's weights to all."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, 0)


announced: list[Connection] = []  # the pipe on which this process reports to the one that started it
