"""Being asked to stop: by Ctrl-C, by a request to terminate, by SLURM's warning."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Stop:
    """Inside this context a signal to stop raises SystemExit with 128 + the signal: at once, or when training is ready.

    Raised at once, in the middle of whatever is going on, it may get lost: OmegaConf and half-imported modules answer
    it with exceptions of their own, or with none. So a signal is remembered: at the end of the context it is what
    counts, and training that begins all the same ends with its first iteration.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.waits = False  # for training to finish its iteration; a second Ctrl-C does not
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """Take signals from whoever takes them now."""
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


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Inside, Ctrl-C ends the process, as a request to terminate does: there is nothing to save yet.

    Of an exception that something else made of the program's exit, the exit is what leaves.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, SystemExit):
            cause = cause.__context__
        if cause is None:
            raise
        raise cause from None
    finally:
        signal.signal(signal.SIGINT, before)
