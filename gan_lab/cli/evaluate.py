"""``gan-lab-evaluate``: metrics of finished runs computed again or otherwise, or of any two sets of samples."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from gan_lab.cli.arguments import folders_and_rest, parse, with_equals
from gan_lab.config.hashing import hash_of
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
    gan-lab-evaluate FOLDER 'truncations=[0.5,1]'    metrics along truncation, with a picture
    gan-lab-evaluate FOLDER cas=2000                 what samples of known classes teach a classifier
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
    truncations: list[float] | None = field(
        default=None,
        metadata={
            "help": "measure with each of these truncations, as of gan-lab-sample, and draw samples/truncation.png; "
            "nothing is added to result.json"
        },
    )
    cas: int = field(
        default=0,
        metadata={
            "help": "of runs with labels: train a classifier on real samples, on generated ones and on both, for so "
            "many steps each, print how often it is right and add that to result.json; 0: none"
        },
    )
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
    _check_measure(arguments, overrides)
    _check_draws(arguments, overrides)
    runs = [run for folder in folders for run in RunFolder.all_in(folder)]

    import gan_lab.storage.plotting  # before Lightning and matplotlib
    from gan_lab.runs.evaluate import evaluate_files

    if runs:
        import gan_lab.training.libraries  # noqa: F401  # all at once, which saves a second
    else:
        _print(evaluate_files(Path(arguments.real), Path(arguments.fake), overrides, arguments.allowed_targets))
    lost, found = 0, {}
    for run in runs:
        try:
            RunFolder.existing(run.path)
            found[run] = _measured(run, arguments, overrides)
            _print(found[run])
        except ConfigError as error:
            if len(runs) == 1:
                raise
            print(f"gan-lab: {shown(run.path)}: {sentence(error)}", file=sys.stderr)
            lost += 1
    if arguments.cas and len(found) > 1:
        _print_means(found, arguments.allowed_targets)
    if lost:
        raise ConfigError(f"{lost} of {len(runs)} runs could not be measured")


def _check_measure(arguments: EvaluateArguments, overrides: list[str]) -> None:
    """Raise ConfigError for words that ask for several things, or of files for what takes a generator."""
    named = f"truncations={arguments.truncations}" if arguments.truncations is not None else f"cas={arguments.cas}"
    if arguments.cas < 0:
        raise ConfigError(f"{named}: expected the training steps of each classifier, such as 2000, or 0")
    if arguments.truncations is None and not arguments.cas:
        return
    if arguments.real:
        raise ConfigError(f"{named}: it takes a run's generator, which files lack; expected none")
    if arguments.cas and (others := [*overrides, *([named] if arguments.truncations is not None else [])]):
        raise ConfigError(f"cas={arguments.cas}: expected nothing else to measure beside it, not {others[0]}")


def _check_draws(arguments: EvaluateArguments, overrides: list[str]) -> None:
    """Raise ConfigError where no run is measured as it was in training, with other latents alone."""
    others = [*(["cas"] if arguments.cas else []), *(["truncations"] if arguments.truncations is not None else [])]
    if arguments.draws and (arguments.real or overrides or others):
        told = f"not {[*overrides, *others][0]}" if overrides or others else "not files"
        raise ConfigError(f"draws={arguments.draws}: expected runs, measured as in training, {told}")


def _measured(run: RunFolder, arguments: EvaluateArguments, overrides: list[str]) -> dict[str, Any]:
    if arguments.cas:
        from gan_lab.runs.usefulness import usefulness_of

        return usefulness_of(run, arguments.weights, arguments.cas, arguments.allowed_targets)
    if arguments.truncations is not None:
        from gan_lab.runs.truncation_curve import truncation_curve

        return truncation_curve(run, arguments.weights, overrides, arguments.truncations, arguments.allowed_targets)
    if arguments.draws:
        from gan_lab.runs.sampling_error import sampling_error

        return sampling_error(run, arguments.weights, arguments.draws, arguments.allowed_targets)
    from gan_lab.runs.evaluate import evaluate_run

    return evaluate_run(run, arguments.weights, overrides, arguments.allowed_targets)


def _print_means(found: dict[RunFolder, dict[str, Any]], allowed_targets: list[str]) -> None:
    """Print the means of scores over runs, if these differ in their seeds alone."""
    from gan_lab.report.usefulness import over_runs

    settings = [OmegaConf.to_container(run.configuration.read(allowed_targets)) for run in found]
    if len({hash_of({**one, "seed": None}) for one in settings if isinstance(one, dict)}) == 1:
        _print(over_runs(list(found.values())))
    else:
        told = "no means, as the runs differ in more than their seeds; gan-lab-report FOLDER has those of each group"
        print(f"gan-lab: {told}", file=sys.stderr)


def _print(evaluation: dict[str, Any]) -> None:
    metrics = evaluation.get("metrics", {})
    for name, coverage in unfounded_precision(metrics).items():
        print(f"gan-lab: warning: {shown(unfounded(name, coverage))}", file=sys.stderr)
    for extractor, names in untrusted(metrics).items():
        print(
            f"gan-lab: warning: {', '.join(names)} cannot be trusted: {not_to_be_trusted(extractor)}", file=sys.stderr
        )
    if metrics:
        evaluation = evaluation | {"metrics": {name: metrics[name] for name in in_order(metrics)}}
    print(json.dumps(evaluation, indent=2), flush=True)
