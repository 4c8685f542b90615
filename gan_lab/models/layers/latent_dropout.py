"""Dropout that is noise in training and a function of the latent in evaluation."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gan_lab.validation import check_number

_BITS = 24  # of a random number: as many as a float32 holds exactly
_FRACTION = 40  # bits behind the point of a latent's numbers
_BLOCK = 40  # 2⁴⁰ numbers of a latent's stream belong to each layer


class LatentDropout(nn.Module):
    """Sets features to zero with a probability and divides the others by the probability of those that stay.

    In training mode this is ordinary dropout. In eval mode a sample's mask is a pure function of its own latent: equal
    latents have equal masks in any batch, in any order and on any device, and PyTorch's random state is neither read
    nor changed. The masks are drawn with integer arithmetic, not with a `torch.Generator`, so `torch.export` and ONNX
    know them and a GPU need not wait for the CPU.

    Args:
        probability: of a feature to become zero, from 0 to below 1; with 0 features stay as they are.
        number: of the layer within its network; layers of different numbers draw different masks from one latent.
    """

    def __init__(self, probability: float, number: int) -> None:
        check_number("LatentDropout.probability", probability, at_least=0, below=1)
        super().__init__()
        self.probability = probability
        self.number = number

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        """Features ``[B, …]`` and latents ``[B, latent_dim]`` → the same features, some of them zero.

        The latents are looked at only in eval mode, and as float32.
        """
        if not self.probability:
            return features
        if self.training:
            return functional.dropout(features, self.probability)
        numbers = splitmix64(seeds_of(latents), math.prod(features.shape[1:]), self.number << _BLOCK)
        drawn = _shift_right(numbers, 64 - _BITS).to(torch.float32) * 2.0**-_BITS
        stays = (drawn >= self.probability).view(features.shape).to(features.dtype)
        return features * stays / (1 - self.probability)


def seeds_of(latents: Tensor) -> Tensor:
    """A seed for each latent: ``[B, latent_dim]`` → ``[B]`` int64.

    It depends on every number and its place, as float32 and to 2⁻⁴⁰, for numbers below 2²³. (Their bits as they are
    would do for all numbers, but ONNX cannot read them.)
    """
    numbers = (latents.detach().to(torch.float32) * 2.0**_FRACTION).to(torch.int64)  # exact: float32 has 24 bits
    places = torch.arange(1, numbers.shape[1] + 1, device=numbers.device) * _STEP
    mixed = _mix(numbers + _mix(places))
    # in halves: onnxruntime adds integers exactly only below 2⁵³
    return _mix(_shift_right(mixed, 32).sum(1)) + (mixed & ((1 << 32) - 1)).sum(1)


def splitmix64(seeds: Tensor, count: int, skipped: int = 0) -> Tensor:
    """Uniform random integers of 64 bits: of each seed's stream ``count`` ones, after the first ``skipped``.

    Products and sums are modulo 2⁶⁴; int64 holds the bits.

    Args:
        seeds: ``[B]`` int64.
        count: how many for each seed.
        skipped: how many are left out before them.

    Returns:
        ``[B, count]`` int64.

    References:
        Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number Generators (OOPSLA).
    """
    steps = torch.arange(skipped + 1, skipped + count + 1, device=seeds.device) * _STEP
    return _mix(seeds[:, None] + steps)


def _signed(bits: int) -> int:
    """The int64 of the same 64 bits."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits


_STEP = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def _shift_right(numbers: Tensor, bits: int) -> Tensor:
    """A shift that fills up with zeros, where that of int64 repeats the sign."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)


def _mix(states: Tensor) -> Tensor:
    """SplitMix64's output for its states: every bit depends on every bit."""
    states = (states ^ _shift_right(states, 30)) * _FIRST
    states = (states ^ _shift_right(states, 27)) * _SECOND
    return states ^ _shift_right(states, 31)
