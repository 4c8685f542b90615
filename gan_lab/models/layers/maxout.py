"""Maxout: the largest of several linear maps (Goodfellow et al. 2013, Maxout Networks, arXiv 1302.4389)."""

from torch import Tensor, nn


class Maxout(nn.Module):
    """Every output is the largest of ``pieces`` affine functions of the input.

    Args:
        fan_in: features of the input.
        fan_out: features of the output.
        pieces: affine functions for each of them.
    """

    def __init__(self, fan_in: int, fan_out: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(fan_in, fan_out * pieces)
        self.pieces = pieces

    def forward(self, features: Tensor) -> Tensor:
        """``[B, fan_in]`` → ``[B, fan_out]``."""
        return self.linear(features).unflatten(1, (-1, self.pieces)).amax(2)
