"""ADA's geometric operations, all in one affine map."""

import math

import torch
from torch import Tensor

from gan_lab.augmentations.augmentation import to_chosen
from gan_lab.augmentations.draws import Draws
from gan_lab.augmentations.resampling import warped

_SHIFT = 0.125  # of a side: the largest shift by whole pixels, and the standard deviation of the other
_SCALE = 0.2  # standard deviation of the binary logarithm of a scale


def move(images: Tensor, draws: Draws, p: Tensor, blit: bool, general: bool) -> Tensor:
    """Images ``[B, C, H, W]`` mirrored, turned, moved and scaled, each operation with probability p.

    Those to which none applies are left as they are; the others are resampled, once.

    Args:
        images: they are not changed.
        draws: the random numbers.
        p: the probability, a scalar.
        blit: mirror, turn by 90° and move by whole pixels.
        general: scale, turn by any angle, stretch and move by parts of a pixel.
    """
    back = torch.eye(3, device=images.device, dtype=images.dtype).expand(len(images), 3, 3)
    any_of_them = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    size = images.new_tensor([images.shape[3], images.shape[2]])
    steps = [*(_blit(images, draws, size) if blit else ()), *(_general(images, draws, size) if general else ())]
    for inverse, twice in steps:
        once = 1 - (1 - p).sqrt() if twice else p
        chosen = draws.chosen(images, once)
        back = torch.where(chosen[:, None, None], back @ inverse, back)
        any_of_them = any_of_them | chosen
    return to_chosen(lambda picked, indices: warped(picked, back[indices]), images, any_of_them)


def _blit(images: Tensor, draws: Draws, size: Tensor) -> list[tuple[Tensor, bool]]:
    """Inverses of the operations ``[B, 3, 3]``, in order, and whether each is one of two that share p."""
    mirrored = 1 - 2 * draws.whole(images, 0, 1).to(images.dtype)
    quarters = draws.whole(images, 0, 3).to(images.dtype)
    moved = ((draws.uniform(images, 2) * 2 - 1) * _SHIFT * size).round()
    return [
        (_scaled(mirrored, torch.ones_like(mirrored)), False),
        (_turned(quarters * math.pi / 2), False),
        (_moved(moved), False),
    ]


def _general(images: Tensor, draws: Draws, size: Tensor) -> list[tuple[Tensor, bool]]:
    """As `_blit`. Turning before and after stretching makes it stretch in any direction."""
    scale = (draws.normal(images) * _SCALE).exp2()
    before, after = draws.uniform(images, 2).unbind(1)
    stretch = (draws.normal(images) * _SCALE).exp2()
    moved = draws.normal(images, 2) * _SHIFT * size
    return [
        (_scaled(1 / scale, 1 / scale), False),
        (_turned((before * 2 - 1) * math.pi), True),
        (_scaled(1 / stretch, stretch), False),
        (_turned((after * 2 - 1) * math.pi), True),
        (_moved(moved), False),
    ]


def _scaled(x: Tensor, y: Tensor) -> Tensor:
    """Matrices ``[B, 3, 3]`` that scale by ``x`` and ``y``, ``[B]``."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], 1))


def _turned(angle: Tensor) -> Tensor:
    """Matrices ``[B, 3, 3]`` that turn by angles ``[B]``."""
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = [cosine, -sine, zero, sine, cosine, zero, zero, zero, torch.ones_like(angle)]
    return torch.stack(rows, 1).view(-1, 3, 3)


def _moved(by: Tensor) -> Tensor:
    """The inverses ``[B, 3, 3]`` of moves by ``[B, 2]`` pixels to the right and down."""
    matrices = torch.eye(3, device=by.device, dtype=by.dtype).repeat(len(by), 1, 1)
    matrices[:, :2, 2] = -by
    return matrices
