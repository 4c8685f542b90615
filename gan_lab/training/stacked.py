"""Runs that differ in their seed alone, trained as one program. Each has its folder and its record, as if alone."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.lightning_internals import stand_after
from gan_lab.algorithms.vectorized import StackedGAN
from gan_lab.callbacks.stacked_curves import StackedCurves
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
            _training(seat).folder.update_status(stacked=len(group))  # of which its seconds tell from now on
    return list(groups.values())


def _train(seats: Sequence[Seat], common: Common, stop: Stop) -> None:
    """All iterations of runs that wait at their first one."""
    try:
        stack = Stack(seats)
    except Exception as error:
        for seat in seats:
            _end(seat, error)
        return
    if stack.game.compiled is not None:
        stack.game.compiled.around = common.clock.stopped
    common.clock.begin()
    while stack.live and stop.received is None:
        try:
            stack.iterate()
        except Exception as error:
            for seat in stack.live.values():
                _end(seat, error)
            return
        common.clock.divide(len(stack.live))
        stack.follow()
    stack.save()


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
        self.lead = modules[0]
        self.game = StackedGAN(modules, [seat.generator for seat in seats if seat.generator is not None])
        self.iteration = lead.trainer.global_step
        self.curves = StackedCurves(self.game, self.live)
        for row, one in enumerate(trainings):
            one.curves.source = partial(self.curves.rows, row)
        self.precision = lead.trainer.precision_plugin
        turns = self.lead.turns["discriminator"], self.lead.turns["generator"]
        draws = [one.trainer.train_dataloader for one in trainings]
        self.streams = stacked_streams(draws, turns)  # type: ignore[arg-type]  # of gan_lab's data module

    def iterate(self) -> None:
        """One iteration of all runs."""
        drawn = [[one.map(self.lead.on_device) for one in stream.draw()] for stream in self.streams]
        with self.precision.train_step_context():
            self.curves.keep(self.game.advance(*drawn))
        self.iteration += 1

    def follow(self) -> None:
        """Let every run do what follows the iteration, if any does; one that has come to its end, or fails, leaves."""
        if not self._due():
            return
        for row, seat in list(self.live.items()):
            training = self._brought_up(seat)
            _do(seat, partial(training.after_iterations.call, training.trainer, training.module, self.iteration, {}))
            if not seat.over and self.iteration >= training.trainer.max_steps:
                seat.proceed()
            if seat.over:
                del self.live[row]

    def save(self) -> None:
        """Save every run where it stands."""
        for seat in self.live.values():
            training = self._brought_up(seat)
            _do(seat, partial(training.checkpoints.do, training.trainer, training.module))

    def _brought_up(self, seat: Seat) -> Training:
        """The parts of a run, with the counts of the iterations made."""
        training = _training(seat)
        for name, count in self.game.updates.items():
            training.module.players[name].updates = count
        stand_after(training.trainer, self.iteration)
        return training

    def _due(self) -> bool:
        """Whether a callback of any run has something to do; all work after the same iterations, but for the clock."""
        trainings = [_training(seat) for seat in self.live.values()]
        lead = trainings[0]
        if self.iteration >= lead.trainer.max_steps or not all(
            one.idle(self.iteration) for one in lead.after_iterations.callbacks
        ):
            return True
        return lead.config.budget.seconds is not None and not all(
            one.deadline.idle(self.iteration) for one in trainings
        )


def _do(seat: Seat, work: Callable[[], None]) -> None:
    """Do something for a run; what goes wrong ends the run."""
    try:
        with seat.turn():
            work()
    except Exception as error:  # it is raised again where the run waits
        _end(seat, error)


def _training(seat: Seat) -> Training:
    assert seat.training is not None
    return seat.training


def _end(seat: Seat, error: BaseException) -> None:
    """End a run by an error, if it has not ended."""
    if not seat.over:
        seat.proceed(error)
