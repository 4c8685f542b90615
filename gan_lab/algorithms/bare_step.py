"""An optimizer's step without PyTorch's bookkeeping around it."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


def bare_step(optimizer: Optimizer) -> Callable[[], Any]:
    """The step of one of PyTorch's own optimizers without its records for a profiler.

    They take longer than the step of a small network. Other optimizers, and those with hooks, keep their step as it is.
    """
    kind, hooks = type(optimizer), (optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks)
    if not kind.__module__.startswith("torch.optim.") or optimizer.defaults.get("differentiable") or any(hooks):
        return optimizer.step
    optimizer._opt_called = True  # type: ignore[attr-defined]  # schedules warn unless a wrapped step has set it
    step = torch.no_grad()(partial(inspect.unwrap(kind.step), optimizer))
    return FusedAdam(optimizer, step) if FusedAdam.fits(optimizer) else step


class FusedAdam:
    """The step of a fused Adam or AdamW on a CPU, which looks nothing up that stays: the same to the bit.

    Args:
        optimizer: one that `fits`.
        step: its step, which makes its state.
    """

    def __init__(self, optimizer: Optimizer, step: Callable[[], Any]) -> None:
        self.optimizer = optimizer
        self.step = step
        (self.group,) = optimizer.param_groups
        self.kernel = torch._fused_adamw_ if self.group["decoupled_weight_decay"] else torch._fused_adam_
        self.moved: list[bool] = []  # which weights have gradients

    @staticmethod
    def fits(optimizer: Optimizer) -> bool:
        """Whether it is an optimizer of this kind, in one group and with settings that are usual."""
        group, *others = optimizer.param_groups
        usual = not (others or group.get("amsgrad") or group.get("maximize"))
        of_kind = type(optimizer) in (torch.optim.Adam, torch.optim.AdamW) and group["fused"]
        return bool(usual and of_kind and all(weight.device.type == "cpu" for weight in group["params"]))

    def __call__(self) -> None:
        weights = self.group["params"]
        gradients = [weight.grad for weight in weights]
        moved = [gradient is not None for gradient in gradients]
        if moved != self.moved or not self.optimizer.state:
            self.step()
            self._look_up([weight for weight, moves in zip(weights, moved, strict=True) if moves])
            self.moved = moved
            return
        beta1, beta2 = self.group["betas"]
        self.counts.add_(1)
        with torch.no_grad():
            self.kernel(
                self.weights,
                [gradient for gradient in gradients if gradient is not None],
                self.means,
                self.squares,
                [],
                self.counts_of_each,
                lr=self.group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=self.group["weight_decay"],
                eps=self.group["eps"],
                amsgrad=False,
                maximize=False,
            )

    def _look_up(self, weights: list[Tensor]) -> None:
        """Find the state, and let all counts of steps be parts of one tensor, so that they are counted at once."""
        states = [self.optimizer.state[weight] for weight in weights]
        self.weights = weights
        self.means = [state["exp_avg"] for state in states]
        self.squares = [state["exp_avg_sq"] for state in states]
        self.counts = torch.stack([state["step"] for state in states])
        self.counts_of_each = list(self.counts.unbind())
        for state, count in zip(states, self.counts_of_each, strict=True):
            state["step"] = count
