"""Metrics of finished runs, and of two sets of samples in files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ValidationError
from torch import Tensor

from gan_lab.config.checks import check_ranges
from gan_lab.config.messages import sentence
from gan_lab.config.schema import EvaluationConfig
from gan_lab.datasets.dataset import Dataset, checksum, some
from gan_lab.datasets.readers import read_samples
from gan_lab.errors import CannotGoOn, ConfigError, NotFinite, shown
from gan_lab.metrics import Extractor, signals
from gan_lab.metrics.evaluator import DEFINITION
from gan_lab.runs.checkpoints import load_generator, load_player
from gan_lab.runs.components import build_dataset, keeps_average
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.measuring import build_comparison, build_evaluator, build_extractor, judged
from gan_lab.validation import typed

log = logging.getLogger(__name__)


def evaluate_run(
    run: RunFolder, weights: str, overrides: list[str], allowed_targets: Sequence[str] = ()
) -> dict[str, Any]:
    """The metrics of a run's last checkpoint; they are added to a finished run's result.json, unless it has them.

    Args:
        run: the run.
        weights: ``generator``, ``ema``, or ``auto``, the average if the run kept one.
        overrides: of ``evaluation``, in Hydra's form.
        allowed_targets: packages that the run's configuration may name (`gan_lab.config.targets`).

    Returns:
        ``run``, ``fingerprint``, ``metrics``, ``floor``, ``ceiling`` and ``signals``.

    Raises:
        ConfigError: if the run has no checkpoint, or cannot be measured so.
    """
    generator = load_generator(run, weights, allowed_targets)
    config = run.configuration.read(allowed_targets)
    config.evaluation = overridden(config.evaluation, overrides)
    evaluator = build_evaluator(config, judged(config, build_dataset(config, download=False), generator))
    changed = {one.key_or_group for one in OverridesParser.create().parse_overrides(overrides)}
    if "evaluation.samples" in changed and len(evaluator.request) < (asked := config.evaluation.samples):
        log.warning("evaluation.samples=%d: as many as are held out, %d, are compared", asked, len(evaluator.request))
    try:
        encoder = load_player(run, "encoder", allowed_targets, weights) if evaluator.reconstructs else None
        metrics, signs = evaluator.evaluate(generator, encoder)
    except NotFinite as error:
        raise ConfigError(f"{run.path}: at iteration {run.status()['iteration']}, {error}") from error
    averaged: dict[str, Any] = {"ema": keeps_average(config) and weights != "generator"}
    if weights == "best":
        averaged["selected"] = f"best {config.checkpoint.best} on validation samples"
    evaluation = {
        "fingerprint": evaluator.fingerprint | averaged,
        "metrics": metrics,
        "floor": evaluator.floor,
        "ceiling": evaluator.ceiling,
        "signals": signs,
    }
    if not run.result_file.is_file():
        log.warning("%s: not recorded, as the run is not finished (%s)", shown(run.path), shown(run.status()["state"]))
    else:
        try:
            if not run.add_evaluation(evaluation):
                log.warning("%s: result.json has these metrics already", shown(run.path))
        except CannotGoOn as error:
            log.warning("not recorded: %s", sentence(error))
    return {"run": str(run.path), **evaluation}


def evaluate_files(real: Path, fake: Path, overrides: list[str], allowed_targets: Sequence[str] = ()) -> dict[str, Any]:
    """The metrics of generated samples against real ones, from files of any tool.

    Values and floor compare equally many samples. The floor needs two sets of real samples, so no more than half of the
    real samples are compared.

    Raises:
        ConfigError: if they cannot be read or compared.
    """
    real_samples, labels = read_samples("real", real)
    fake_samples, _ = read_samples("fake", fake)
    if real_samples.shape[1:] != fake_samples.shape[1:]:
        raise ConfigError(
            f"fake={fake}: its samples are {list(fake_samples.shape[1:])}, and those of real={real} are "
            f"{list(real_samples.shape[1:])}: expected the same"
        )
    default = "points" if real_samples.ndim == 2 else "whitened_conv"
    if "evaluation.samples" in {one.key_or_group for one in OverridesParser.create().parse_overrides(overrides)}:
        raise ConfigError("evaluation.samples: as many are compared as the files allow; expected none")
    evaluation = _composed(
        "dataset=mnist", f"evaluation/extractor={default}"
    )  # the default, digits, has settings for few samples
    if real_samples.ndim == 2:
        evaluation.metrics = ["fd", "prdc"]  # the modes of points in a file are not known
    evaluation = overridden(evaluation, overrides)
    extractor = build_extractor(evaluation, allowed_targets)
    dataset, others, count = _parts(real_samples, labels, len(fake_samples), extractor)
    comparison = build_comparison(evaluation, extractor, dataset, count)
    chosen = torch.randperm(len(fake_samples), generator=torch.Generator().manual_seed(0))[:count]
    real_side, fake_side = comparison.look(dataset.test[:count]), comparison.look(fake_samples[chosen])
    comparison.check_reference(real_side)
    return {
        "real": str(real),
        "fake": str(fake),
        "fingerprint": {
            **extractor.fingerprint(),
            "definition": DEFINITION,
            "samples": count,
            "reference": "real",
            "reference_samples": count,
            "data": dataset.checksum,
            **comparison.measures.fingerprint(),
        },
        "metrics": comparison.compare(real_side, fake_side),
        "floor": comparison.compare(real_side, comparison.look(others)),
        "ceiling": {},
        "signals": signals(real_side.features, fake_side.features),
    }


def _parts(samples: Tensor, labels: Tensor | None, fakes: int, extractor: Extractor) -> tuple[Dataset, Tensor, int]:
    """Real samples for each purpose: a dataset to learn from and to compare with, and others for the floor.

    Value and floor compare equally many. They are drawn at random, as files are often sorted.

    Args:
        samples: all real samples. labels: their classes, if there are any.
        fakes: number of generated samples.
        extractor: one that learns gets half of the samples, of which none are compared.

    Returns:
        The dataset, whose held-out samples begin with those to compare with; the others; and how many are compared.
    """
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    seen, unseen = order.tensor_split(2) if extractor.learns else (order, order)
    count = min(fakes, len(unseen) // 2)
    if extractor.learns_from is not None:
        seen = seen[some(len(seen), extractor.learns_from)]

    def of(indices: Tensor) -> tuple[Tensor, Tensor | None]:
        return samples[indices], None if labels is None else labels[indices]

    return Dataset(*of(seen), *of(unseen), checksum(samples)), samples[unseen[count : 2 * count]], count


def _composed(*overrides: str) -> DictConfig:
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        return compose("train", list(overrides)).evaluation


def overridden(evaluation: DictConfig, overrides: list[str]) -> DictConfig:
    """An evaluation block with overrides, checked as in training; an extractor brings its metrics."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    groups = [one for one in parsed if "/" in one.key_or_group]
    for one in groups:
        if not isinstance(one.value(), str):
            raise ConfigError(f"{one.input_line}: expected the name of one option")
    if groups:
        chosen = _composed(*(one.input_line or "" for one in groups))
        evaluation = evaluation.copy()
        evaluation.extractor, evaluation.metrics = chosen.extractor, chosen.metrics
    config = OmegaConf.create({"evaluation": OmegaConf.merge(OmegaConf.structured(EvaluationConfig), evaluation)})
    OmegaConf.set_struct(config, True)
    for override in [one for one in parsed if one not in groups]:
        key = override.key_or_group
        if override.is_sweep_override():
            raise ConfigError(f"{override.input_line}: expected one value, nothing is swept here")
        if key.split(".")[1] in ("every", "verdict"):
            raise ConfigError(f"{key}: it concerns training, and has no effect here; expected none")
        try:
            OmegaConf.update(config, key, override.value(), merge=False, force_add=override.is_add())
        except ValidationError as error:
            raise ConfigError(sentence(error).replace(key, override.input_line or key, 1)) from error
        except ValueError as error:  # a key below a list
            raise ConfigError(f"{override.input_line}: there is no such key") from error
    extractor = config.evaluation.extractor
    if not isinstance(extractor, DictConfig) or "_target_" not in extractor:
        raise ConfigError(
            f"evaluation.extractor={typed(extractor)}: expected a block with a _target_; "
            "evaluation/extractor=NAME chooses one"
        )
    check_ranges(config.evaluation, EvaluationConfig, "evaluation.")
    return config.evaluation
