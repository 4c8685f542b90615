"""Self-attention over the positions of a feature map (Zhang et al. 2019, Self-Attention GAN, arXiv 1805.08318)."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """y = x + γ · o(x), where o is a weighted sum over all positions. γ starts at 0: the block starts as the identity.

    Args:
        channels: features of a position; keys, queries and values have an eighth of them, as in the paper.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.key, self.query, self.value = (nn.Conv1d(channels, inner, 1, bias=False) for _ in range(3))
        self.out = nn.Conv1d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, channels, positions…]`` → the same shape."""
        flat = features.flatten(2)
        scores = self.query(flat).transpose(1, 2) @ self.key(flat)  # [B, positions asking, positions asked]
        attended = self.out(self.value(flat) @ scores.softmax(2).transpose(1, 2))
        return features + self.gamma * attended.view_as(features)


class MapAttention(nn.Module):
    """Self-attention between the positions of a map as in SAGAN's code: y = x + γ · o(x), and γ starts at 0.

    Every position looks at the map pooled to half its sides: keys and values are the largest of 2×2 pixels. Scores are
    not divided by the root of their size. The block has 1.25 · channels² + 1 parameters.

    Args:
        channels: of the map. Queries and keys have an eighth of them, values half of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, half = max(1, channels // 8), max(1, channels // 2)
        self.query, self.key = (nn.Conv2d(channels, inner, 1, bias=False) for _ in range(2))
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, channels, H, W]``, H and W at least 2 → the same shape."""
        queries = self.query(features).flatten(2).transpose(1, 2)
        keys, values = (functional.max_pool2d(make(features), 2).flatten(2) for make in (self.key, self.value))
        weights = (queries @ keys).softmax(2)  # [B, positions asking, positions asked]
        attended = (values @ weights.transpose(1, 2)).unflatten(2, features.shape[2:])
        return features + self.gamma * self.out(attended)


class Heads(nn.Module):
    """The last layers of a discriminator: one logit, or two with attention.

    Args:
        first: features ``[B, …]`` → ``[B, 1, …]``, a logit.
        attention: applied to the features before either head, or None for none.
        second: the second head, as ``first``; only with attention.
    """

    def __init__(self, first: nn.Module, attention: nn.Module | None, second: nn.Module | None) -> None:
        super().__init__()
        self.first = first
        self.attention = attention
        self.second = second

    def forward(self, features: Tensor) -> Tensor:
        """Features → logits ``[B]``, or ``[B, 2]`` with attention."""
        if self.attention is None or self.second is None:
            return self.first(features).flatten()
        features = self.attention(features)
        return torch.cat([self.first(features).flatten(1), self.second(features).flatten(1)], 1)
