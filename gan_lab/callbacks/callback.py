"""What every callback of a run is."""

from typing import Any

import pytorch_lightning as pl


class Callback(pl.Callback):
    """A callback that acts after iterations, never before.

    Lightning opens a profiler's context for every hook of every callback, also for those that do nothing: before an
    iteration that is a fortieth of a toy's. What is no function it passes over.
    """

    on_train_batch_start: Any = None
