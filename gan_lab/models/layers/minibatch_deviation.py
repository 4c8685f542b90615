"""Minibatch standard deviation (Karras et al. 2018, arXiv 1710.10196, §3): how varied a batch is, told to D."""

import torch
from torch import Tensor, nn

from gan_lab.validation import check_positive


class MinibatchDeviation(nn.Module):
    """Appends one map: how much the samples of a group differ, on average over channels and positions.

    It is the standard deviation over the group's samples, the biased one, of each channel at each position. Groups are
    of consecutive samples, so real and generated samples in one batch stay apart if the group's size divides their
    number. Samples left over are a group of their own.

    Args:
        group: samples in a group.
    """

    def __init__(self, group: int) -> None:
        check_positive("MinibatchDeviation.group", group)
        super().__init__()
        self.group = group

    def forward(self, features: Tensor) -> Tensor:
        """Features ``[B, C, H, W]`` → ``[B, C + 1, H, W]``."""
        count = len(features)
        whole = count - count % self.group
        parts = [self._deviations(features[:whole], self.group)] if whole else []
        if whole < count:
            parts.append(self._deviations(features[whole:], count - whole))
        maps = torch.cat(parts)[:, None, None, None].expand(-1, 1, *features.shape[2:])
        return torch.cat([features, maps.to(features.dtype)], 1)

    @staticmethod
    def _deviations(features: Tensor, group: int) -> Tensor:
        """A number for each sample, ``[B]``, the same within a group."""
        grouped = features.float() if features.dtype.itemsize < 4 else features
        variances = grouped.unflatten(0, (-1, group)).var(1, correction=0)
        # a root has an infinite slope at zero
        return (variances + 1e-8).sqrt().flatten(1).mean(1).repeat_interleave(group)


def coupled_count(discriminator: nn.Module, batch: int) -> int | None:
    """A number of samples, no larger than need be, that `MinibatchDeviation` treats as it treats a batch.

    None if the network has no such layer.
    """
    groups = {module.group for module in discriminator.modules() if isinstance(module, MinibatchDeviation)}
    if not groups:
        return None
    group = max(groups)
    return batch if batch < group or len(groups) > 1 else group + batch % group
