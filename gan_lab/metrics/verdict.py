"""The verdict on a finished training, from its curves: healthy, or one of the known ways to fail."""

import statistics
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

Curve = Mapping[int, float]
"""Values by iteration, in order."""


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of the failure rules; ``evaluation.verdict`` in the configuration.

    Args:
        weight_growth: diverged: a network's weight norm is above this multiple of its first, or of 1 if that is more.
        still: frozen: the relative change of a network's weight norm over the second half is at most this.
        accuracy: the discriminator has won: it rates at least this share of real samples above fake ones, and
            the samples are not ``realistic``.
        realistic: not realistic: at most this share of the generated samples lies among the real ones. With a lower
            accuracy, such a training has not converged.
        diversity: collapsed: the diversity of generated samples, or with labels that within a class, is below this
            multiple of real samples' diversity.
        duplicates: collapsed: more than this share of generated samples has a near twin.
        modes: collapsed: less than this share of the modes or classes is reached.
        coverage: far from real: coverage is below this multiple of real data's.
    """

    weight_growth: float = 100.0
    still: float = 1e-6
    accuracy: float = 0.99
    realistic: float = 0.05
    diversity: float = 0.3
    duplicates: float = 0.5
    modes: float = 0.5
    coverage: float = 0.1


def verdict(
    curves: Mapping[str, Curve], floor: Mapping[str, float], thresholds: Thresholds, fooled: Collection[str] = ()
) -> dict[str, str]:
    """The first failure rule that applies, the most serious rules first.

    Args:
        curves: by name, as in metrics.csv.
        floor: the metrics of real data, which reaches all modes and classes.
        thresholds: the thresholds of the rules.
        fooled: kinds of metrics and signals that cannot be trusted. They err only upwards: rules on them may fire, but
            a training is not called healthy because they do not.

    Returns:
        ``verdict``: ``diverged``, ``generator_frozen``, ``discriminator_frozen``, ``encoder_frozen``, ``collapsed``,
        ``discriminator_won``, ``unconverged``, ``far_from_real``, ``healthy`` or ``not judged``; ``rule``: the finding
        behind it, in words.
    """
    for name, rule in _findings(curves, floor, thresholds):
        return {"verdict": name, "rule": rule}
    if blind := [kind for kind in ("realistic", "coverage") if kind in fooled]:
        return {"verdict": "not judged", "rule": f"no rule fired, but {' and '.join(blind)} cannot be trusted here"}
    return {"verdict": "healthy", "rule": "no rule fired"}


def _findings(curves: Mapping[str, Curve], floor: Mapping[str, float], t: Thresholds) -> Iterator[tuple[str, str]]:
    """Each failure rule that applies: its verdict and its finding."""
    players = [name for name in ("generator", "discriminator", "encoder") if f"weight_norm/{name}" in curves]
    for player in players:
        norms = list(curves[f"weight_norm/{player}"].values())
        if (growth := norms[-1] / max(norms[0], 1.0)) > t.weight_growth:
            first = "its first" if norms[0] > 1 else "1"
            rule = f"the {player}'s weight norm is {growth:.3g} times {first}, above {t.weight_growth:g} times"
            yield "diverged", rule
    for player in players:
        norms = list(curves[f"weight_norm/{player}"].values())
        late = norms[(len(norms) - 1) // 2 :]
        if max(late) - min(late) <= t.still * max(late):
            rule = f"the {player}'s weight norm stayed the same to {t.still:g} of itself over the second half"
            yield f"{player}_frozen", rule
    diversity, duplicates, realistic = (
        _last(curves[f"signal/{name}"]) for name in ("diversity", "duplicates", "realistic")
    )
    if diversity < t.diversity:
        yield "collapsed", f"the samples' diversity is {diversity:.3g} of real data's, below {t.diversity:g}"
    if "signal/class_diversity" in curves and (within := _last(curves["signal/class_diversity"])) < t.diversity:
        yield "collapsed", f"the diversity within a class is {within:.3g} of real data's, below {t.diversity:g}"
    if duplicates > t.duplicates:
        yield "collapsed", f"{duplicates:.0%} of the samples have a twin, above {t.duplicates:.0%}"
    accuracies = list(curves["accuracy/discriminator"].values())
    accuracy = statistics.fmean(accuracies[-max(1, len(accuracies) // 4) :])  # over the last quarter
    if accuracy >= t.accuracy and realistic <= t.realistic:
        yield (
            "discriminator_won",
            f"the discriminator rates {accuracy:.1%} of real samples above fake ones (at least {t.accuracy:.0%}), and "
            f"{realistic:.1%} of the samples lie among real ones (at most {t.realistic:.0%})",
        )
    if realistic <= t.realistic:  # before modes are counted: only samples that are realistic reach any
        yield (
            "unconverged",
            f"the samples differ, and {realistic:.1%} of them lie among real ones (at most {t.realistic:.0%})",
        )
    for name in ("modes", "classes"):
        if f"metric/{name}" in curves and (reached := _last(curves[f"metric/{name}"])) < t.modes * floor[name]:
            yield "collapsed", f"{reached:g} {name} of {floor[name]:g} reached, below {t.modes:g} of them"
    for name in [tag for tag in curves if tag.startswith("metric/coverage_")]:
        real = floor[name.removeprefix("metric/")]
        if (covered := _last(curves[name])) < t.coverage * real:
            yield "far_from_real", f"coverage is {covered:.3g}, below {t.coverage:g} of real data's {real:.3g}"


def _last(curve: Curve) -> float:
    return list(curve.values())[-1]
