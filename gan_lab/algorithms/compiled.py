"""Losses compiled together with their gradients, so that small networks do not wait for Python."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch._dynamo import config
from torch._dynamo.exc import TorchDynamoException

from gan_lab.algorithms.loss import Loss
from gan_lab.algorithms.player import Player, Slope
from gan_lab.errors import ConfigError
from gan_lab.losses.weighted import Weighted, Weights

_Differentiated = Callable[..., tuple[Loss, Slope]]


class CompiledLosses:
    """Computes losses and their gradients: a compiled function for each player and set of parts that are due.

    A function is one graph, compiled at its first call and never again. PyTorch's guards, which would see that
    something besides its arguments has changed, take a tenth of the time of a small network and are left out. Who
    changes what a network computes must call `forget`. Random numbers are those that an eager loss would draw.

    Attributes:
        around: makes the context in which a function is compiled; that takes seconds, which are no training.
    """

    def __init__(self) -> None:
        self.around: Callable[[], AbstractContextManager[None]] = nullcontext
        self._functions: dict[tuple[str, ...], _Differentiated] = {}

    def __call__(
        self, player: Player, loss_of: Callable[..., Loss], parts: Mapping[str, Weighted], weights: Weights, *given: Any
    ) -> tuple[Loss, Slope]:
        """A loss, without its graph, and its slope.

        Args:
            player: whose loss it is.
            loss_of: the loss as a function of ``weights`` and ``given``.
            parts: its penalties or terms, by name.
            weights: the factors of those that are due.
            given: what else it is a function of, tensors of the same shapes in every call.

        Raises:
            ConfigError: for a loss that PyTorch cannot compile.
        """
        like = player.trained[0]
        moving = {name: like.new_tensor(one) for name, one in weights.items() if parts[name].final_weight is not None}
        weights, key = {**weights, **moving}, (player.name, *weights)
        if key in self._functions:
            return self._functions[key](weights, *given)
        # shapes are static; saying so by an argument of `torch.compile` would take time in every call
        with self.around(), config.patch(trace_autograd_ops=True, automatic_dynamic_shapes=False):
            function = self._functions[key] = _compiled(player, loss_of)
            try:
                return function(weights, *given)
            except TorchDynamoException as error:  # also where the code it makes does not build
                reason = str(error).splitlines()[0]
                raise ConfigError(
                    f"compile=iteration: PyTorch cannot compile the loss of the {player.name} ({reason}); "
                    "expected compile=false"
                ) from error

    def forget(self) -> None:
        """Compile again at the next calls."""
        self._functions.clear()


def _compiled(player: Player, loss_of: Callable[..., Loss]) -> _Differentiated:
    def differentiated(*given: Any) -> tuple[Loss, Slope]:
        loss = loss_of(*given)
        losses = torch.ones_like(loss.value)  # of stacked players a loss each, whose sum is descended
        gradients = torch.autograd.grad(loss.value, player.trained, losses, allow_unused=True)
        return Loss(loss.value.detach(), loss.parts, loss.shown, loss.made), player.slope(gradients)

    # PyTorch keeps compiled forms by code object; without guards, each function needs one of its own
    differentiated.__code__ = differentiated.__code__.replace()
    options: dict[str, Any] = {"fallback_random": True, "guard_filter_fn": torch.compiler.skip_all_guards_unsafe}
    return torch.compile(differentiated, fullgraph=True, options=options)
