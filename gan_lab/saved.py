"""A generator out of a run's folder."""

from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from gan_lab.building import build_generator
from gan_lab.errors import ConfigError
from gan_lab.run_folder import RunFolder

WEIGHTS = ("auto", "generator", "ema")


def load_generator(folder: RunFolder, weights: str) -> nn.Module:
    """The generator of a run's last checkpoint, in eval mode on the CPU.

    Args:
        folder: the run.
        weights: ``generator``; ``ema``, its moving average; or ``auto``, the average if the run kept one.

    Raises:
        ConfigError: if there is no checkpoint, or it has no such weights.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"weights={weights}: expected one of {', '.join(WEIGHTS)}")
    if not folder.last_checkpoint.is_file():
        raise ConfigError(f"run={folder.path}: it has no {folder.last_checkpoint.relative_to(folder.path)} yet")
    try:
        checkpoint: dict[str, Any] = torch.load(folder.last_checkpoint, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, EOFError, UnpicklingError) as error:
        raise ConfigError(f"{folder.last_checkpoint}: not a checkpoint of gan-lab, or a broken one") from error
    state = checkpoint["state_dict"]
    has_average = any(key.startswith("ema.") for key in state)
    if weights == "ema" and not has_average:
        raise ConfigError("weights=ema: the run kept no moving average; expected generator or auto")
    prefix = "ema.module." if has_average and weights != "generator" else "generator."
    generator = build_generator(folder.config(), tuple(checkpoint["sample_shape"]))
    try:
        generator.load_state_dict({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})
    except RuntimeError as error:
        raise ConfigError(f"{folder.last_checkpoint}: its weights do not fit the run's configuration") from error
    return generator.eval()
