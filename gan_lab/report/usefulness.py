"""Classification accuracy scores of several runs: their means, and their differences within runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.statistics import mean

_GAINS = ("fake", "real_and_fake")  # tested on the same held-out images as real


def over_runs(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of each score over runs with its 95 % interval, and of its difference to ``real`` in the same run.

    Args:
        found: for each run a mapping with ``cas``, scores by name.

    Returns:
        ``runs``, their number; ``cas`` and ``minus_real``, by name ``mean`` and ``interval``, which is null of fewer
        than 3 runs.
    """
    scores = {name: [float(one["cas"][name]) for one in found] for name in found[0]["cas"]}
    real = scores["real"]
    gains = {name: [one - other for one, other in zip(scores[name], real, strict=True)] for name in _GAINS}
    return {"runs": len(found), "cas": _means(scores, 0, 1), "minus_real": _means(gains, -1, 1)}


def _means(values: Mapping[str, Sequence[float]], least: float, most: float) -> dict[str, dict[str, Any]]:
    """The means and their intervals, which end where the values must."""
    made = {}
    for name, several in values.items():
        found = mean(several)
        ends = found.interval and tuple(min(max(end, least), most) for end in found.interval)
        made[name] = {"mean": found.value, "interval": ends}
    return made
