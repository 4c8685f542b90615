"""What became of a training, judged by its curves: healthy, or which of the known ways to fail."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

Curve = Mapping[int, float]
"""A value by iteration, in order."""


@dataclass(frozen=True)
class Thresholds:
    """From where on a sign is a verdict; ``evaluation.verdict`` in the configuration.

    Args:
        weight_growth: a network's weight norm, times its first, from which on training has diverged.
        still: largest relative change of a network's weight norm over the second half that is no change.
        accuracy: share of real samples the discriminator rates above the fake ones, from which on it has won, if
        realistic: no larger share of the generated samples lies among the real ones.
        diversity: of generated samples, as a multiple of the real ones', below which they have collapsed.
        duplicates: share of generated samples with a twin, above which they have collapsed.
        modes: share of modes or classes reached, below which they have collapsed.
    """

    weight_growth: float = 100.0
    still: float = 1e-6
    accuracy: float = 0.99
    realistic: float = 0.05
    diversity: float = 0.3
    duplicates: float = 0.5
    modes: float = 0.5


def verdict(curves: Mapping[str, Curve], floor: Mapping[str, float], thresholds: Thresholds) -> dict[str, str]:
    """The first rule that fires, the gravest first.

    Args:
        curves: by name, as metrics.csv holds them.
        floor: what real data scores: it reaches all modes and classes there are.
        thresholds: see there.

    Returns:
        ``verdict``: ``diverged``, ``generator_frozen``, ``discriminator_frozen``, ``collapsed``, ``discriminator_won``
        or ``healthy``; ``rule``: the finding behind it, in words.
    """
    t = thresholds
    for player in ("generator", "discriminator"):
        norms = list(curves[f"weight_norm/{player}"].values())
        if (growth := norms[-1] / max(norms[0], 1.0)) > t.weight_growth:
            rule = f"the {player}'s weights have {growth:.3g} times their first norm, above {t.weight_growth:g}"
            return {"verdict": "diverged", "rule": rule}
    for player in ("generator", "discriminator"):
        late = list(curves[f"weight_norm/{player}"].values())
        late = late[len(late) // 2 - 1 :]
        if max(late) - min(late) <= t.still * max(late):
            rule = f"the {player}'s weight norm stayed the same to {t.still:g} of itself over the second half"
            return {"verdict": f"{player}_frozen", "rule": rule}
    diversity, duplicates, realistic = (
        list(curves[f"signal/{name}"].values())[-1] for name in ("diversity", "duplicates", "realistic")
    )
    if diversity < t.diversity:
        rule = f"the samples' diversity is {diversity:.3g} of real data's, below {t.diversity:g}"
        return {"verdict": "collapsed", "rule": rule}
    if duplicates > t.duplicates:
        return {
            "verdict": "collapsed",
            "rule": f"{duplicates:.0%} of the samples have a twin, above {t.duplicates:.0%}",
        }
    accuracies = list(curves["accuracy/discriminator"].values())
    accuracy = statistics.fmean(accuracies[-max(1, len(accuracies) // 4) :])
    if accuracy >= t.accuracy and realistic <= t.realistic:
        rule = (
            f"the discriminator rates {accuracy:.1%} of real samples above fake ones (at least {t.accuracy:.0%}), and "
            f"{realistic:.1%} of the samples lie among real ones (at most {t.realistic:.0%})"
        )
        return {"verdict": "discriminator_won", "rule": rule}
    for name in ("modes", "classes"):
        if f"metric/{name}" in curves:
            reached = list(curves[f"metric/{name}"].values())[-1]
            if reached < t.modes * floor[name]:
                rule = f"{reached:g} {name} of {floor[name]:g} reached, below {t.modes:g} of them"
                return {"verdict": "collapsed", "rule": rule}
    return {"verdict": "healthy", "rule": "no rule fired"}
