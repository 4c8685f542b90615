"""The arithmetic of an iteration, and how long this processor takes for it at least."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import flop_registry

_TIMED = 0.2  # seconds for which each product is repeated


class Products(TorchDispatchMode):
    """Counts the matrix products and convolutions made inside, backward passes included, with PyTorch's formulas.

    Attributes:
        flops: additions and multiplications of all together.
        calls: how often each was made.
        examples: by its name and shapes, a product's operations and a function that makes it again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.calls: Counter[str] = Counter()
        self.examples: dict[str, tuple[int, Callable[[], Any]]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        made = func(*args, **named)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            flops = formula(*args, **named, out_val=made)
            key = f"{func} {tree_map(_shape, (args, named))}"
            self.flops += flops
            self.calls[key] += 1
            self.examples.setdefault(key, (flops, lambda: func(*args, **named)))
        return made


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else value


@dataclass(frozen=True)
class Limit:
    """The least time for some products.

    Args:
        products: seconds of all, each as quick as it is alone.
        best: seconds at the rate of the quickest of them.
    """

    products: float
    best: float

    @classmethod
    def of(cls, products: Products) -> "Limit":
        """What this processor takes; each product is made again and again with the tensors that it was made with."""
        alone, rates = 0.0, []
        for key, (flops, call) in products.examples.items():
            least = _least_seconds(call)
            alone += products.calls[key] * least
            rates.append(flops / least)
        return cls(alone, products.flops / max(rates))


@torch.no_grad()
def _least_seconds(call: Callable[[], Any]) -> float:
    taken = [_seconds(call)]
    taken += [_seconds(call) for _ in range(max(3, math.ceil(_TIMED / taken[0])))]
    return min(taken)


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
