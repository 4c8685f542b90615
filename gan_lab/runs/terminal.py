"""What a command says to a terminal: its errors, in one sentence each, and streams that never end a run."""

import codecs
import errno
import io
import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn

from gan_lab.config.messages import USER_ERRORS, sentence
from gan_lab.errors import shown

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO}  # what writing to a stream can end with, besides a closed pipe


def one_sentence(command: Callable[[], None]) -> None:
    """Run a command; bad input ends it with one sentence on stderr and exit status 1.

    ``HYDRA_FULL_ERROR=1`` in the environment shows the traceback instead.
    """
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        with prepared_environment():
            prepare_streams()
            command()
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(128 + signal.SIGPIPE)
    except Exception as error:
        if full or (said := told(error)) is None:
            raise
        sys.exit(f"gan-lab: {said}")
    except KeyboardInterrupt as stop:
        sys.exit(128 + (stop.args[0] if stop.args else signal.SIGINT))


@contextmanager
def prepared_environment() -> Iterator[None]:
    """Inside, the variables of the environment are set that every command of gan-lab needs."""
    before = {name: os.environ.get(name) for name in ("PYTHONSAFEPATH", "HYDRA_FULL_ERROR")}
    os.environ["PYTHONSAFEPATH"] = "1"  # also processes started from here import no modules from the working directory
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises its exceptions instead of printing them
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def told(error: Exception) -> str | None:
    """The sentence on an error that a user can cause; None for a bug."""
    if isinstance(error, USER_ERRORS):
        return sentence(error)
    if isinstance(error, RecursionError):
        return "a configuration or a record is nested without end; expected at most 40 levels"
    if isinstance(error, OSError):
        if error.filename is not None:
            return shown(f"{os.fsdecode(error.filename)}: {error.strerror}")
        if error.errno in _FULL:
            return f"the output cannot be written: {error.strerror}"
    return None


def exit_with(error: Exception) -> NoReturn:
    """End the program with the error's sentence on stderr and exit status 1."""
    sys.exit(f"gan-lab: {sentence(error)}")


def prepare_streams() -> None:
    """Open the standard streams that are closed, on the null device, and let none fail at a character.

    A file that is opened while one of them is closed would get its number, and whatever a library prints to it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  # for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAINLY)


_PLAINLY = "gan_lab.plainly"
_PLAIN = str.maketrans({"·": "-", "–": "-", "—": "-", "−": "-", "×": "x", "→": "->", "…": "...", "’": "'", "█": "#"})


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """For the `codecs`: what a terminal cannot show, in ASCII, as far as it can be said so."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(_PLAIN)
    plain = (unicodedata.normalize("NFKD", one).encode("ascii", "ignore").decode() or "?" for one in text)
    return "".join(plain), error.end


codecs.register_error(_PLAINLY, _plainly)


class _Unimportant:
    """A stream whose failures are ignored, such as a full disk or a closed pipe. Then nothing more is written to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text) or 0)
        except OSError:
            self._stream = io.StringIO()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._stream = io.StringIO()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def harmless_output() -> Iterator[None]:
    """Inside, a configuration is shown, which may be someone else's: what is printed is made harmless (`shown`)."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        if text := printed.getvalue():
            print("\n".join(map(shown, text.splitlines())))


@contextmanager
def unimportant_output() -> Iterator[None]:
    """Inside, a run or a sweep takes place: what it says, to stdout and stderr, can fail without ending it."""
    prepare_streams()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Unimportant(before[0]), _Unimportant(before[1])  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
