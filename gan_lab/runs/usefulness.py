"""What the samples of a run with labels are worth to a classifier."""

from collections.abc import Sequence
from typing import Any

from gan_lab.datasets.batch import one_per_sample
from gan_lab.errors import ConfigError
from gan_lab.metrics.evaluator import generate
from gan_lab.metrics.usefulness import Labelled, usefulness
from gan_lab.models.conditions import takes_labels, takes_source
from gan_lab.runs.checkpoints import load_generator
from gan_lab.runs.components import build_dataset, keeps_average
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import fixed_request
from gan_lab.runs.measuring import judged
from gan_lab.runs.recording import record

_SMALLEST = 4  # pixels a side that the classifier takes


def usefulness_of(run: RunFolder, weights: str, steps: int, allowed_targets: Sequence[str] = ()) -> dict[str, Any]:
    """The classification accuracy scores of a run's last checkpoint, which a finished run's result.json gets.

    There are as many generated as training samples, and of the same classes. The seed of the classifiers is the run's,
    so that runs of several seeds tell how much the scores vary.

    Args:
        run: the run.
        weights: as of `load_generator`.
        steps: training steps of each classifier.
        allowed_targets: packages that the run's configuration may name (`gan_lab.config.targets`).

    Returns:
        ``run``, ``cas`` (the fields of `Usefulness`), and what they depend on.

    Raises:
        ConfigError: if the run's generator takes no labels, or translates, or its samples are no images.
    """
    generator = load_generator(run, weights, allowed_targets)
    if not takes_labels(generator) or takes_source(generator):
        raise ConfigError(
            f"cas={steps}: the run's generator is not asked for classes; expected a run with conditional=projection or "
            "another way"
        )
    config = run.configuration.read(allowed_targets)
    dataset = judged(config, build_dataset(config, download=False), generator)
    labels, held_out = one_per_sample(dataset.train_labels), one_per_sample(dataset.test_labels)
    if labels is None or held_out is None or dataset.train.ndim != 4 or min(dataset.sample_shape[1:]) < _SMALLEST:
        raise ConfigError(
            f"cas={steps}: expected a run on images with labels of at least {_SMALLEST}x{_SMALLEST} pixels"
        )
    real = dataset.train
    if dataset.chosen is not None:
        real, labels = real[dataset.chosen], labels[dataset.chosen]
    made = generate(generator, fixed_request(config, "usefulness", len(labels), labels))
    parts = Labelled(real, labels), Labelled(made, labels), Labelled(dataset.test, held_out)
    scores = {
        "cas": usefulness(*parts, steps, config.seed)._asdict(),
        "steps": steps,
        "seed": config.seed,
        "weights": ("ema" if keeps_average(config) else "generator") if weights == "auto" else weights,
        "training_samples": len(labels),
        "generated_samples": len(made),
        "held_out_samples": len(held_out),
    }
    record(run, run.add_usefulness, scores)
    return {"run": str(run.path), **scores}
