"""Losses compiled together with their gradients."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gan_lab.algorithms.loss import Loss, Weights
from gan_lab.algorithms.player import Gradients, Player
from gan_lab.losses.weighted import Weighted


class CompiledLosses:
    def __init__(self) -> None:
        self.functions: dict[tuple[str, ...], Callable[..., tuple[Loss, Gradients]]] = {}

    def __call__(
        self, player: Player, loss_of: Callable[..., Loss], parts: Mapping[str, Weighted], weights: Weights, *given: Any
    ) -> tuple[Loss, Gradients]:
        key = (player.name, *weights)
        if key not in self.functions:
            self.functions[key] = self._compile(player, loss_of)
        return self.functions[key](weights, *given)

    def _compile(self, player, loss_of):
        torch._dynamo.config.trace_autograd_ops = True
        torch._inductor.config.fallback_random = True

        def differentiated(*given):
            loss = loss_of(*given)
            gradients = torch.autograd.grad(loss.value, player.trained, allow_unused=True)
            return loss._replace(value=loss.value.detach()), gradients

        return torch.compile(differentiated, fullgraph=True, dynamic=False)
