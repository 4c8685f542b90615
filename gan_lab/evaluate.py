"""``gan-lab-evaluate``: the metrics of a run's generator, computed again."""

import json
from dataclasses import dataclass, field

from gan_lab.command_line import parse
from gan_lab.errors import one_sentence
from gan_lab.run_folder import RunFolder


@dataclass
class EvaluateArguments:
    """Compute the metrics of a run's last checkpoint, and print them with floor and fingerprint as JSON."""

    run: str = field(metadata={"help": "the run's folder"})
    weights: str = field(
        default="auto", metadata={"help": "generator, ema (its moving average) or auto (the average if there is one)"}
    )


def main() -> None:
    """The command."""
    one_sentence(_evaluate)


def _evaluate() -> None:
    arguments = parse("gan-lab-evaluate", EvaluateArguments)
    folder = RunFolder.existing(arguments.run)

    from gan_lab.building import build_dataset, build_evaluator
    from gan_lab.saved import load_generator

    generator = load_generator(folder, arguments.weights)
    config = folder.config()
    evaluator = build_evaluator(config, build_dataset(config))
    metrics = evaluator.evaluate(generator)
    ema = config.ema_decay is not None and arguments.weights != "generator"
    fingerprint = evaluator.fingerprint | {"ema": ema}
    print(json.dumps({"metrics": metrics, "floor": evaluator.floor, "fingerprint": fingerprint}, indent=2))
