"""Path length regularisation: steps of a style should move every picture equally far."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from gan_lab.distributed.collectives import global_mean, own_part, process_count
from gan_lab.losses.penalties import batch_mean, roots
from gan_lab.losses.terms import GeneratorStep, Term
from gan_lab.losses.weighted import A_PART
from gan_lab.models.conditions import conditions_for
from gan_lab.models.layers.mapping import Mapped, mapped


class RunningMean(nn.Module):
    """A mean that is saved with the run.

    Attributes:
        value: a scalar, 0 at first.
    """

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))

    def follow(self, values: Tensor, share: float) -> Tensor:
        """Move the mean this share of the way to that of values ``[B]``, if that is finite; returns it."""
        moved = self.value.lerp(global_mean(values.detach()).to(self.value.dtype), share)
        self.value.copy_(torch.where(moved.isfinite(), moved, self.value))  # a run may skip an update that is not
        return self.value.clone()


@dataclass(frozen=True)
class PathLength(Term):
    """E (‖Jᵀy‖ − a)², where J is the Jacobian of a picture by its styles and y is noise in the form of a picture.

    y ~ N(0, 1/positions). ‖Jᵀy‖² is the squared norm of the gradient of ⟨picture, y⟩ by a layer's style, averaged over
    the layers. a is the running mean of ‖Jᵀy‖. The first half of the update's batch is looked at.

    Args:
        weight: its factor in the loss.
        every: see `Term`.
        decay: share of the newest lengths in a.

    References:
        Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN (arXiv 1912.04958), §3.2 and appendix
        B.
    """

    weight: float = 2.0
    every: int = 4
    decay: float = 0.01
    mean: RunningMean = field(default_factory=RunningMean, init=False, compare=False, repr=False, metadata=A_PART)
    uses_real: ClassVar[bool] = False
    looks_at_styles: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay > 1:
            raise ValueError(f"PathLength.decay={self.decay}: expected a number from 0 to 1")

    @property
    def state(self) -> RunningMean:
        return self.mean

    def __call__(self, step: GeneratorStep) -> Tensor:
        generator = step.networks["generator"]
        asked = step.request.map(lambda tensor: tensor[: max(1, len(tensor) // 2)])
        styles = mapped(generator).styles(asked.latents, **conditions_for(generator, asked))
        lengths = path_lengths(mapped(generator), styles)
        mean = self.mean.follow(lengths, self.decay)
        return batch_mean((lengths - mean).square())


def path_lengths(generator: Mapped, styles: Tensor) -> Tensor:
    """‖Jᵀy‖ of styles ``[B, layers, style]`` with fresh noise y: ``[B]``, differentiable in the generator's weights."""
    samples = generator.synthesis(styles)
    count, *shape = samples.shape
    noise = torch.randn(count * process_count(), *shape, device=samples.device, dtype=samples.dtype)
    directions = own_part(noise) / samples[0, 0].numel() ** 0.5
    (slopes,) = torch.autograd.grad((samples * directions).sum(), styles, create_graph=True)
    return roots(slopes.square().sum(2).mean(1))
