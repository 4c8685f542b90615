"""A player: a network and how it descends its loss."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan_lab.algorithms.micro_batch import MicroBatches
from gan_lab.distributed.collectives import average, global_mean
from gan_lab.models.conditions import Conditions, conditions_taken
from gan_lab.models.copies import copied

Curves = dict[str, Tensor]
"""Values of an iteration by tag, detached: scalars, and logits ``[B]``."""


class Slope(NamedTuple):
    """The gradient of a loss, as a player's optimizer takes it.

    Args:
        gradients: by each trained weight, clipped; None for those that the loss does not depend on.
        norm: of all before clipping.
    """

    gradients: Sequence[Tensor | None]
    norm: Tensor


class Player:
    """A network with its optimizer, learning-rate schedule, gradient clipping and, for a generator, moving average.

    Args:
        name: what its curves are called, such as ``generator``.
        network: the network to train; constraints are attached, so that its parameters are final.
        optimizer: of all the network's parameters.
        schedule: factor on the learning rate, as a function of the iterations done.
        clip: largest norm of the gradient, or None for no clipping.
        average_decay: decay of the moving average of the weights in an update, as a function of the updates made;
            None for no average.
        skips_bad_updates: leave out, and count, updates whose loss or gradient is not finite; without it they are made.
        beta2: Adam's second decay rate, as a function of the iterations done; None for the optimizer's own.

    Attributes:
        updates: how many updates were made, the skipped ones among them.
        skipped: how many were left out.
        average: a copy of the network with averaged weights, or None.
        scaler: of fp16's loss; it does nothing until the algorithm sets the trainer's.
        step: the optimizer's step.
        half: the type that the network computes in, if it is not that of its weights. Losses and gradients are not
            computed in it.
        micro_batches: applies the network to a part of a batch at a time; None for whole batches.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        optimizer: Optimizer,
        schedule: Callable[[int], float] = lambda iterations: 1.0,
        clip: float | None = None,
        average_decay: Callable[[int], float] | None = None,
        skips_bad_updates: bool = False,
        beta2: Callable[[int], float] | None = None,
    ) -> None:
        self.name = name
        self.network = network
        self.weights: list[Tensor] = list(network.parameters())
        self.trained = [weight for weight in self.weights if weight.requires_grad]
        self.optimizer = optimizer
        # a lambda of our own: LambdaLR would save the attributes of a schedule object, which are settings
        self.scheduler = LambdaLR(optimizer, lambda iterations: schedule(iterations))
        self.beta2 = beta2
        self.clip = clip
        self.average_decay = average_decay
        self.average = None if average_decay is None else copied(network).requires_grad_(False)
        self.skips_bad_updates = skips_bad_updates
        self.updates = 0
        self.skipped = 0
        self.scaler = GradScaler(enabled=False)
        self.half: torch.dtype | None = None
        self.micro_batches: MicroBatches | None = None
        self.step: Callable[[], Any] = self._scaled_step
        self._taken = conditions_taken(network)
        self._forward: Callable[..., Any] = network

    def __call__(self, inputs: Tensor, asked: Conditions) -> Any:
        """The network's outputs in training, in half precision if it is set.

        Args:
            inputs: latents or samples, ``[B, …]``.
            asked: a batch or a request of as many, whose labels and sources reach networks that take them.
        """
        if self.micro_batches is None:
            return self.apply(self._forward, inputs, **self.conditions(asked))
        return self.micro_batches(partial(self.apply, self._forward), inputs, **self.conditions(asked))

    def apply(self, part: Callable[..., Any], inputs: Tensor, **given: Any) -> Any:
        """The outputs of the network, or of one of several that it holds, in half precision if it is set."""
        if self.half is None:
            return part(inputs, **given)
        with torch.autocast(inputs.device.type, self.half):
            return part(inputs, **given)

    def conditions(self, asked: Conditions) -> dict[str, Any]:
        """What the network is given beside its input, by name."""
        return {name: getattr(asked, name) for name in self._taken}

    def compile(self) -> None:
        """Compile the network for calls of the player; its random numbers stay those of PyTorch's generator.

        Penalties differentiate twice and use the network uncompiled.
        """
        self._forward = torch.compile(self.network, dynamic=False, options={"fallback_random": True})

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, this network's weights take no gradients: another player's update does not need them."""
        for weight in self.trained:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in self.trained:
                weight.requires_grad_(True)

    def descend(self, loss: Tensor, curves: Curves, slope: Slope | None = None) -> None:
        """Make one step down the gradient of the loss, a scalar; the gradient's norm goes to the curves.

        Args:
            loss: with its graph, unless its slope is given.
            curves: of the iteration.
            slope: the gradient, if it is known already.
        """
        if slope is None:
            norm = self._backward(loss)
        else:
            norm = slope.norm
            for weight, gradient in zip(self.trained, slope.gradients, strict=True):
                weight.grad = None if gradient is None else _laid_out_as(weight, gradient)
        curves[f"grad_norm/{self.name}"] = norm
        if not self.skips_bad_updates or self._is_good(loss, norm, curves):
            self.step()
        self.scaler.update()
        for weight in self.weights:
            weight.grad = None
        if self.half is not None:
            torch.clear_autocast_cache()  # its copies of the weights are of before the step
        self.updates += 1
        if self.average is not None:
            self._update_average()

    def _backward(self, loss: Tensor) -> Tensor:
        """Leave the loss's clipped gradient at the weights; returns its norm before clipping."""
        self.scaler.scale(loss).backward()
        found = [weight.grad for weight in self.weights if weight.grad is not None]
        average(found)
        self.scaler.unscale_(self.optimizer)
        norm = total_norm(found)
        if self.clip is not None:
            clip_grads_with_norm_(self.weights, self.clip, norm)
        return norm

    def slope(self, gradients: Sequence[Tensor | None]) -> Slope:
        """Gradients of a loss by each of `trained`, as one process's optimizer takes them; it can be compiled."""
        squares = [one.square().sum() for one in gradients if one is not None]
        norm = torch.stack(squares).sum().sqrt()  # what `total_norm` calls would not be compiled
        if self.clip is not None:
            factor = (self.clip / (norm + 1e-6)).clamp(max=1.0)  # as torch.nn.utils.clip_grad_norm_
            gradients = [None if one is None else one * factor for one in gradients]
        return Slope(gradients, norm)

    def _scaled_step(self) -> None:
        self.scaler.step(self.optimizer)

    def advance(self) -> None:
        """After an iteration: set what the optimizer's next one depends on."""
        self.scheduler.step()
        if self.beta2 is not None:
            for group in self.optimizer.param_groups:
                group["betas"] = (group["betas"][0], self.beta2(self.scheduler.last_epoch))

    def _is_good(self, loss: Tensor, norm: Tensor, curves: Curves) -> bool:
        """Whether loss and gradient are finite in every process; if not, the update counts as skipped."""
        bad = not (global_mean(loss.detach()).isfinite() & norm.isfinite())
        self.skipped += bad
        tag = f"skipped/{self.name}"
        curves[tag] = loss.new_tensor(bad) + curves.get(tag, 0)
        return not bad

    @torch.no_grad()
    def _update_average(self) -> None:
        """θ̄ ← decay·θ̄ + (1 − decay)·θ, from the first update's weights on; buffers are copied."""
        assert self.average is not None
        assert self.average_decay is not None
        decay = self.average_decay(self.updates) if self.updates > 1 else 0.0
        torch._foreach_lerp_(list(self.average.parameters()), self.weights, 1 - decay)
        for kept, current in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(current)


def _laid_out_as(weight: Tensor, gradient: Tensor) -> Tensor:
    """A gradient in the memory layout of its weight, as a backward pass leaves it: fused optimizers rely on it."""
    return gradient if gradient.stride() == weight.stride() else torch.empty_like(weight).copy_(gradient)


def total_norm(tensors: Sequence[Tensor]) -> Tensor:
    """The Euclidean norm of all tensors as one vector.

    `torch.nn.utils.get_total_norm` computes the same, but sorts the tensors by device and type first, which takes half
    as long again.
    """
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(tensors))))
