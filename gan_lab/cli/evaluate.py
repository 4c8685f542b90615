"""``gan-lab-evaluate``: metrics of finished runs computed again or otherwise, or of any two sets of samples."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lab.cli.arguments import folders_and_rest, parse, with_equals
from gan_lab.config.messages import sentence
from gan_lab.config.targets import let_in
from gan_lab.errors import ConfigError, shown
from gan_lab.metric_names import in_order, not_to_be_trusted, unfounded, unfounded_precision, untrusted
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.terminal import one_sentence


@dataclass
class EvaluateArguments:
    """Metrics of runs, or of two sets of samples; one JSON object each, with floor and fingerprint.

    gan-lab-evaluate FOLDER ...                      runs or sweeps, from their last checkpoints, added to result.json
    gan-lab-evaluate FOLDER evaluation/extractor=pixels evaluation.samples=2500 'evaluation.metrics=[fd]'
    gan-lab-evaluate real=FOLDER fake=FILE.npz       folders of images or .npz files of any tool
    gan-lab-evaluate FOLDER draws=10                 how much the metrics move with other latents

    evaluation/extractor=... and evaluation.KEY=... mean what they mean to gan-lab; without them a run is measured as
    it was in training, and files with whitened_conv.
    """

    run: str = field(default="", metadata={"help": "a run's or sweep's folder; plain words are folders as well"})
    weights: str = field(
        default="auto",
        metadata={
            "help": "generator, ema (its moving average), best (on validation samples, of a run with "
            "checkpoint.best), or auto (ema if there is one)"
        },
    )
    real: str = field(default="", metadata={"help": "real samples: a folder of images or an .npz file"})
    fake: str = field(default="", metadata={"help": "generated samples, in the same form"})
    draws: int = field(
        default=0,
        metadata={"help": "how much each metric of a run moves with so many other sets of latents; 0: is not measured"},
    )
    allowed_targets: list[str] = field(
        default_factory=list, metadata={"help": "packages besides gan_lab, torch.nn and torch.optim that may be named"}
    )


def main() -> None:
    """The command."""
    one_sentence(_evaluate)


def _evaluate() -> None:
    folders, rest = folders_and_rest(with_equals(sys.argv[1:], EvaluateArguments))
    overrides = [word for word in rest if word.startswith(("evaluation.", "evaluation/"))]
    arguments = parse("gan-lab-evaluate", EvaluateArguments, [word for word in rest if word not in overrides])
    let_in(arguments.allowed_targets)
    folders += [arguments.run] if arguments.run else []
    if bool(arguments.real) != bool(arguments.fake) or bool(arguments.real) == bool(folders):
        raise ConfigError("expected folders of runs, or real=... and fake=...; gan-lab-evaluate --help explains it")
    if arguments.real and arguments.weights != "auto":
        raise ConfigError(f"weights={arguments.weights}: files have no weights to choose; expected none")
    if arguments.draws and (arguments.real or overrides):
        told = f"not {overrides[0]}" if overrides else "not files"
        raise ConfigError(f"draws={arguments.draws}: expected runs, measured as in training, {told}")
    runs = [run for folder in folders for run in RunFolder.all_in(folder)]

    import gan_lab.storage.plotting  # noqa: F401  # before Lightning and matplotlib
    from gan_lab.runs.evaluate import evaluate_files, evaluate_run
    from gan_lab.runs.sampling_error import sampling_error

    if not runs:
        _print(evaluate_files(Path(arguments.real), Path(arguments.fake), overrides, arguments.allowed_targets))
    lost = 0
    for run in runs:
        try:
            RunFolder.existing(run.path)
            if arguments.draws:
                found = sampling_error(run, arguments.weights, arguments.draws, arguments.allowed_targets)
                print(json.dumps(found, indent=2), flush=True)
                continue
            _print(evaluate_run(run, arguments.weights, overrides, arguments.allowed_targets))
        except ConfigError as error:
            if len(runs) == 1:
                raise
            print(f"gan-lab: {shown(run.path)}: {sentence(error)}", file=sys.stderr)
            lost += 1
    if lost:
        raise ConfigError(f"{lost} of {len(runs)} runs could not be measured")


def _print(evaluation: dict[str, Any]) -> None:
    metrics = evaluation["metrics"]
    for name, coverage in unfounded_precision(metrics).items():
        print(f"gan-lab: warning: {shown(unfounded(name, coverage))}", file=sys.stderr)
    for extractor, names in untrusted(metrics).items():
        print(
            f"gan-lab: warning: {', '.join(names)} cannot be trusted: {not_to_be_trusted(extractor)}", file=sys.stderr
        )
    evaluation = evaluation | {"metrics": {name: metrics[name] for name in in_order(metrics)}}
    print(json.dumps(evaluation, indent=2), flush=True)
