"""What metrics say of a generator as its samples are truncated: fidelity against variety."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import nn

from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metric_names import in_order, title
from gan_lab.models.conditions import takes_labels
from gan_lab.runs.checkpoints import load_generator, load_player
from gan_lab.runs.components import build_dataset
from gan_lab.runs.evaluate import overridden
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.measuring import build_evaluator, judged
from gan_lab.runs.truncation import check_truncation, with_truncation
from gan_lab.storage.files import replacing

PICTURE = "truncation.png"
"""Its name among a run's pictures."""
_MOST = 6  # panels


def truncation_curve(
    run: RunFolder,
    weights: str,
    overrides: list[str],
    truncations: Sequence[float],
    allowed_targets: Sequence[str] = (),
) -> dict[str, Any]:
    """The metrics of a run's last checkpoint with each truncation, and their picture in the run's ``samples/``.

    Nothing is added to result.json: a run's own values are without truncation.

    Args:
        run: the run.
        weights: as of `load_generator`.
        overrides: of ``evaluation``, in Hydra's form.
        truncations: each as of `check_truncation`, in increasing order.
        allowed_targets: packages that the run's configuration may name (`gan_lab.config.targets`).

    Returns:
        ``run``, ``fingerprint``, ``truncations`` (each with ``truncation`` and ``metrics``), ``metrics`` without
        truncation, ``floor`` and ``picture``.

    Raises:
        ConfigError: if the run cannot be measured so.
    """
    generator = load_generator(run, weights, allowed_targets)
    config = run.configuration.read(allowed_targets)
    values = _checked(config, generator, truncations)  # before what takes long
    config.evaluation = overridden(config.evaluation, overrides)
    evaluator = build_evaluator(config, judged(config, build_dataset(config, download=False), generator))
    classes = evaluator.request.labels if takes_labels(generator) else None
    encoder = load_player(run, "encoder", allowed_targets, weights) if evaluator.reconstructs else None
    try:
        truncated = (with_truncation(run, config, generator, value, classes) for value in values)
        measured = [evaluator.evaluate(one, encoder).metrics for one in truncated]
        whole = evaluator.evaluate(generator, encoder).metrics
    except NotFinite as error:
        raise ConfigError(f"{run.path}: at iteration {run.status()['iteration']}, {error}") from error
    picture = run.samples / PICTURE
    with replacing(picture) as file:
        _drawn(values, measured, whole, evaluator.floor).savefig(file, format="png", dpi=120)
    pairs = zip(values, measured, strict=True)
    return {
        "run": str(run.path),
        "fingerprint": evaluator.fingerprint,
        "truncations": [{"truncation": value, "metrics": metrics} for value, metrics in pairs],
        "metrics": whole,
        "floor": evaluator.floor,
        "picture": str(picture),
    }


def _checked(config: DictConfig, generator: nn.Module, truncations: Sequence[float]) -> list[float]:
    values = list(truncations)
    if not values or values != sorted(set(values)):
        raise ConfigError(f"truncations={values}: expected numbers in increasing order, such as [0.5,0.7,1]")
    for value in values:
        check_truncation(config, generator, value)
    return values


def _drawn(
    values: Sequence[float],
    measured: Sequence[Mapping[str, float]],
    whole: Mapping[str, float],
    floor: Mapping[str, float],
) -> Figure:
    """A panel for each metric, those that tell most first: its value along the truncation, without it, the floor."""
    names = in_order(whole)[:_MOST]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
    for number, name in enumerate(names, 1):
        panel = figure.add_subplot(rows, columns, number)
        panel.plot(values, [metrics[name] for metrics in measured], "o-", color="#0072b2", label="truncated")
        panel.axhline(whole[name], color="#0072b2", ls="--", lw=1, label="not truncated")
        if name in floor:
            panel.axhline(floor[name], color="#69727d", ls=":", lw=1, label="real data")
        panel.set_title(title(name), fontsize=9)
        panel.set_xlabel("truncation", fontsize=8)
        panel.tick_params(labelsize=8)
        if number == 1:
            panel.legend(fontsize=7)
    return figure
