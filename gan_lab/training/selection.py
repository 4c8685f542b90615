"""What selects by validation samples, from a run's configuration."""

import logging

from gan_lab.callbacks import Evaluation, Selection
from gan_lab.datasets import Dataset
from gan_lab.runs.measuring import build_evaluator
from gan_lab.runs.request import RunRequest

log = logging.getLogger(__name__)

_EQUAL = ("matched", "equal_compute")  # protocols that promise equal budgets


def build_selection(request: RunRequest, dataset: Dataset, evaluation: Evaluation) -> Selection | None:
    """What keeps the best weights and ends a training early; None if nothing is selected.

    Args:
        request: what is asked for.
        dataset: has validation samples if anything is selected.
        evaluation: of the held-out samples.
    """
    if dataset.validation is None:
        return None
    config, protocol = request.config, request.names["protocol"]
    stop = config.stop_early
    if stop.metric is not None and protocol in _EQUAL:
        log.warning(
            "gan-lab: warning: stop_early.metric=%s: with protocol=%s runs are to have equal budgets, and such that "
            "stop early have less",
            stop.metric,
            protocol,
        )
    return Selection(
        request.folder,
        build_evaluator(config, dataset.to_select_by(), "validation"),  # with latents of its own
        evaluation,
        config.checkpoint.best,
        stop.metric,
        stop.patience,
        stop.minimum_change,
    )
