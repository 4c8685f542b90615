"""A run's place in a stack: what it shares with the others, and its thread, which runs only while it is its turn."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from gan_lab.callbacks.clock import Share, SharedClock
from gan_lab.datasets import Dataset
from gan_lab.runs.components import build_dataset

if TYPE_CHECKING:
    from gan_lab.training.build import Training


class Common:
    """What runs that differ in their seed alone have together."""

    def __init__(self) -> None:
        self.clock = SharedClock()
        self._datasets: dict[str, Dataset] = {}

    def dataset(self, config: DictConfig) -> Dataset:
        """The dataset of a run; one for all whose data do not depend on the seed."""
        key = OmegaConf.to_yaml(config.dataset)
        if key not in self._datasets:
            self._datasets[key] = build_dataset(config)
        return self._datasets[key]


class Seat:
    """A run as one of a stack. Its own program is started in a thread, and waits there at its first iteration.

    Two threads never run at once: the stack wakes a run and waits until the run waits again or has ended. So all that
    belongs to the process (random generators, precision, logging) can be put in place for the run whose turn it is.

    Args:
        common: what the runs of the stack share.
        handlers: of the log while it is this run's turn; None for those that are there.

    Attributes:
        training: the parts of the run, from when they are built.
        generator: the random generator that its penalties draw from; None until it waits at its first iteration.
        error: what it ended with; None if it came to its end or goes on.
        over: whether it has ended.
    """

    def __init__(self, common: Common, handlers: Sequence[logging.Handler] | None = None) -> None:
        self.common = common
        self.handlers = handlers
        self.stopwatch = Share(common.clock)
        self.training: Training | None = None
        self.generator: torch.Generator | None = None
        self.error: BaseException | None = None
        self.over = False
        self._thrown: BaseException | None = None
        self._go_on, self._waits = threading.Semaphore(0), threading.Semaphore(0)

    def start(self, program: Callable[[], Any]) -> None:
        """Begin the run, and return when it waits at its first iteration or has ended."""
        threads = torch.get_num_threads()

        def run() -> None:
            self._go_on.acquire()
            torch.set_num_threads(threads)  # a thread has a number of its own
            try:
                program()
            except BaseException as error:
                self.error = error
            self.over = True
            self._waits.release()

        threading.Thread(target=run, daemon=True).start()
        self.proceed()

    def proceed(self, error: BaseException | None = None) -> None:
        """Let the run go on, by raising an error where it waits if one is given, until it waits again or has ended."""
        self._thrown = error
        with self.turn():
            self._go_on.release()
            self._waits.acquire()

    def training_step(self, dataloader_iter: Iterator[Any]) -> dict[str, Tensor]:
        """In the place of the algorithm's: wait until all iterations have been made elsewhere, and counted."""
        assert self.training is not None
        self.generator = self.training.randomness.own_generator(self.training.module.device)
        dtype = torch.get_default_dtype()  # Lightning has set it for this iteration
        torch.set_default_dtype(torch.float32)
        self._waits.release()
        self._go_on.acquire()
        torch.set_default_dtype(dtype)
        if self._thrown is not None:
            raise self._thrown
        return {}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Inside, what is logged is this run's."""
        root = logging.getLogger()
        before = root.handlers[:]
        if self.handlers is not None:
            root.handlers[:] = self.handlers
        try:
            yield
        finally:
            root.handlers[:] = before
