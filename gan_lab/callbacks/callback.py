"""What every callback of a run is."""

from typing import Any

import pytorch_lightning as pl


class Callback(pl.Callback):
    """A callback that has no hooks round an iteration but those it defines.

    Lightning opens a profiler's context for every hook of every callback, also for those that do nothing: a twentieth
    of a toy's iteration. What is no function it passes over.
    """

    on_train_batch_start: Any = None
    on_train_batch_end: Any = None
