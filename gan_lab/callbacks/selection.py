"""What is selected on validation samples: the best weights, and the end of a training that gets no better."""

from typing import Any

import pytorch_lightning as pl

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.lightning_internals import end_after_this_iteration
from gan_lab.callbacks.evaluation import Evaluation, better
from gan_lab.callbacks.periodic import Periodic
from gan_lab.errors import ConfigError, closest
from gan_lab.metrics import Evaluator
from gan_lab.runs.folder import RunFolder


class Selection(Periodic):
    """Measures validation samples whenever the held-out ones are measured: the curves ``validation/<name>``.

    It keeps the weights with the best value of one metric in ``checkpoints/best.ckpt``, a checkpoint like any other.
    It ends training once another metric, or the same, has not improved for several evaluations. It comes after the
    evaluation, and before what saves the last iteration.

    Args:
        folder: the run's folder.
        evaluator: of the validation samples.
        evaluation: of the held-out samples, whose values at the best iteration are reported.
        best: the metric of the best weights; None to keep none.
        stop: the metric that ends training; None to train to the end.
        patience: evaluations without an improvement after which training ends.
        minimum_change: smallest change that counts as an improvement.

    Attributes:
        final: the metrics of the last evaluation.
        selected: iteration, validation value and held-out metrics of the best weights; empty if there are none.
        stopped: iteration at which training ended early, and the best iteration and value; empty if it did not.

    Raises:
        ConfigError: for a metric that is not measured.
    """

    def __init__(
        self,
        folder: RunFolder,
        evaluator: Evaluator,
        evaluation: Evaluation,
        best: str | None,
        stop: str | None,
        patience: int,
        minimum_change: float,
    ) -> None:
        super().__init__(evaluation.every, evaluation.curves, evaluation.stopwatch)
        for key, metric in (("checkpoint.best", best), ("stop_early.metric", stop)):
            if metric is not None and metric not in evaluator.floor:
                raise ConfigError(f"{key}={metric}: it is not measured; {closest(metric, list(evaluator.floor))}")
        self.folder = folder
        self.evaluator = evaluator
        self.evaluation = evaluation
        self.best = best
        self.stop = stop
        self.patience = patience
        self.minimum_change = minimum_change
        self.final: dict[str, float] = {}
        self.selected: dict[str, Any] = {}
        self.stopped: dict[str, Any] = {}
        self._record: dict[str, Any] = {}  # the best value of the metric that ends training, and its iteration
        self._waited = 0  # evaluations since

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Train no further in a run that had stopped early when its last checkpoint was saved."""
        if self.stopped:
            end_after_this_iteration(trainer)

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        self.final, _ = self.evaluator.evaluate(module.sampler, module.inference)
        self.curves.write(iteration, {f"validation/{name}": value for name, value in self.final.items()})
        self._look_at_the_end(trainer, iteration)
        self._keep_the_best(trainer, iteration)

    def _look_at_the_end(self, trainer: pl.Trainer, iteration: int) -> None:
        if self.stop is None:
            return
        value = self.final[self.stop]
        if not self._record or better(self.stop, value, self._record["value"], self.minimum_change):
            self._record, self._waited = {"value": value, "iteration": iteration}, 0
            return
        self._waited += 1
        if self._waited >= self.patience and iteration < trainer.max_steps:
            self.stopped = {"metric": self.stop, "iteration": iteration, "best": self._record}
            end_after_this_iteration(trainer)
            self.curves.finish(trainer)

    def _keep_the_best(self, trainer: pl.Trainer, iteration: int) -> None:
        if self.best is None:
            return
        value = self.final[self.best]
        if self.selected and not better(self.best, value, self.selected["value"]):
            return
        self.selected = {
            "metric": self.best,
            "iteration": iteration,
            "value": value,
            "metrics": self.evaluation.final,
        }
        self.curves.sync()
        trainer.save_checkpoint(self.folder.best_checkpoint(iteration))  # called by all processes, written by the first
        if trainer.is_global_zero:
            self.folder.point_best_checkpoint(iteration)

    def state_dict(self) -> dict[str, Any]:
        return {
            "final": self.final,
            "selected": self.selected,
            "stopped": self.stopped,
            "record": self._record,
            "waited": self._waited,
            "fingerprint": self.evaluator.fingerprint,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; what was best by another measure is dropped, of which the evaluation warns."""
        self.final, self.selected, self.stopped = state["final"], state["selected"], state["stopped"]
        self._record, self._waited = state["record"], state["waited"]
        now = self.evaluator.fingerprint
        if state.get("fingerprint", now) != now:  # checkpoints of earlier versions have none
            self.selected, self._record, self._waited = {}, {}, 0
