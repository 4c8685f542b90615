"""What the pictures of a run show. Each view draws an algorithm's networks as uint8 ``[H, W, 3]``.

Networks run in eval mode, and no random number is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.datasets.batch import Batch, Request
from gan_lab.datasets.dataset import to_model_range
from gan_lab.metrics.evaluator import encode, generate
from gan_lab.metrics.memorisation import nearest_two
from gan_lab.models.cyclegan import Reverse
from gan_lab.storage.pictures import draw, draw_grid, draw_groups

View = Callable[[Algorithm], np.ndarray]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples in a grid, or a scatter plot of points.

    Args:
        request: what the generator is asked for.
        real: real samples ``[M, …]``, drawn behind generated points; pictures of images do without.
        columns: images in a row; None for about as many as there are rows.
    """

    request: Request
    real: Tensor
    columns: int | None = None

    def __call__(self, module: Algorithm) -> np.ndarray:
        return draw(generate(module.sampler, self.request), self.real, self.columns)


@dataclass(frozen=True, eq=False)
class Closest:
    """Groups of a sample, the training sample nearest to it and the held-out one, by pixels; the closest copies first.

    Args:
        request: what the generator is asked for.
        training: uint8 ``[M, C, H, W]``.
        held_out: the same.
        count: groups that are drawn.
    """

    request: Request
    training: Tensor
    held_out: Tensor
    count: int = 24

    def __call__(self, module: Algorithm) -> np.ndarray:
        made = generate(module.sampler, self.request)
        seen, unseen = (nearest_two(made, one) for one in (self.training, self.held_out))
        order = (seen.distance / seen.second).argsort(stable=True)[: self.count]
        groups = [made[order], self.training[seen.which[order]], self.held_out[unseen.which[order]]]
        return draw_groups(groups, ("sample", "training", "held-out"))


@dataclass(frozen=True, eq=False)
class Translations:
    """Groups of a source, its translation, and what comes back from there or else the target.

    Args:
        request: what the generator is asked for, N translations.
        sources: what it translates, uint8 ``[N, C, H, W]``.
        targets: what each should become, uint8 ``[N, C', H, W]``; None if that is unknown.
        back: translate samples into sources, of an algorithm that learns both.
    """

    request: Request
    sources: Tensor
    targets: Tensor | None
    back: bool = False

    def __call__(self, module: Algorithm) -> np.ndarray:
        if module.translates_back:
            there, again = module.sampler, Reverse(module.sampler)
            if self.back:
                there, again = again, there
            made = generate(there, self.request)
            returning = Request(self.request.latents, source=to_model_range(made))
            return draw_groups([self.sources, made, generate(again, returning)])
        made = generate(module.sampler, self.request)
        return draw_groups([self.sources, made, *([] if self.targets is None else [self.targets])])


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """Groups of a picture and what the generator makes of its latent.

    Args:
        real: uint8 ``[N, C, H, W]``, with labels or without.
    """

    real: Batch

    def __call__(self, module: Algorithm) -> np.ndarray:
        assert module.inference is not None
        request = Request(encode(module.inference, self.real.samples), self.real.labels)
        return draw_groups([self.real.samples, generate(module.sampler, request)])


@dataclass(frozen=True, eq=False)
class Interpolations:
    """Rows from one picture to another: the first, equal steps along the line between their latents, and the second.

    Args:
        start: where the rows begin, uint8 ``[N, C, H, W]``; its labels, if any, are asked for on the first half.
        end: where they end.
        steps: generated pictures in a row, those of the latents of both ends among them.
    """

    start: Batch
    end: Batch
    steps: int = 8

    def __call__(self, module: Algorithm) -> np.ndarray:
        assert module.inference is not None
        here, there = (encode(module.inference, one.samples)[:, None] for one in (self.start, self.end))
        way = torch.linspace(0, 1, self.steps)
        labels = None
        if self.start.labels is not None and self.end.labels is not None:
            labels = torch.where(way < 0.5, self.start.labels[:, None], self.end.labels[:, None]).flatten()
        request = Request(torch.lerp(here, there, way[None, :, None]).flatten(0, 1), labels)
        made = generate(module.sampler, request).unflatten(0, (-1, self.steps))
        rows = torch.cat([self.start.samples[:, None], made, self.end.samples[:, None]], dim=1)
        return draw_grid(rows.flatten(0, 1), columns=rows.shape[1])
