"""How much the metrics of a run move with other latents: the sampling error of what its evaluation measures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_lab.errors import ConfigError, NotFinite, shown
from gan_lab.runs.checkpoints import load_generator, load_player
from gan_lab.runs.components import build_dataset, keeps_average
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import fixed_request
from gan_lab.runs.measuring import build_evaluator, judged
from gan_lab.runs.recording import record
from gan_lab.validation import is_number


def sampling_error(run: RunFolder, weights: str, draws: int, allowed_targets: Sequence[str] = ()) -> dict[str, Any]:
    """The standard deviation of each metric over sets of latents; it is put into a finished run's result.json.

    The real samples, the labels and the sources stay the same. What other seeds add to it is the training.

    Args:
        run: the run, measured as in training.
        weights: ``generator``, ``ema``, or ``auto``, the average if the run kept one.
        draws: the number of sets, at least 2, each of as many latents as the evaluation has.
        allowed_targets: packages that the run's configuration may name (`gan_lab.config.targets`).

    Returns:
        ``run``, ``fingerprint``, ``draws`` and ``std``, by metric.

    Raises:
        ConfigError: if there are too few draws, the run has no checkpoint, or a sample is not finite.
    """
    if draws < 2:
        raise ConfigError(f"draws={draws}: expected at least 2 sets of latents, such as 10")
    if weights == "best":
        raise ConfigError("weights=best: with draws= expected generator, ema or auto")
    generator = load_generator(run, weights, allowed_targets)
    config = run.configuration.read(allowed_targets)
    evaluator = build_evaluator(config, judged(config, build_dataset(config, download=False), generator))
    if evaluator.back is not None:
        raise ConfigError(f"draws={draws}: {shown(run.path)} translates both ways and takes no latents; expected none")
    encoder = load_player(run, "encoder", allowed_targets) if evaluator.reconstructs else None
    own, found = evaluator.request, []
    for draw in range(draws):
        other = fixed_request(config, f"evaluation/{draw}", len(own))
        evaluator.request = type(own)(other.latents, own.labels, own.source)
        try:
            found.append(evaluator.evaluate(generator, encoder).metrics)
        except NotFinite as error:
            raise ConfigError(f"{run.path}: at iteration {run.status()['iteration']}, {error}") from error
    averaged = {"ema": keeps_average(config) and weights != "generator"}
    several = {name: [metrics[name] for metrics in found] for name in found[0]}
    measured = {
        "fingerprint": evaluator.fingerprint | averaged,
        "draws": draws,
        "std": {name: float(np.std(values, ddof=1)) for name, values in several.items() if all(map(is_number, values))},
    }
    record(run, run.add_sampling_error, measured)
    return {"run": str(run.path), **measured}
