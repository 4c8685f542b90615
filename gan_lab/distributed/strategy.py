"""Lightning's strategy for a run whose processes share every batch."""

import os
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy

from gan_lab.distributed.collectives import meet


class SharedBatch(DDPStrategy):
    """Lightning's part of it: devices, ranks, checkpoints by the first process alone.

    `Algorithm` averages gradients where it makes them, one message an update. The usual wrapper would have to
    look for unused weights in every backward pass, as each player leaves the other's alone.

    Attributes:
        assistants: the processes that this one has started, and where each of them says that it has come.
    """

    assistants: Sequence[tuple[BaseProcess, Connection]] = ()

    def _configure_launcher(self) -> None:
        self._launcher = None  # `assisted` starts the processes, or the cluster has

    def setup_distributed(self) -> None:
        os.environ.pop("PL_GLOBAL_SEED", None)  # Lightning would begin the random streams anew
        for arrival in announced:
            arrival.send_bytes(b"here")
        for assistant, arrival in self.assistants:  # inside PyTorch no death would be heard of, and no signal
            try:
                arrival.recv_bytes()
            except EOFError:
                assistant.join()
                raise
        super().setup_distributed()
        meet()

    def configure_ddp(self) -> None:
        """Let all begin with the first one's weights; nothing is wrapped."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, 0)


announced: list[Connection] = []  # of this process, to the one that has started it
