"""What result.json and TensorBoard's HPARAMS page hold of a run."""

import math
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from gan_lab.config.hashing import config_hash
from gan_lab.metric_names import fooled_kinds
from gan_lab.metrics.verdict import Thresholds, verdict
from gan_lab.runs.request import RunRequest
from gan_lab.storage.cache import code_hash
from gan_lab.training.build import Training

_PACKAGE = Path(__file__).parents[1]
_ELSEWHERE = ("conf", "hydra_plugin")  # in an installed package they lie in other places than in a checkout

SOURCE = code_hash(*(one for one in _PACKAGE.rglob("*.py") if one.relative_to(_PACKAGE).parts[0] not in _ELSEWHERE))
"""A hash of gan_lab's source files when the process began: files that are edited later are not what runs."""


def result_of(request: RunRequest, training: Training) -> dict[str, Any]:
    """The content of result.json, once training is over."""
    updates, evaluator = training.module.updates, training.evaluator
    of_generator = updates["generator"] * request.config.generator_batch_factor
    looked = updates["discriminator"] + (of_generator if training.module.generator_uses_real else 0)
    looked *= 2 if training.module.translates_back else 1  # at the images of both sides
    chosen = training.selection
    selection = {} if chosen is None else {"selected": chosen.selected, "stopped_early": chosen.stopped}
    if chosen is not None:
        selection["validation"] = {"metrics": chosen.final, "floor": chosen.evaluator.floor}
    thresholds = Thresholds(**request.config.evaluation.verdict)
    fooled = fooled_kinds(evaluator.fingerprint["extractor"])
    return {
        "schema": 1,
        "config_hash": config_hash(request.config),
        **request.names,
        "seed": request.config.seed,
        "budget": {
            "iterations": training.trainer.global_step,
            "discriminator_updates": updates["discriminator"],
            "generator_updates": updates["generator"],
            "real_images": looked * request.config.batch_size * request.config.model.packing,
            "train_seconds": training.stopwatch.seconds(),
        },
        "metrics": training.evaluation.final,
        "best": training.evaluation.best,
        "floor": evaluator.floor,
        "ceiling": evaluator.ceiling,
        "signals": training.evaluation.signals,
        "verdict": verdict(request.folder.curves(), evaluator.floor, thresholds, fooled),
        "fingerprint": evaluator.fingerprint | {"ema": training.module.ema is not None},
        "data": training.dataset.record,
        **selection,
        **({"init_from": origin} if (origin := request.folder.status().get("init_from")) else {}),
        **({"published": OmegaConf.to_container(told)} if (told := request.config.published) else {}),
        "skipped_updates": training.module.skipped,
        **({"stacked": stacked} if (stacked := request.folder.status().get("stacked")) else {}),
        **({"compile": mode} if (mode := request.config.compile) else {}),
        "evaluations": [],
        "environment": environment(training.trainer),
    }


def hyperparameters(request: RunRequest) -> dict[str, Any]:
    """For TensorBoard's table: the names, the plain values of the root, and whatever was overridden, as one mapping."""
    config = request.config
    flat = {str(key): value for key, value in config.items() if isinstance(value, int | float | str)}
    for player, optimizer in config.optimizer.items():
        if optimizer is not None:
            flat[f"lr_{player}"] = optimizer.get("lr", math.nan)
    for override in OverridesParser.create().parse_overrides(request.folder.configuration.overrides()):
        key = override.key_or_group
        value = OmegaConf.select(config, key)  # None or a block for an option of a group, which is among the names
        if isinstance(value, int | float | str):
            flat[key] = value
    return request.names | flat


def _processor() -> str:
    """The model of the processor: seconds of two machines are told apart by it. Linux tells it in a file alone."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def environment(trainer: pl.Trainer) -> dict[str, Any]:
    """What the results may depend on besides the configuration."""
    device = trainer.strategy.root_device
    return {
        "gan_lab": version("gan-loss-lab"),
        "source": SOURCE,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "pytorch_lightning": pl.__version__,
        "numpy": np.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "machine": platform.machine(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
    }
