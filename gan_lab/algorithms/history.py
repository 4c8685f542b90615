"""A history of generated samples, from which a discriminator is shown older ones too."""

import torch
from torch import Tensor, nn


class History(nn.Module):
    """The last samples of a generator, as CycleGAN keeps 50 (Shrivastava et al. 2017, arXiv 1612.07828, §2.3).

    Until it is full, a new sample is kept and shown. Then it is shown with probability ½; otherwise a kept one, chosen
    at random, is shown, and the new one takes its place. The samples are buffers, so that a checkpoint holds them.

    Args:
        size: samples kept; 0 shows every new sample.
        shape: of a sample.
    """

    kept: Tensor
    count: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(size, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def shown(self, samples: Tensor, random: torch.Generator) -> Tensor:
        """As many samples as are given, ``[B, …]``: of them or of the kept ones; ``random`` is on their device."""
        size = len(self.kept)
        if size == 0:
            return samples
        old = torch.rand(len(samples), generator=random, device=random.device) < 0.5
        places = torch.randint(size, (len(samples),), generator=random, device=random.device)
        given = samples.clone()
        for number in range(len(samples)):  # one after the other: two may be for the same place
            is_full = self.count >= size
            place = torch.where(is_full, places[number], self.count)[None]
            sample, before = samples[number, None], self.kept.index_select(0, place)
            given[number] = torch.where(is_full & old[number], before, sample)[0]
            self.kept.index_copy_(0, place, torch.where(~is_full | old[number], sample, before))
            self.count += (~is_full).long()
        return given
