"""Metrics of the generator during training: a curve each, and the best value beside the final one."""

import logging
from typing import Any

import pytorch_lightning as pl

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.logger import Curves
from gan_lab.callbacks.periodic import Periodic
from gan_lab.metric_names import higher_is_better
from gan_lab.metrics import Evaluator

log = logging.getLogger(__name__)


class Evaluation(Periodic):
    """Evaluates the generator every few iterations and after the last.

    Args:
        evaluator: computes the metrics and the signals of collapse.
        every: iterations between evaluations.
        curves: receives the points ``metric/<name>`` and ``signal/<name>``.
        stopwatch: stopped during an evaluation.

    Attributes:
        final: the metrics of the last evaluation.
        signals: the signals of collapse of the last evaluation.
        best: for each metric its best value so far and the iteration of it.
    """

    def __init__(self, evaluator: Evaluator, every: int, curves: Curves, stopwatch: Stopwatch) -> None:
        super().__init__(every, curves, stopwatch)
        self.evaluator = evaluator
        self.final: dict[str, float] = {}
        self.signals: dict[str, float] = {}
        self.best: dict[str, dict[str, Any]] = {}

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        self.final, self.signals = self.evaluator.evaluate(module.sampler, module.inference)
        for name, value in self.final.items():
            if name not in self.best or better(name, value, self.best[name]["value"]):
                self.best[name] = {"value": value, "iteration": iteration}
        points = {f"metric/{name}": value for name, value in self.final.items()}
        self.curves.write(iteration, points | {f"signal/{name}": value for name, value in self.signals.items()})

    def state_dict(self) -> dict[str, Any]:
        return {
            "final": self.final,
            "signals": self.signals,
            "best": self.best,
            "fingerprint": self.evaluator.fingerprint,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint, with a warning if values before and after it cannot be compared.

        A resumed run has the configuration it began with, so a changed fingerprint means changed code or libraries. The
        best values so far are then dropped, as later values cannot be compared with them.
        """
        self.final, self.signals, self.best = state["final"], state["signals"], state["best"]
        for key, now in self.evaluator.fingerprint.items():
            if (was := state["fingerprint"].get(key)) != now:
                log.warning(
                    "gan-lab: warning: evaluation: %s was %s and is %s: the metrics so far were measured by another "
                    "measure than those to come",
                    key,
                    was,
                    now,
                )
                self.best = {}


def better(name: str, value: float, than: float, by: float = 0.0) -> bool:
    """Whether a value of a metric is better than another, by more than so much."""
    return value > than + by if higher_is_better(name) else value < than - by
