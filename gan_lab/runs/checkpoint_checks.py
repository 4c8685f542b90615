"""Whether a run can go on from a checkpoint: what it holds must be what training as configured could have come to.

A checkpoint may come from anyone. Lightning and PyTorch take what it holds as it is: learning rates, counts, averages
so short that a fused optimizer would read beyond them.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.player import Player
from gan_lab.errors import ConfigError
from gan_lab.runs.checkpoints import kinds
from gan_lab.validation import is_number, is_whole


def check_fits(
    file: Path | None,
    checkpoint: Mapping[str, Any],
    module: Algorithm,
    data: str,
) -> None:
    """Raise ConfigError unless a checkpoint is one that training as configured could have come to.

    Args:
        file: where it lies.
        checkpoint: what it holds.
        module: the run's algorithm, fresh.
        data: the checksum of the run's data.
    """
    if checkpoint["data"] != data:
        raise ConfigError(
            f"dataset: the checksum of its data is {data}: expected {checkpoint['data']}, that of the data the run was "
            "begun with"
        )
    if kinds(checkpoint["state_dict"]) != kinds(module.state_dict()):
        raise ConfigError(f"{file}: its weights do not fit the run's configuration")
    players, states, schedules = module.players.values(), checkpoint["optimizer_states"], checkpoint["lr_schedulers"]
    if not len(states) == len(schedules) == len(players) or "fit_loop" not in checkpoint["loops"]:
        raise ConfigError(f"{file}: it lacks the state of an optimizer or of the loop")
    step = checkpoint["global_step"]
    for player, state, schedule in zip(players, states, schedules, strict=True):
        if not _is_state_of(player, state, step):
            kind = type(player.optimizer).__name__
            raise ConfigError(f"{file}: the state of its {kind} does not fit the run's configuration")
        if not _is_schedule_at(player.scheduler, schedule, step):
            raise ConfigError(f"{file}: its learning rates are not those of iteration {step}")
        updates, skipped = (checkpoint[counts].get(player.name) for counts in ("updates", "skipped"))
        if updates != step * module.turns[player.name] or not is_whole(skipped) or not 0 <= skipped <= updates:
            raise ConfigError(f"{file}: its numbers of updates are not those of iteration {step}")


def _is_state_of(player: Player, state: Any, step: int) -> bool:
    """Whether a saved state is one that this player's optimizer could have come to after so many steps.

    Settings are those of the fresh optimizer, but for what a schedule moves.
    """
    optimizer, rates = player.optimizer, _rates(player.scheduler, step)
    own = optimizer.state_dict()["param_groups"]
    if player.beta2 is not None:
        own = [{**group, "betas": (group["betas"][0], player.beta2(step))} for group in own]
    groups = state.get("param_groups") if isinstance(state, dict) else None
    if not isinstance(groups, list) or len(groups) != len(own) or not isinstance(state.get("state"), dict):
        return False
    made = _states_of(optimizer)
    return all(_is_group_of(*one) for one in zip(own, groups, rates, strict=True)) and all(
        is_whole(number) and 0 <= number < len(made) and _is_state_of_weight(entry, made[number])
        for number, entry in state["state"].items()
    )


def _states_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """What a step makes the state of each weight: that of a copy, down gradients of zero.

    Their names and shapes are each optimizer's own; Adafactor keeps a row and a column of a matrix.
    """
    tried: Any = object.__new__(type(optimizer))  # deepcopy of all would lose what PyTorch does not pickle
    vars(tried).update(deepcopy({name: one for name, one in vars(optimizer).items() if name != "step"}))
    for group in tried.param_groups:
        if "capturable" in group:
            group["capturable"] = False  # for weights on a GPU alone, which these are not yet
    weights = [weight for group in tried.param_groups for weight in group["params"]]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    tried.step()  # the class's: a schedule wraps the optimizer's own
    return [tried.state[weight] for weight in weights]


def _is_group_of(fresh: dict[str, Any], group: Any, rate: float) -> bool:
    """Whether the settings of a group of weights are those of the fresh one; earlier versions of PyTorch had fewer."""
    if not isinstance(group, dict) or not {"params", "lr"} <= group.keys() <= fresh.keys():
        return False
    compared = group.keys() - {"lr", "capturable"}  # the latter follows from compile, which may change
    same = all(_plain(group[key]) == _plain(fresh[key]) for key in compared)
    return same and _numbers(group["lr"]) == _numbers(rate)


def _is_schedule_at(scheduler: LambdaLR, state: Any, step: int) -> bool:
    """Whether a saved state is the scheduler's after so many steps; earlier versions of PyTorch had fewer keys."""
    fresh = scheduler.state_dict()
    expected = {
        "base_lrs": scheduler.base_lrs,
        "_last_lr": _rates(scheduler, step),
        "last_epoch": step,
        "lr_lambdas": fresh["lr_lambdas"],
    }
    if not isinstance(state, dict) or not expected.keys() <= state.keys() <= fresh.keys():
        return False
    return all(_numbers(state[key]) == _numbers(value) for key, value in expected.items())


def _rates(scheduler: LambdaLR, step: int) -> list[float]:
    """The learning rates of its optimizer's groups after so many steps."""
    return [float(base) * factor(step) for base, factor in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)]


def _numbers(value: Any) -> Any:
    """A number, tensors of one among them, to the digits of float32; lists of such; anything else as it is."""
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    return f"{value:.6g}" if is_number(value) else value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_state_of_weight(entry: Any, made: Mapping[str, Any]) -> bool:
    """Whether a saved state has the names, kinds and shapes of values of the one that the optimizer makes."""
    return (
        isinstance(entry, dict)
        and entry.keys() == made.keys()
        and all(_is_value_like(one, entry[name]) for name, one in made.items())
    )


def _is_value_like(made: Any, value: Any) -> bool:
    if not isinstance(made, Tensor):
        return type(value) is type(made)
    return (
        isinstance(value, Tensor)
        and value.shape == made.shape
        and (value.is_floating_point() == made.is_floating_point() or made.ndim == 0)
    )


def check_callbacks(file: Path | None, checkpoint: Mapping[str, Any], callbacks: Iterable[Callback]) -> None:
    """Raise ConfigError unless a checkpoint has a state for each of these callbacks that has one, of the same kind."""
    for callback in callbacks:
        if not (own := callback.state_dict()):
            continue
        if callback.state_key not in checkpoint["callbacks"]:
            raise ConfigError(f"{file}: it lacks the state of {callback.state_key}")
        if not _is_like(own, checkpoint["callbacks"][callback.state_key]):
            raise ConfigError(f"{file}: the state of its {callback.state_key} is none that it could have had")


def _is_like(fresh: Mapping[str, Any], state: Any) -> bool:
    """Whether a saved state has the keys and kinds of values of the fresh one; seconds are 0 at least, and finite."""
    return isinstance(state, dict) and all(
        key in state
        and (_is_time(state[key]) if isinstance(value, float) else isinstance(state[key], type(value)))
        and (key not in _FILLED or _FILLED[key](state[key]))
        for key, value in fresh.items()
    )


def _is_time(value: Any) -> bool:
    return is_number(value) and 0 <= value < math.inf


def _are(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether something has names, each of a value of this kind."""
    return lambda value: isinstance(value, dict) and all(isinstance(key, str) and kind(value[key]) for key in value)


def _is_measured(value: Any) -> bool:
    """Whether something is a metric's value, which need not be finite."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_empty_or(**kinds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether something has exactly these keys, with values of their kinds, or none."""
    return lambda value: (
        value == {}
        or (
            isinstance(value, dict)
            and value.keys() == kinds.keys()
            and all(kind(value[key]) for key, kind in kinds.items())
        )
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_RECORD: dict[str, Callable[[Any], bool]] = {"value": _is_measured, "iteration": is_whole}
_FILLED: dict[str, Callable[[Any], bool]] = {
    "seen": _are(lambda values: isinstance(values, list) and all(map(_is_measured, values))),
    "rows": _are(is_whole),
    "final": _are(_is_measured),
    "signals": _are(_is_measured),
    "best": _are(_is_empty_or(**_RECORD)),
    "record": _is_empty_or(**_RECORD),
    "selected": _is_empty_or(metric=_is_text, metrics=_are(_is_measured), **_RECORD),
    "stopped": _is_empty_or(metric=_is_text, iteration=is_whole, best=_is_empty_or(**_RECORD)),
}
"""Of callbacks' states that are empty at first, what they hold later: it is used long after the folder is cut back."""
