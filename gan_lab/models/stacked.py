"""Several networks of one architecture as one: their weights are stacked, and products of matrices are batched.

Inside, features are ``[R, B, …]`` for ``R`` replicas; outside, a batch is ``[R·B, …]``, one replica after the other. So
penalties and terms, which look at each sample by itself, need not know that there are several networks.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan_lab.models.conditions import Judgement, takes_labels
from gan_lab.models.layers.stacked import Scope, converted


class StackedNetwork(nn.Module):
    """Networks of one architecture as one, which maps batches ``[R·B, …]``, one replica after the other.

    The networks' own weights and buffers become views of the stacked ones: what changes here, changes there.

    Args:
        networks: in training mode, on one device.

    Attributes:
        flat: all weights, a row a replica, ``[R, P]``.
        weights: views of it, one of each weight, ``[R, …]``; a tuple, in the order of the networks' parameters.

    Raises:
        ConfigError: for a layer that cannot be stacked.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.count = len(networks)
        shapes = {name: weight.shape for name, weight in networks[0].named_parameters()}
        rows = [torch.cat([weight.detach().flatten() for weight in one.parameters()]) for one in networks]
        self.flat = torch.stack(rows)
        self.shapes = list(shapes.values())
        tensors: dict[str, Tensor] = {}
        for name, part in zip(shapes, self.parts(self.flat), strict=True):
            tensors[name] = nn.Parameter(part)
            for one, view in zip(networks, part, strict=True):
                one.get_parameter(name).data = view
        self.weights = tuple(tensors.values())
        for name, _ in networks[0].named_buffers():
            tensors[name] = torch.stack([one.get_buffer(name) for one in networks])
            where, _, last = name.rpartition(".")
            for one, view in zip(networks, tensors[name], strict=True):
                one.get_submodule(where)._buffers[last] = view
        self.uses_labels = takes_labels(networks[0])
        self.network = converted(networks[0], Scope(tensors))

    def parts(self, flat: Tensor) -> list[Tensor]:
        """A row ``[P]`` of numbers for each of some replicas, ``[N, P]``, as those of each weight, ``[N, …]``."""
        columns = flat.split([shape.numel() for shape in self.shapes], dim=1)
        return [part.view(-1, *shape) for part, shape in zip(columns, self.shapes, strict=True)]

    def forward(self, inputs: Tensor, labels: Tensor | None = None) -> Any:
        """Inputs ``[R·B, …]``, and labels ``[R·B]`` if the networks take them → what they give, one after the other."""
        given = (labels.unflatten(0, (self.count, -1)),) if self.uses_labels and labels is not None else ()
        made = self.network(inputs.unflatten(0, (self.count, -1)), *given)
        if isinstance(made, Judgement):
            classes = None if made.classes is None else made.classes.flatten(0, 1)
            return Judgement(made.logits.flatten(0, 1), classes)
        return made.flatten(0, 1)
