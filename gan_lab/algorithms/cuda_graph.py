"""A whole iteration as one CUDA graph, so that small networks do not wait for Python."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lab.algorithms.player import Curves
from gan_lab.datasets.batch import Draw

_WARM_UP = 3  # iterations in which libraries choose their algorithms and optimizers make their state


def settle(optimizers: Iterable[Optimizer], graphed: bool, device: torch.device) -> None:
    """Put learning rates and step counts where the coming steps read them.

    A graph reads both from the device, where schedules and steps change them in place. Eager steps want learning rates
    as numbers, and step counts on the CPU unless their kernels are fused. A checkpoint may come from either kind.
    """
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            rate = float(group["lr"])
            group["lr"] = torch.tensor(rate, device=device) if graphed else rate
            if "capturable" in optimizer.defaults:
                group["capturable"] = graphed or optimizer.defaults["capturable"]
            on_device = group.get("capturable") or group.get("fused")
            for weight in group["params"]:
                count = optimizer.state.get(weight, {}).get("step")
                if isinstance(count, Tensor):
                    optimizer.state[weight]["step"] = count.to(device if on_device else "cpu")


class GraphedIteration:
    """An iteration that is recorded once, and from then on played back by a single launch.

    Args:
        iteration: makes all updates from a draw, always the same work on tensors of the same shapes, and returns
            curves by name. It may not wait for the device.
        noise: the random generator it draws from, besides the device's own.

    References:
        PyTorch's notes on CUDA semantics, "Whole-network capture".
    """

    def __init__(self, iteration: Callable[[Draw], Curves], noise: torch.Generator) -> None:
        self.iteration = iteration
        self.noise = noise
        self.stream = torch.cuda.Stream()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.done = 0

    def __call__(self, draw: Draw) -> Curves:
        """The curves of one more iteration, by name."""
        if self.done < _WARM_UP:
            self.done += 1
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                curves = self.iteration(draw)
            torch.cuda.current_stream().wait_stream(self.stream)
            return curves
        if self.graph is None:
            self._record(draw)
        for kept, tensor in zip(self.draw.tensors(), draw.tensors(), strict=True):
            kept.copy_(tensor)
        assert self.graph is not None
        self.graph.replay()
        parts = self.values.clone().split([shape.numel() for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def _record(self, draw: Draw) -> None:
        self.draw = draw.map(Tensor.clone)
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.noise)
        with torch.cuda.graph(self.graph):
            curves = self.iteration(self.draw)
            self.shapes = {name: value.shape for name, value in curves.items()}
            self.values = torch.cat([value.float().flatten() for value in curves.values()])
