"""Everything that gan_lab uses of Lightning beyond its documented interface.

A new version of Lightning may change any of it without notice. Each part is therefore used through a name of this file,
and has a test in ``tests/algorithms/test_lightning_internals.py`` that fails if Lightning changes.
"""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch.amp import GradScaler

SKIPPED_HOOK: Any = None
"""As the value of a hook's name in a module or callback: Lightning does not call the hook.

Leans on: Lightning calls a hook only if it is callable. Otherwise it opens a profiler's context for every hook of every
callback, even of those that do nothing, which costs a tenth of the time of an iteration of small networks.
"""


def count_iteration(trainer: pl.Trainer) -> None:
    """Count one iteration as one step: ``trainer.global_step`` rises by 1, and ``trainer.max_steps`` follows it.

    Leans on: with manual optimization, ``global_step`` is the number of completed steps in the progress of the
    manual-optimization loop, which Lightning's own optimizer wrappers raise. gan_lab steps its optimizers without those
    wrappers: they count every optimizer step, n_critic + n_generator an iteration, and take longer than the step of a
    small network.
    """
    progress = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    progress.increment_ready()
    progress.increment_completed()


def make_bare_iterations(trainer: pl.Trainer, follow: Callable[[Any], None]) -> None:
    """Let an iteration of the trainer be the module's training step and one call after it, and nothing else.

    Lightning's own looks for hooks, profilers, logged values, validation and schedules, which takes a fifth of the time
    of an iteration of small networks. Leans on: the epoch loop makes an iteration by its methods ``advance``
    and ``on_advance_end``; from the counts below it reads ``global_step``, the end of training and its state in
    checkpoints; the training step runs in the precision plugin's context.

    Args:
        trainer: of one process, without a profiler and without callbacks that act on batches or log values.
        follow: called after each training step, with what it returned.
    """
    loop: Any = trainer.fit_loop.epoch_loop

    def advance(fetcher: Any) -> None:
        batches, iterator = loop.batch_progress, next(fetcher)
        batches.is_last_batch = fetcher.done
        batches.increment_ready()
        batches.increment_started()
        with trainer.precision_plugin.train_step_context():
            returned = trainer.lightning_module.training_step(iterator)
        batches.increment_processed()
        batches.is_last_batch = fetcher.done
        follow(returned)
        batches.increment_completed()

    def on_advance_end(fetcher: Any) -> None:
        loop._batches_that_stepped += 1

    loop.advance, loop.on_advance_end = advance, on_advance_end


def stand_after(trainer: pl.Trainer, iteration: int) -> None:
    """Make the trainer's counts those after so many iterations, as they are in the last hook of an iteration.

    For a trainer whose iterations something else makes. Leans on: the progress of the manual-optimization loop and of
    batches, and the count of steps in the epoch loop, from which ``global_step`` and checkpoints are read.
    """
    loop = trainer.fit_loop.epoch_loop
    steps, batches = loop.manual_optimization.optim_step_progress, loop.batch_progress
    of_batches: Any
    for one in (steps.total, steps.current):
        one.ready = one.completed = iteration
    for of_batches in (batches.total, batches.current):
        of_batches.ready = of_batches.started = of_batches.processed = iteration
        of_batches.completed = iteration - 1
    loop._batches_that_stepped = iteration - 1


def end_after_this_iteration(trainer: pl.Trainer) -> None:
    """Make the iterations done so far all there are: ``trainer.max_steps`` becomes ``trainer.global_step``.

    Leans on: ``trainer.max_steps`` reads this attribute of the epoch loop, which compares it with ``global_step`` after
    every step. ``trainer.should_stop``, the documented way, ends training too, but leaves ``max_steps`` as it was, by
    which callbacks know the last iteration.
    """
    trainer.fit_loop.epoch_loop.max_steps = trainer.global_step


def batches_done(trainer: pl.Trainer) -> int:
    """The step at which Lightning and its callbacks log: the number of iterations done before the one under way.

    Leans on: the epoch loop counts it in this attribute, after the last hook of an iteration.
    """
    return trainer.fit_loop.epoch_loop._batches_that_stepped


def grad_scaler(trainer: pl.Trainer) -> GradScaler | None:
    """The scaler of losses that ``precision=16-mixed`` uses; None for every other precision.

    Leans on: the precision plugin for mixed precision keeps it as ``scaler``; the other plugins lack the attribute.
    """
    return getattr(trainer.precision_plugin, "scaler", None)
