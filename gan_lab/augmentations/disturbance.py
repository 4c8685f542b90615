"""ADA's optional operations: frequency bands amplified, noise, and a box cut out."""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from gan_lab.augmentations.augmentation import to_chosen
from gan_lab.augmentations.draws import Draws, each
from gan_lab.augmentations.moves import without_box

# Daubechies' wavelet with two vanishing moments, of least asymmetry: "sym2"
_SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # of natural images in the bands, the lowest first
_BAND = 1.0  # standard deviation of the binary logarithm of a band's factor
_NOISE = 0.1  # standard deviation of the noise's standard deviation
_CUT = 0.5  # of a side


@cache  # not made while it is imported: a process that has used OpenMP cannot be forked
def bands() -> Tensor:
    """Filters ``[4, n]`` of the four bands, in float64: an octave each but the lowest. Their sum changes nothing."""
    low = torch.tensor(_SYM2, dtype=torch.float64)
    high = low * torch.tensor([1, -1, 1, -1])
    half_low, half_high = (_convolved(one[None], one.flip(0))[0] / 2 for one in (low, high))
    filters = torch.zeros(4, 1, dtype=torch.float64)
    filters[0] = 1
    for band in range(1, 4):  # the filters so far become those of the lower half, and a band is the upper half
        wider = torch.stack([filters, torch.zeros_like(filters)], 2).flatten(1)[:, :-1]
        filters = _convolved(wider, half_low)
        begin = (filters.shape[1] - len(half_high)) // 2
        filters[band, begin : begin + len(half_high)] += half_high
    return filters


def _convolved(rows: Tensor, taps: Tensor) -> Tensor:
    """Rows ``[R, n]`` convolved with taps ``[k]``: ``[R, n + k − 1]``."""
    reach = len(taps) - 1
    return conv2d(rows[:, None, None], taps.flip(0)[None, None, None], padding=(0, reach))[:, 0, 0]


def amplify(samples: Tensor, draws: Draws, p: Tensor) -> Tensor:
    """Samples ``[B, C, H, W]`` with each frequency band times 2^N(0, 1), with probability p each.

    The factors are scaled so that a natural image keeps its power. The image goes on mirrored beyond its border.
    """
    power = samples.new_tensor(_POWER)
    factors = torch.ones(len(samples), 4, device=samples.device, dtype=samples.dtype)
    any_of_them = torch.zeros(len(samples), dtype=torch.bool, device=samples.device)
    for band in range(4):
        raised = torch.ones_like(factors)
        raised[:, band] = (draws.normal(samples) * _BAND).exp2()
        raised = raised / (power * raised.square()).sum(1, keepdim=True).sqrt()
        chosen = draws.chosen(samples, p)
        factors = torch.where(chosen[:, None], factors * raised, factors)
        any_of_them = any_of_them | chosen
    taps = factors @ bands().to(factors)
    return to_chosen(lambda picked, indices: _filtered(picked, taps[indices]), samples, any_of_them)


def _filtered(samples: Tensor, taps: Tensor) -> Tensor:
    """Samples ``[B, C, H, W]`` filtered along both dimensions by the taps ``[B, n]`` of each."""
    count, channels = samples.shape[:2]
    own = taps.repeat_interleave(channels, 0)
    reach = taps.shape[1] // 2
    planes = samples.flatten(0, 1)[None]
    for dim, shape in ((3, (1, -1)), (2, (-1, 1))):
        planes = conv2d(_mirrored(planes, dim, reach), own.view(count * channels, 1, *shape), groups=count * channels)
    return planes[0].unflatten(0, (count, channels))


def _mirrored(planes: Tensor, dim: int, reach: int) -> Tensor:
    """Planes with ``reach`` more rows or columns on either side, mirrored as often as it takes."""
    while reach > 0:
        step = min(reach, planes.shape[dim] - 1)
        planes = pad(planes, (step, step, 0, 0) if dim == 3 else (0, 0, step, step), mode="reflect")
        reach -= step
    return planes


def add_noise(samples: Tensor, draws: Draws, p: Tensor) -> Tensor:
    """Samples with noise N(0, σ²) in every number, σ = |N(0, 0.1²)| of each sample, with probability p."""
    deviation = draws.normal(samples).abs() * _NOISE
    noise = draws.normal(samples, *samples.shape[1:])
    chosen = draws.chosen(samples, p)
    return torch.where(each(chosen), samples + noise * each(deviation), samples)


def cut(images: Tensor, draws: Draws, p: Tensor) -> Tensor:
    """Images with a box of half of either side set to zero, its centre anywhere, with probability p."""
    height, width = images.shape[2:]
    centre = draws.uniform(images, 2) * images.new_tensor([width, height]) - 0.5  # pixel i is at i
    size = draws.chosen(images, p) * _CUT
    across, down = size * width, size * height
    return without_box(images, centre[:, 0] - across / 2, centre[:, 1] - down / 2, across, down)
