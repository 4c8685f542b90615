"""Weights to begin with: another run's, a checkpoint's, or those of a file of weights."""

import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.errors import ConfigError, shown
from gan_lab.runs.checkpoints import load_checkpoint
from gan_lab.runs.folder import RunFolder

log = logging.getLogger(__name__)

_PARAMETRIZED = re.compile(r"parametrizations\.(\w+)\.original$")
_VECTORS = re.compile(r"parametrizations\.\w+\.\d+\._[uv]$")  # with which spectral norm estimates singular values
_NAMED = 4  # weights named in a sentence


def warm_start(config: DictConfig, module: Algorithm) -> dict[str, Any] | None:
    """Load the weights that ``init_from`` names into the players of ``init_players``, by name and shape.

    Only weights and buffers are taken over: no optimizer state, no average, no count. A weight under spectral norm has
    the name of the plain weight, so that networks with and without it fit. What a network has and the source lacks, or
    has in another shape, is an error; with ``init_strict=false`` it stays as it was initialised.

    Args:
        config: the configuration.
        module: the run's algorithm, its networks as they were initialised.

    Returns:
        The record: ``source``, ``sha256`` of the weights loaded, ``players``, and ``left``, the names of the weights
        that stayed as they were; None without ``init_from``.

    Raises:
        ConfigError: if the source cannot be read, or does not fit.
    """
    if config.init_from is None:
        return None
    source = _weights(config.init_from, list(config.init_players))
    digest, left = hashlib.sha256(), []
    for player in config.init_players:
        left += [f"{player}.{name}" for name in _load(module.players[player].network, source[player], digest)]
    if left:
        said = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more" if len(left) > _NAMED else "")
        if config.init_strict:
            raise ConfigError(
                f"init_from={config.init_from}: it lacks {said}, or has them in another shape; expected weights of the "
                "same networks, or init_strict=false, which leaves such weights as they are initialised"
            )
        log.warning("gan-lab: warning: init_from=%s: left as initialised: %s", shown(config.init_from), shown(said))
    return {
        "source": str(Path(config.init_from).absolute()),
        "sha256": digest.hexdigest(),
        "players": list(config.init_players),
        "left": left,
    }


def _weights(source: str, players: list[str]) -> dict[str, dict[str, Tensor]]:
    """The weights of each player in a run, a checkpoint, or a file with the weights of one network."""
    path = Path(source)
    if path.is_dir():
        path = RunFolder.existing(source, key="init_from").last_checkpoint
    if not path.is_file():
        raise ConfigError(
            f"init_from={source}: there is no such file; expected a run's folder, a checkpoint, or a file of weights"
        )
    state = _state(source, path)
    found = {player: _of(player, state) for player in players}
    if not any(found.values()):  # one network's, without its player's name
        if len(players) != 1:
            raise ConfigError(
                f"init_from={source}: its weights are of one network; expected init_players=[generator] or "
                "[discriminator]"
            )
        return {players[0]: _plain(state)}
    for player, weights in found.items():
        if not weights:
            raise ConfigError(f"init_from={source}: it has none of the {player}; expected init_players without it")
    return found


def _state(source: str, path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ConfigError(f"init_from={source}: not a file of safetensors, or a broken one") from error
    if path.suffix == ".ckpt":
        return load_checkpoint(path)["state_dict"]
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError, ValueError, OSError, KeyError) as error:
        raise ConfigError(f"init_from={source}: not a file of PyTorch's weights, or a broken one") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) and value.layout is torch.strided
        for name, value in state.items()
    ):
        raise ConfigError(f"init_from={source}: expected a state_dict, tensors by their names")
    return state


def _of(player: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{player}."
    return _plain({name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)})


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights by their names without parametrizations."""
    return {_PARAMETRIZED.sub(r"\1", name): value for name, value in state.items()}


@torch.no_grad()
def _load(network: nn.Module, source: Mapping[str, Tensor], digest: Any) -> list[str]:
    """Copy what fits; the names of the rest, but for vectors of spectral norm, which are estimated anew."""
    left, estimated = [], False
    for name, own in network.state_dict().items():  # which shares its tensors with the network
        plain = _PARAMETRIZED.sub(r"\1", name)
        value = source.get(plain)
        if value is None or value.shape != own.shape or value.is_complex():
            if _VECTORS.search(name):
                estimated = True
            else:
                left.append(plain)
            continue
        own.copy_(value)
        digest.update(plain.encode())
        digest.update(own.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    if estimated:
        for module in network.modules():
            for parametrized in getattr(module, "parametrizations", {}).values():
                _estimate(parametrized)
    return left


def _estimate(parametrized: Any) -> None:
    """Let spectral norm look for the largest singular value of its new weight, as it does when it is attached.

    It divides what the parametrizations before it make of the trained weight: of an equalised layer the scaled one.
    """
    parts = list(parametrized)
    norms = [place for place, part in enumerate(parts) if hasattr(part, "_power_method")]
    if not norms:
        return
    names = ["original"] if parametrized.is_tensor else [f"original{place}" for place in range(parametrized.ntensors)]
    weights = [getattr(parametrized, name) for name in names]
    for place, part in enumerate(parts[: norms[-1] + 1]):
        if place in norms:
            part._power_method(part._reshape_weight_to_matrix(*weights), 15)
        if place < norms[-1]:  # not behind the last: in training its forward pass would move the estimate on
            weights = [part(*weights)]
