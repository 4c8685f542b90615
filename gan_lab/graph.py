"""A whole iteration as one CUDA graph: small networks wait for Python no longer."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

_WARM_UP = 3  # iterations in which libraries choose their algorithms and optimizers make their state


class GraphedIteration:
    """An iteration that is recorded once, and from then on played back by a single launch.

    Args:
        iteration: makes all updates from a batch, always the same work on tensors of the same shapes, and returns
            scalars by name. It may not wait for the device.
        noise: the random generator it draws from, besides the device's own.
        optimizers: what it steps; told to keep what changes from step to step on the device.

    References:
        PyTorch's notes on CUDA semantics, "Whole-network capture".
    """

    def __init__(
        self, iteration: Callable[[Tensor], dict[str, Tensor]], noise: torch.Generator, optimizers: list[Optimizer]
    ) -> None:
        self.iteration = iteration
        self.noise = noise
        self.stream = torch.cuda.Stream()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.done = 0
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["capturable"] = True
                group["lr"] = torch.as_tensor(group["lr"], device=noise.device)  # schedules fill it in place

    def __call__(self, batch: Tensor) -> dict[str, Tensor]:
        """The scalars of one more iteration, by name."""
        if self.done < _WARM_UP:
            self.done += 1
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                scalars = self.iteration(batch)
            torch.cuda.current_stream().wait_stream(self.stream)
            return scalars
        if self.graph is None:
            self._record(batch)
        self.batch.copy_(batch)
        assert self.graph is not None
        self.graph.replay()
        return dict(zip(self.names, self.scalars.clone().unbind(), strict=True))

    def _record(self, batch: Tensor) -> None:
        self.batch = batch.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.noise)
        with torch.cuda.graph(self.graph):
            scalars = self.iteration(self.batch)
            self.names = list(scalars)
            self.scalars = torch.stack([value.float() for value in scalars.values()])
