"""ADA's colour operations, all in one affine map of a pixel's colour."""

import math

import torch
from torch import Tensor

from gan_lab.augmentations.augmentation import to_chosen
from gan_lab.augmentations.draws import Draws

_BRIGHTNESS = 0.2  # standard deviation of what is added
_CONTRAST = 0.5  # of the binary logarithm of a factor
_SATURATION = 1.0  # the same
CHANNELS = (1, 3)
"""Numbers of channels whose colours are known."""


def recolour(samples: Tensor, draws: Draws, p: Tensor) -> Tensor:
    """Samples ``[B, C, H, W]`` of 1 or 3 channels recoloured, each operation with probability p.

    Brightness, contrast, inverted luma, hue and saturation, in this order; the last two of colours alone. A grey sample
    gets what a grey pixel's channels become, on average.
    """
    back = torch.eye(4, device=samples.device, dtype=samples.dtype).expand(len(samples), 4, 4)
    any_of_them = torch.zeros(len(samples), dtype=torch.bool, device=samples.device)
    for matrix in _matrices(samples, draws):
        chosen = draws.chosen(samples, p)
        back = torch.where(chosen[:, None, None], matrix @ back, back)
        any_of_them = any_of_them | chosen
    return to_chosen(lambda picked, indices: _applied(picked, back[indices]), samples, any_of_them)


def _matrices(samples: Tensor, draws: Draws) -> list[Tensor]:
    """Maps of (red, green, blue, 1), ``[B, 4, 4]`` each, in order."""
    whole = torch.eye(4, device=samples.device, dtype=samples.dtype)
    grey = samples.new_tensor([1, 1, 1, 0]) / math.sqrt(3)  # the direction of luma
    luma = torch.outer(grey, grey)
    alpha = torch.outer(whole[3], whole[3])

    def times(numbers: Tensor, matrix: Tensor) -> Tensor:
        return numbers[:, None, None] * matrix

    added = draws.normal(samples) * _BRIGHTNESS
    factor = (draws.normal(samples) * _CONTRAST).exp2()
    inverted = draws.whole(samples, 0, 1).to(samples.dtype)
    found = [
        whole + times(added * math.sqrt(3), torch.outer(grey, whole[3])),
        times(factor, whole - alpha) + alpha,
        whole - times(2 * inverted, luma),
    ]
    if samples.shape[1] == 1:
        return found
    angle = (draws.uniform(samples) * 2 - 1) * math.pi
    richer = (draws.normal(samples) * _SATURATION).exp2()
    chroma = whole - alpha - luma
    red, green, blue = whole[:3]
    # the cross product with the unit vector of luma
    pairs = ((green, red), (blue, green), (red, blue))
    turn = torch.stack([torch.outer(one, two) - torch.outer(two, one) for one, two in pairs]).sum(0) / math.sqrt(3)
    hue = luma + alpha + times(angle.cos(), chroma) + times(angle.sin(), turn)
    return [*found, hue, luma + alpha + times(richer, chroma)]


def _applied(samples: Tensor, matrices: Tensor) -> Tensor:
    pixels = samples.flatten(2)
    if samples.shape[1] == 1:
        mean = matrices[:, :3].mean(1, keepdim=True)  # of the three channels that grey would become
        changed = pixels * mean[:, :, :3].sum(2, keepdim=True) + mean[:, :, 3:]
    else:
        changed = matrices[:, :3, :3] @ pixels + matrices[:, :3, 3:]
    return changed.view_as(samples)
