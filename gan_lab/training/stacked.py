"""Runs that differ in their seed alone, trained as one program. Each has its folder and its record, as if alone."""

import logging
from collections.abc import Sequence
from functools import partial
from typing import cast

from torch import Tensor

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.lightning_internals import stand_after
from gan_lab.algorithms.vectorized import StackedGAN
from gan_lab.datasets.stacked_stream import stacked_streams
from gan_lab.runs.request import RunRequest
from gan_lab.runs.stop_signals import Stop
from gan_lab.training.build import Training
from gan_lab.training.run import execute_seated
from gan_lab.training.runtime import library_settings
from gan_lab.training.seat import Common, Seat


def execute_stacked(
    requests: Sequence[RunRequest], handlers: Sequence[Sequence[logging.Handler] | None] | None = None
) -> list[BaseException | None]:
    """Train as requested, as one program; what `gan_lab.training.run.execute` does for one run.

    A run that is refused, diverges or fails is recorded so, and the others go on.

    Args:
        requests: they differ in the seed and the folder alone. Those that go on from different iterations train one
            after another.
        handlers: of the log, for each run.

    Returns:
        What each run ended with; None where it came to its end.

    Raises:
        SystemExit: with 128 + the signal, after one has stopped all runs.
    """
    config = requests[0].config
    common = Common()
    seats = [Seat(common, one) for one in (handlers or [None] * len(requests))]
    with Stop() as stop, library_settings(config.trainer, config.threads, config.matmul_precision):
        stop.waits = True  # until all runs can be told
        for request, seat in zip(requests, seats, strict=True):
            if stop.received is None:
                seat.start(partial(execute_seated, request, seat))
        waiting = [seat for seat in seats if seat.generator is not None and not seat.over]
        for together in _at_one_iteration(waiting):
            if stop.received is None:
                _train(together, common, stop)
        if stop.received is not None:
            for seat in waiting:
                _end(seat, SystemExit(128 + stop.received))
            raise SystemExit(128 + stop.received)
    return [seat.error for seat in seats]


def _at_one_iteration(seats: Sequence[Seat]) -> list[list[Seat]]:
    """The runs in groups that go on from the same iteration: their optimizers have made as many steps."""
    groups: dict[int, list[Seat]] = {}
    for seat in seats:
        groups.setdefault(_training(seat).trainer.global_step, []).append(seat)
    for group in groups.values():
        for seat in group:
            seat.stacked = len(group)
    return list(groups.values())


def _train(seats: Sequence[Seat], common: Common, stop: Stop) -> None:
    """All iterations of runs that wait at their first one."""
    try:
        stack = Stack(seats)
    except Exception as error:
        for seat in seats:
            _end(seat, error)
        return
    common.clock.begin()
    while stack.live and stop.received is None:
        try:
            rows = stack.iterate()
        except Exception as error:
            for seat in stack.live.values():
                _end(seat, error)
            return
        common.clock.divide(len(stack.live))
        stack.follow(rows)
    for seat in stack.live.values():
        _save(seat)


class Stack:
    """The runs of a stack that train on.

    Args:
        seats: of runs that wait at their first iteration.

    Attributes:
        live: the runs that have not ended, by their place in the batch.

    Raises:
        ConfigError: if they cannot be stacked.
    """

    def __init__(self, seats: Sequence[Seat]) -> None:
        trainings = [_training(seat) for seat in seats]
        lead = trainings[0]
        modules = [cast(GAN, one.module) for one in trainings]
        self.live = dict(enumerate(seats))
        self.count = len(seats)
        self.lead = modules[0]
        self.game = StackedGAN(modules, [seat.generator for seat in seats if seat.generator is not None])
        self.iteration = lead.trainer.global_step
        self.precision = lead.trainer.precision_plugin
        turns = self.lead.turns["discriminator"], self.lead.turns["generator"]
        draws = [one.trainer.train_dataloader for one in trainings]
        self.streams = stacked_streams(draws, turns)  # type: ignore[arg-type]  # of gan_lab's data module

    def iterate(self) -> list[dict[str, Tensor]]:
        """One iteration of all runs; returns the curves of each."""
        drawn = [[one.map(self.lead.on_device) for one in stream.draw()] for stream in self.streams]
        with self.precision.train_step_context():
            curves = self.game.advance(*drawn)
        self.iteration += 1
        each = {name: values.unflatten(0, (self.count, -1)).unbind() for name, values in curves.items()}
        return [{name: _as_alone(name, of_all[row]) for name, of_all in each.items()} for row in range(self.count)]

    def follow(self, rows: Sequence[dict[str, Tensor]]) -> None:
        """Let every run do what follows an iteration; one that has reached its end, or fails, leaves."""
        updates = self.game.updates
        for row, seat in list(self.live.items()):
            training = _training(seat)
            for name, count in updates.items():
                training.module.players[name].updates = count
            stand_after(training.trainer, self.iteration)
            with seat.turn():
                error = _followed(training, self.iteration, rows[row])
            if error is not None:
                _end(seat, error)
            elif self.iteration >= training.trainer.max_steps:
                seat.proceed()
            if seat.over:
                del self.live[row]


def _followed(training: Training, iteration: int, curves: dict[str, Tensor]) -> Exception | None:
    """Do what follows an iteration of a run; returns what went wrong."""
    try:
        for callback in training.after_iterations.callbacks:
            callback.after_iteration(training.trainer, training.module, iteration, curves)
    except Exception as error:  # it is raised again where the run waits
        return error
    return None


def _as_alone(name: str, values: Tensor) -> Tensor:
    """A curve of one run in an iteration: logits as ``[B]``, all else as a scalar."""
    return values if name.startswith("logits/") else values[0]


def _training(seat: Seat) -> Training:
    assert seat.training is not None
    return seat.training


def _save(seat: Seat) -> None:
    """Save a run that is told to stop."""
    training = _training(seat)
    with seat.turn():
        try:
            training.checkpoints.do(training.trainer, training.module)
        except Exception as error:
            _end(seat, error)


def _end(seat: Seat, error: BaseException) -> None:
    """End a run by an error, if it has not ended."""
    if not seat.over:
        seat.proceed(error)
