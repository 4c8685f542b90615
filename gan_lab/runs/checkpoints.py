"""Loading checkpoints from a run's folder, and the generator from a checkpoint."""

import logging
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from gan_lab.algorithms.own_statistics import with_own_statistics
from gan_lab.errors import ConfigError, shown
from gan_lab.models.conditions import takes_labels
from gan_lab.runs.components import build_generator, statistics_requests
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.resume import Start
from gan_lab.validation import is_number, is_whole

WEIGHTS = ("auto", "generator", "ema")

log = logging.getLogger(__name__)

_DEEPEST = 20  # levels of containers in a checkpoint; ours have seven


class BrokenCheckpoint(ConfigError):
    """A file is not a checkpoint, or a damaged one."""


def load_checkpoint(file: Path) -> dict[str, Any]:
    """A checkpoint, tensors on the CPU.

    It is a zip archive, whose checksums are verified. Its pickle may hold tensors and plain containers only, so that a
    file from elsewhere runs no code.

    Raises:
        BrokenCheckpoint: if it is damaged, or holds anything else.
        ConfigError: if it cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if (member := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"checksum of {member}")
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:  # the content may be intact
        raise ConfigError(f"{file}: it cannot be read: {error.strerror}") from error
    except (zipfile.BadZipFile, RuntimeError, EOFError, UnpicklingError, ValueError) as error:
        raise BrokenCheckpoint(f"{file}: not a checkpoint of gan-lab, or a broken one") from error
    try:
        ours = _is_ours(checkpoint)
    except BrokenCheckpoint as error:
        raise BrokenCheckpoint(f"{file}: not a checkpoint of gan-lab: {error}") from error
    if not ours:
        raise BrokenCheckpoint(f"{file}: not a checkpoint of gan-lab")
    return checkpoint


_PARTS: dict[str, type] = {
    "state_dict": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "callbacks": dict,
    "loops": dict,
}
_PARTS |= {"sample_shape": list, "data": str, "global_step": int, "updates": dict, "skipped": dict, "noise": tuple}


def _is_ours(checkpoint: Any) -> bool:
    """Whether it has the parts of every checkpoint of gan-lab."""
    return (
        isinstance(checkpoint, dict)
        and all(isinstance(checkpoint.get(key), kind) for key, kind in _PARTS.items())
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in checkpoint["state_dict"].items())
        and all(
            one.layout is torch.strided and not one.is_quantized and not one.is_meta for one in _tensors(checkpoint)
        )
    )


def _tensors(value: Any, above: tuple[Any, ...] = ()) -> Iterator[Tensor]:
    """Every tensor in nested containers.

    Raises:
        BrokenCheckpoint: if a container is in itself, or nested deeper than any of ours.
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        if len(above) > _DEEPEST or any(value is one for one in above):
            raise BrokenCheckpoint("nested without end")
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(entry, (*above, value))


def newest_checkpoint(folder: RunFolder) -> tuple[Start, dict[str, Any] | None]:
    """Where a run that was begun starts, by its newest intact checkpoint, and what that holds; None without one.

    Broken checkpoints are warned of.

    Raises:
        ConfigError: if there are some and all are broken, or if one cannot be read.
    """
    broken: list[ConfigError] = []
    for iteration in reversed(folder.saved_iterations()):
        try:
            file = folder.checkpoint(iteration)
            checkpoint = load_checkpoint(file)
            if (done := checkpoint["global_step"]) != iteration:
                raise BrokenCheckpoint(f"{file}: it was saved at iteration {done}, not at that of its name")
        except BrokenCheckpoint as error:
            broken.append(error)
            continue
        for one in broken:
            log.warning("gan-lab: warning: %s", shown(one))
        if broken:
            lost = max(folder.status()["iteration"], folder.last_point()) - iteration
            log.warning("gan-lab: warning: going on from iteration %d instead: %d are done again", iteration, lost)
        return Start(again=True, iteration=iteration, checkpoint=file), checkpoint
    if broken:
        raise ConfigError(f"{broken[0]}, like all others; name another folder to start over")
    return Start(again=True), None


def check_fits(
    file: Path | None,
    checkpoint: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    data: str,
    optimizers: Sequence[torch.optim.Optimizer],
) -> None:
    """Raise ConfigError unless a checkpoint is of networks with such weights, trained on data of such a checksum.

    Args:
        file: where it lies.
        checkpoint: what it holds.
        weights: the run's, by name.
        data: the checksum of the run's data.
        optimizers: the run's, fresh, in the order in which their states are saved.
    """
    if checkpoint["data"] != data:
        raise ConfigError(
            f"dataset: the checksum of its data is {data}: expected {checkpoint['data']}, that of the data the run was "
            "begun with"
        )
    if _shapes(checkpoint["state_dict"]) != _shapes(weights):
        raise ConfigError(f"{file}: its weights do not fit the run's configuration")
    if len(checkpoint["optimizer_states"]) != len(optimizers) or "fit_loop" not in checkpoint["loops"]:
        raise ConfigError(f"{file}: it lacks the state of an optimizer or of the loop")
    for state, optimizer in zip(checkpoint["optimizer_states"], optimizers, strict=True):
        if not _is_state_of(optimizer, state):
            kind = type(optimizer).__name__
            raise ConfigError(f"{file}: the state of its {kind} does not fit the run's configuration")


def _is_state_of(optimizer: torch.optim.Optimizer, state: Any) -> bool:
    """Whether a saved state is one that this optimizer could have come to.

    A fused optimizer trusts the shapes of its averages and would read beyond them. Settings are those of the fresh
    optimizer, but for the learning rate, which a schedule has made smaller.
    """
    own = optimizer.state_dict()["param_groups"]
    groups = state.get("param_groups") if isinstance(state, dict) else None
    if not isinstance(groups, list) or len(groups) != len(own) or not isinstance(state.get("state"), dict):
        return False
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    return all(_is_group_of(fresh, group) for fresh, group in zip(own, groups, strict=True)) and all(
        is_whole(number) and 0 <= number < len(weights) and _is_state_of_weight(entry, weights[number])
        for number, entry in state["state"].items()
    )


def _is_group_of(fresh: dict[str, Any], group: Any) -> bool:
    """Whether the settings of a group of weights are those of the fresh one; earlier versions of PyTorch had fewer."""
    if not isinstance(group, dict) or "params" not in group or not group.keys() <= fresh.keys():
        return False
    rate = group.get("lr")
    rate = rate.item() if isinstance(rate, Tensor) and rate.numel() == 1 else rate
    compared = group.keys() - {"lr", "capturable"}  # the latter follows from compile, which may change
    same = all(_plain(group[key]) == _plain(fresh[key]) for key in compared)
    return same and is_number(rate) and 0 <= rate <= float(fresh["initial_lr"])


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_state_of_weight(entry: Any, weight: Tensor) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(value, Tensor)
        and value.shape in (weight.shape, torch.Size())
        and (value.is_floating_point() or value.ndim == 0)
        for value in entry.values()
    )


def check_callbacks(file: Path | None, checkpoint: Mapping[str, Any], callbacks: Iterable[str]) -> None:
    """Raise ConfigError unless a checkpoint has a state for each of these callbacks, named by their state keys."""
    if missing := set(callbacks) - checkpoint["callbacks"].keys():
        raise ConfigError(f"{file}: it lacks the state of {', '.join(sorted(missing))}")


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in weights.items()}


def load_generator(folder: RunFolder, weights: str, allowed_targets: Sequence[str] = ()) -> nn.Module:
    """The generator of a run's last checkpoint, in eval mode on the CPU; an average with statistics of its own.

    Args:
        folder: the run.
        weights: ``generator``; ``ema``, its moving average; or ``auto``, the average if the run kept one.
        allowed_targets: what the run's configuration may instantiate (`gan_lab.config.targets`).

    Raises:
        ConfigError: if there is no checkpoint, or it has no such weights.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"weights={weights}: expected one of {', '.join(WEIGHTS)}")
    if not folder.last_checkpoint.is_file():
        raise ConfigError(f"run={folder.path}: it has no {folder.last_checkpoint.relative_to(folder.path)} yet")
    checkpoint = load_checkpoint(folder.last_checkpoint)
    state = checkpoint["state_dict"]
    has_average = any(key.startswith("ema.") for key in state)
    if weights == "ema" and not has_average:
        raise ConfigError("weights=ema: the run kept no moving average; expected generator or auto")
    prefix = "ema." if has_average and weights != "generator" else "generator."
    config = folder.configuration.read(allowed_targets)
    generator = build_generator(config, tuple(checkpoint["sample_shape"]), checkpoint.get("class_counts"))
    try:
        generator.load_state_dict({key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)})
    except RuntimeError as error:
        raise ConfigError(f"{folder.last_checkpoint}: its weights do not fit the run's configuration") from error
    if prefix == "ema.":
        counts = checkpoint.get("class_counts")  # checkpoints of earlier versions lack them
        if counts is None and takes_labels(generator):
            raise ConfigError(
                f"{folder.last_checkpoint}: it lacks the numbers of samples of each class, by which its moving average "
                "gets BatchNorm statistics; expected weights=generator"
            )
        generator = with_own_statistics(generator, statistics_requests(config, counts))
    return generator.eval()
