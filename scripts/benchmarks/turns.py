"""Sides that take turns of a few iterations, each in a process of its own.

A machine that others use as well is slower by a third for seconds or minutes at a time. What is measured one whole run
after another then compares the minutes; with turns of a second or so all sides share the same load. A process's memory
layout makes it quicker or slower by a few percent for its lifetime; several races show this.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import torch

from gan_lab.distributed.forkserver import forkserver

T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """How far all go.

    Args:
        iterations: that are measured, after a turn that is not.
        turn: iterations until the next side's turn; divides them.
    """

    iterations: int
    turn: int

    @property
    def turns(self) -> int:
        """Of each side, in all."""
        return 1 + self.iterations // self.turn

    @property
    def length(self) -> int:
        """Iterations of a run that goes all the way: one more, before which the last turn ends."""
        return self.turns * self.turn + 1


class Pace:
    """Called by a side before each of its iterations; now and then it returns only after the others' turns.

    Args:
        referee: gives the turns, and hears how many seconds each took.
        course: how far all go.

    Attributes:
        peak: the most memory of the GPU that the iterations took, in MiB; 0 without a GPU.
    """

    def __init__(self, referee: Connection, course: Course) -> None:
        self.referee = referee
        self.course = course
        self.done = 0
        self.start = 0.0
        self.peak = 0.0

    def __call__(self) -> None:
        turns, started = divmod(self.done, self.course.turn)
        self.done += 1
        if started or turns > self.course.turns:
            return
        if turns > 0:
            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
                self.peak = torch.cuda.max_memory_allocated() / 2**20
            self.referee.send(time.perf_counter() - self.start)
        self.referee.recv()
        if not turns and torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()
        self.start = time.perf_counter()


@dataclass(frozen=True)
class Finish(Generic[T]):
    """Where a side came to.

    Args:
        seconds: that an iteration took.
        end: what the side returned.
    """

    seconds: float
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
        taken = dict.fromkeys(sides, 0.0)
        _all_told(referees)  # the turn that is not measured, in which some sides compile
        for _ in range(1, course.turns):
            for name, referee in referees.items():
                taken[name] += _all_told({name: referee})[name]
        ends = _all_told(referees)
        return {name: Finish(taken[name] / course.iterations, ends[name]) for name in referees}


def _all_told(referees: Mapping[str, Connection]) -> dict[str, Any]:
    """Give sides their turn at the same time, and hear what comes of it."""
    told = {}
    for name, step in [*((name, "send") for name in referees), *((name, "recv") for name in referees)]:
        try:
            told[name] = referees[name].recv() if step == "recv" else referees[name].send(None)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise RuntimeError(f"{name} ended before its time") from None
    return told


def _run(referee: Connection, course: Course, side: Callable[[Pace], T]) -> None:
    pace = Pace(referee, course)
    end = side(pace)
    if pace.done != course.length:
        raise RuntimeError(f"{pace.done} iterations instead of {course.length}")
    referee.send(end)
