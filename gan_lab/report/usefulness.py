"""Classification accuracy scores of several runs: their means, and their differences within runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lab.report.cells import Cell
from gan_lab.report.formatting import interval, number
from gan_lab.report.leaderboard import Board, Row
from gan_lab.report.run import Scores
from gan_lab.report.statistics import Estimate, mean
from gan_lab.validation import is_number, is_whole

SCORES = ("real", "fake", "real_and_fake", "tested_on_fake")
_GAINS = ("fake", "real_and_fake")  # tested on the same held-out images as real
TITLES = ("real", "generated (CAS)", "both", "GAN-test", "generated − real", "both − real", "runs")
"""Of the columns of `Useful`: what a classifier learned from, or is tested on."""
_COUNTS = ("steps", "training_samples", "generated_samples", "held_out_samples")
_WEIGHTS = ("generator", "ema", "best")


@dataclass(frozen=True)
class Useful:
    """What samples of the groups of a board teach a classifier, in words."""

    settings: dict[str, Any]
    """How the scores were measured."""
    rows: list[tuple[Row, list[Cell]]]
    """Each group with the means of `SCORES`, of what training on generated samples and on both gains, and its runs."""


def over_runs(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of each score over runs with its 95 % interval, and of its difference to ``real`` in the same run.

    Args:
        found: for each run a mapping with ``cas``, scores by name.

    Returns:
        ``runs``, their number; ``cas`` and ``minus_real``, by name ``mean`` and ``interval``, which is null of fewer
        than 3 runs.
    """
    scores, gains = _scores_and_gains([one["cas"] for one in found])
    return {"runs": len(found), "cas": _as_records(scores), "minus_real": _as_records(gains)}


def scores_in(recorded: Any) -> list[Scores]:
    """The scores in ``usefulness`` of a result.json; entries that are not gan-lab's are left out."""
    entries = [one for one in recorded if isinstance(one, dict)] if isinstance(recorded, list) else []
    return [
        Scores({name: float(cas[name]) for name in SCORES}, tuple((key, one[key]) for key in (*_COUNTS, "weights")))
        for one in entries
        if isinstance(cas := one.get("cas"), dict)
        and all(is_number(cas.get(name)) and 0 <= cas[name] <= 1 for name in SCORES)
        and all(is_whole(one.get(key)) for key in _COUNTS)
        and one.get("weights") in _WEIGHTS
    ]


def useful(board: Board) -> Useful | None:
    """The scores of the groups whose runs were measured, with the settings of most runs; None if none was."""
    of_run = {run.name: run.outcome.usefulness for row in board.rows for run in row.finished}
    counts = Counter(one.settings for scores in of_run.values() for one in scores)
    if board.again or not counts:
        return None
    ((settings, _),) = counts.most_common(1)
    rows = []
    for row in board.rows:
        found = [one.values for run in row.finished for one in of_run[run.name] if one.settings == settings]
        if found:
            scores, gains = _scores_and_gains(found)
            cells = [Cell(number(one.value), interval(one.interval)) for one in (*scores.values(), *gains.values())]
            rows.append((row, [*cells, Cell(str(len(found)))]))
    return Useful(dict(settings), rows)


def _scores_and_gains(found: Sequence[Mapping[str, float]]) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """The means of scores over runs, and of their differences to ``real``; intervals end where the values must."""
    scores = {name: [float(one[name]) for one in found] for name in SCORES}
    gains = {name: [one - other for one, other in zip(scores[name], scores["real"], strict=True)] for name in _GAINS}
    return (
        {name: _within(mean(values), 0) for name, values in scores.items()},
        {name: _within(mean(values), -1) for name, values in gains.items()},
    )


def _within(found: Estimate, least: float) -> Estimate:
    if found.interval is None:
        return found
    low, high = found.interval
    return Estimate(found.value, (min(max(low, least), 1.0), min(max(high, least), 1.0)))


def _as_records(means: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: {"mean": one.value, "interval": one.interval} for name, one in means.items()}
