"""Loading checkpoints from a run's folder, and the generator from a checkpoint."""

import logging
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan_lab.algorithms.own_statistics import with_own_statistics
from gan_lab.errors import ConfigError, shown
from gan_lab.models.conditions import takes_labels
from gan_lab.runs.building import build
from gan_lab.runs.components import build_network
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.latents import statistics_requests
from gan_lab.runs.resume import Start

WEIGHTS = ("auto", "generator", "ema", "best")

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
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED:  # PyTorch packs nothing, and little can hold much
                    raise zipfile.BadZipFile(f"packed {member.filename}")
            if (broken := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"checksum of {broken}")
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


def newest_checkpoint(folder: RunFolder, latest: int | None = None) -> tuple[Start, dict[str, Any] | None]:
    """Where a run that was begun starts, by its newest intact checkpoint, and what that holds; None without one.

    Broken checkpoints are warned of.

    Args:
        folder: the run.
        latest: the largest iteration to start from; None for any.

    Raises:
        ConfigError: if there are some and all are broken, or if one cannot be read.
    """
    broken: list[ConfigError] = []
    for iteration in reversed([one for one in folder.saved_iterations() if latest is None or one <= latest]):
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


def kinds(weights: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, bool, bool]]:
    """Shape of each, and whether it has real or complex numbers; a run may be in another precision."""
    return {name: (one.shape, one.is_floating_point(), one.is_complex()) for name, one in weights.items()}


def checkpoint_of(folder: RunFolder, weights: str) -> Path:
    """The checkpoint that has the weights: the last one, or that of the best ones.

    Raises:
        ConfigError: if there is none.
    """
    file = folder.checkpoints / "best.ckpt" if weights == "best" else folder.last_checkpoint
    if not file.is_file():
        why = "; expected a run with checkpoint.best=METRIC" if weights == "best" else ""
        raise ConfigError(f"run={folder.path}: it has no {file.relative_to(folder.path)} yet{why}")
    return file


def load_generator(folder: RunFolder, weights: str, allowed_targets: Sequence[str] = ()) -> nn.Module:
    """The generator of a run's last or best checkpoint, in eval mode on the CPU; an average with statistics of its own.

    Args:
        folder: the run.
        weights: ``generator``; ``ema``, its moving average; ``auto``, the average if the run kept one; or ``best``, the
            same of the iteration that was best on validation samples (``checkpoint.best``).
        allowed_targets: what the run's configuration may instantiate (`gan_lab.config.targets`).

    Raises:
        ConfigError: if there is no checkpoint, or it has no such weights.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"weights={weights}: expected one of {', '.join(WEIGHTS)}")
    file = checkpoint_of(folder, weights)
    checkpoint = load_checkpoint(file)
    state = checkpoint["state_dict"]
    has_average = any(key.startswith("ema.") for key in state)
    if weights == "ema" and not has_average:
        raise ConfigError("weights=ema: the run kept no moving average; expected generator or auto")
    prefix = "ema." if has_average and weights != "generator" else "generator."
    config = folder.configuration.read(allowed_targets)
    generator = _built(config, "generator", checkpoint)
    saved = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
    if kinds(saved) != kinds(generator.state_dict()):
        raise ConfigError(f"{file}: its weights do not fit the run's configuration")
    generator.load_state_dict(saved)
    if prefix == "ema.":
        counts = checkpoint.get("class_counts")  # checkpoints of earlier versions lack them
        if counts is None and takes_labels(generator):
            raise ConfigError(
                f"{file}: it lacks the numbers of samples of each class, by which its moving average "
                "gets BatchNorm statistics; expected weights=generator"
            )
        generator = with_own_statistics(generator, statistics_requests(config, counts))
    return generator.eval()


def load_player(
    folder: RunFolder, role: str, allowed_targets: Sequence[str] = (), weights: str = "generator"
) -> nn.Module:
    """A player's network, in eval mode on the CPU; the discriminator has its constraint.

    Args:
        folder: the run.
        role: ``discriminator``, or another player but the generator.
        allowed_targets: as of `load_generator`.
        weights: as of `load_generator`; all but ``best`` are of the last checkpoint.

    Raises:
        ConfigError: if there is no checkpoint, or it does not fit the run's configuration.
    """
    file = checkpoint_of(folder, weights)
    checkpoint = load_checkpoint(file)
    config = folder.configuration.read(allowed_targets)
    network = _built(config, role, checkpoint)
    if role == "discriminator" and (constraint := build(config, "loss").constraint) is not None:
        constraint.attach(network)
    state, prefix = checkpoint["state_dict"], f"{role}."
    saved = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
    if kinds(saved) != kinds(network.state_dict()):
        raise ConfigError(f"{file}: its weights do not fit the run's configuration")
    network.load_state_dict(saved)
    return network.eval()


def _built(config: DictConfig, role: str, checkpoint: Mapping[str, Any]) -> nn.Module:
    """A player's network for the data that a checkpoint is of; checkpoints of earlier versions tell less of it."""
    source = checkpoint.get("source_shape")
    shape = tuple(checkpoint["sample_shape"])
    return build_network(config, role, shape, checkpoint.get("class_counts"), None if source is None else tuple(source))
