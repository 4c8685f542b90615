"""Signals that ask a run to stop: Ctrl-C, termination, and SLURM's warning before the end of a job."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def signal_of(code: object) -> signal.Signals | None:
    """The signal that an exit status stands for, if it is one of those that stop a run."""
    return next((one for one in _SIGNALS if code == 128 + one), None)


class Stop:
    """A context in which a signal to stop raises SystemExit with 128 + the signal.

    It does so at once, or, once ``waits`` is set, when training has finished its iteration and asks for ``received``.
    Raised at once, SystemExit may be lost: OmegaConf and modules in the middle of their import turn it into other
    exceptions, or swallow it. So the signal is remembered: the context then ends with SystemExit whatever was raised,
    and training that begins all the same ends with its first iteration.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.began = False  # training, with everything restored
        self.waits = False  # until training has finished its iteration; a second Ctrl-C does not wait
        self.answer: Callable[[], None] = lambda: None  # to a signal that waits: an iteration may take a minute
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Handle the signals here, whatever handled them before."""
        for number in _SIGNALS:
            signal.signal(number, self._receive)

    def __enter__(self) -> "Stop":
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.received is not None and isinstance(error, Exception) and not self.waits:
            raise SystemExit(128 + self.received) from error

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again = number == self.received == signal.SIGINT
        self.received = number
        if again or not self.waits:
            raise SystemExit(128 + number)
        self.answer()


class Unheard(Stop):
    """A run's `Stop` in a process that handles signals for several runs and stops them by exceptions."""

    def listen(self) -> None:
        """Leave the handlers as they are."""

    def __enter__(self) -> "Unheard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Inside, Ctrl-C ends the process at once, as there is nothing to save yet.

    If an exception was raised while the program was exiting, the exit is raised in its place.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    except Exception as error:
        if (stop := exit_behind(error)) is None:
            raise
        raise stop from None
    finally:
        signal.signal(signal.SIGINT, before)


def exit_behind(error: BaseException, outer: BaseException | None = None) -> SystemExit | None:
    """The exit of the program that an exception was raised during, or that it is itself; None if there is none.

    Args:
        error: the exception.
        outer: an exception that was being handled before, and does not count.
    """
    cause: BaseException | None = error
    while cause is not None and cause is not outer:
        if isinstance(cause, SystemExit):
            return cause
        cause = cause.__context__
    return None
