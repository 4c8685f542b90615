"""Sides that take turns of a few iterations, each in a process of its own.

A machine that others use as well is slower by a third for seconds or minutes at a time. What is measured one whole run
after another then compares the minutes; turns of a second or less have the same weather on all sides.
"""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

import torch

from gan_lab.forking import forkserver

T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """How far all go.

    Args:
        rounds: measurements of each side, after a round that is not counted.
        iterations: of a round.
        turn: iterations until the next side's turn; divides those of a round.
    """

    rounds: int
    iterations: int
    turn: int

    @property
    def turns(self) -> int:
        """Of each side, in all."""
        return (self.rounds + 1) * self.iterations // self.turn

    @property
    def length(self) -> int:
        """Iterations of a run that goes all the way: one more, before which the last turn ends."""
        return self.turns * self.turn + 1


class Pace:
    """Called by a side before each of its iterations; now and then it returns only after the others' turns.

    Args:
        referee: gives the turns, and hears how many seconds each took.
        course: how far all go.
    """

    def __init__(self, referee: Connection, course: Course) -> None:
        self.referee = referee
        self.course = course
        self.done = 0
        self.start = 0.0

    def __call__(self) -> None:
        turns, started = divmod(self.done, self.course.turn)
        self.done += 1
        if started or turns > self.course.turns:
            return
        if turns > 0:
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            self.referee.send(time.perf_counter() - self.start)
        self.referee.recv()
        self.start = time.perf_counter()


@dataclass(frozen=True)
class Finish(Generic[T]):
    """Where a side came to.

    Args:
        seconds: that an iteration took, in each round.
        end: what the side returned.
    """

    seconds: list[float]
    end: T


def race(sides: Mapping[str, Callable[[Pace], T]], course: Course) -> dict[str, Finish[T]]:
    """Let all sides go the course in turns: A B A B …

    Args:
        sides: what each does, ``course.length`` calls of its pace; functions that can be pickled.
        course: how far they go.

    Raises:
        RuntimeError: if one ends before its time.
    """
    context = forkserver()
    with ExitStack() as stack:
        referees: dict[str, Connection] = {}
        for name, side in sides.items():
            referees[name], theirs = context.Pipe()
            process = context.Process(target=_run, name=name, args=(theirs, course, side), daemon=True)
            process.start()
            theirs.close()  # its end is the end of what can be heard
            stack.callback(process.join)
            stack.enter_context(referees[name])  # closed before that: who still waits for a turn ends
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(course.turns):
            for name, referee in referees.items():
                taken[name].append(_told(name, referee))
        ends = {name: _told(name, referee) for name, referee in referees.items()}
    a_round = course.iterations // course.turn
    rounds = {
        name: [sum(turns[i : i + a_round]) / course.iterations for i in range(a_round, len(turns), a_round)]
        for name, turns in taken.items()
    }
    for name, seconds in rounds.items():
        said = " ".join(f"{1000 * value:.4g}" for value in seconds)
        print(f"  {name}, ms an iteration: {said}", file=sys.stderr, flush=True)
    return {name: Finish(rounds[name], ends[name]) for name in sides}


def _told(name: str, referee: Connection) -> T:
    """Give a side its turn, and hear what comes of it."""
    try:
        referee.send(None)
        return referee.recv()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise RuntimeError(f"{name} ended before its time") from None


def _run(referee: Connection, course: Course, side: Callable[[Pace], T]) -> None:
    pace = Pace(referee, course)
    end = side(pace)
    if pace.done != course.length:
        raise RuntimeError(f"{pace.done} iterations instead of {course.length}")
    referee.send(end)
