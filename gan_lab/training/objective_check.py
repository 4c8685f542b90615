"""The two functions of an objective, tried with logits before training: a user's own may return something else."""

import copy
import logging
from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning.utilities.seed import isolate_rng
from torch import Tensor

from gan_lab.config.messages import fault
from gan_lab.errors import ConfigError
from gan_lab.losses import Objective
from gan_lab.validation import is_number

log = logging.getLogger(__name__)


def check_objective(objective: Objective, shape: Sequence[int]) -> None:
    """Raise ConfigError unless both functions return a scalar tensor that has gradients of the logits.

    A number that they change in the objective, which no checkpoint has, is warned of. A copy is tried, and random
    numbers that it draws are given back: the run is as if it had not been.

    Args:
        objective: the recipe's.
        shape: of the logits of a batch, ``[B]`` or ``[B, heads]``.
    """
    tried = copy.deepcopy(objective)
    real, fake = (torch.zeros(*shape, requires_grad=True) for _ in range(2))
    for name, of_real in (("discriminator", real), ("generator", real if objective.generator_uses_real else None)):
        what = f"loss.objective: {type(objective).__name__}.{name}"
        with isolate_rng(include_cuda=False):
            try:
                loss = getattr(tried, name)(of_real, fake)
            except Exception as error:
                raise ConfigError(f"{what}, given logits {list(shape)}, fails: {fault(error)}") from error
        if wrong := _wrong(loss):
            raise ConfigError(
                f"{what} returned {wrong}: expected one number, a scalar tensor, that depends on the logits"
            )
    for name, value in vars(tried).items():
        if is_number(value) and getattr(objective, name, value) != value:
            log.warning(
                "gan-lab: warning: loss.objective: %s changes its attribute %s, which a resumed run begins anew, and "
                "compile=iteration keeps as it was; expected a buffer of a torch.nn.Module (docs/losses.md)",
                *(type(objective).__name__, name),
            )


def _wrong(loss: Any) -> str:
    """What is wrong with the value of a loss; nothing for a scalar tensor with a graph."""
    if not isinstance(loss, Tensor):
        return f"a {type(loss).__name__}"
    if loss.ndim > 0:
        return f"a tensor {list(loss.shape)}, of which .mean() makes a scalar"
    return "" if loss.requires_grad else "a tensor without a graph"
