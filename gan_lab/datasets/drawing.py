"""How training draws samples: which of them, and what is done to each of them every time it is drawn."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_lab.seeds import derive
from gan_lab.validation import check_flag, is_number, quoted

_NOISE = 1 / 128  # bound of the dequantisation noise: about the distance between two levels of 8-bit pixels in [-1, 1]
_VALUES = 2**16  # of a number of 16 bits
_STEP = 16  # numbers of 16 bits that a step of Philox's counter gives


@dataclass(frozen=True)
class Drawing:
    """Settings that every dataset has; none of them touches what metrics, floors and pictures look at.

    Args:
        subset: share of the training samples of each class that is trained on, above 0 and at most 1; None for all.
        flip: mirror each image left to right with probability 1/2 whenever it is drawn.
        dequantise: add uniform noise from [0, 1/128) to every value of an image in [-1, 1] whenever it is drawn.

    Raises:
        ValueError: for a value out of range.

    References:
        Flips per draw: DiffAugment's and StudioGAN's default. Dequantisation: the code of Miyato et al. 2018
        (arXiv 1802.05957), after Theis et al. 2016 (arXiv 1511.01844).
    """

    subset: float | None = None
    flip: bool = False
    dequantise: bool = False

    def __post_init__(self) -> None:
        if self.subset is not None and (not is_number(self.subset) or not 0 < self.subset <= 1):
            raise ValueError(
                f"subset={quoted(self.subset)}: expected null or a number above 0 and at most 1, the share of each "
                "class to train on"
            )
        check_flag("flip", self.flip)
        check_flag("dequantise", self.dequantise)

    def check_samples(self, samples: Tensor) -> None:
        """Raise ValueError unless flips and noise are defined for the samples: they are for uint8 ``[N, C, H, W]``."""
        for name in ("flip", "dequantise"):
            if getattr(self, name) and (samples.ndim != 4 or samples.dtype != torch.uint8):
                kind = f"{str(samples.dtype).removeprefix('torch.')} {list(samples.shape)}"
                raise ValueError(f"{name}=true: the samples are {kind}, expected false or images of 8-bit pixels")

    def chosen(self, count: int, labels: Tensor | None, kind: str = "samples") -> Tensor | None:
        """The indices of the samples to train on, in order; None for all.

        They are the same in every run, and a smaller share is part of a larger one.

        Args:
            count: number of training samples.
            labels: their classes, ``[count]``; None chooses among all samples alike.
            kind: what they are, such as ``sources``; the choice among samples of another kind is another one.

        Raises:
            ValueError: if the share leaves a class without a sample, or fewer than two samples in all.
        """
        if self.subset is None:
            return None
        purpose = "subset" if kind == "samples" else f"{kind}/subset"
        shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(derive(0, purpose)))
        classes = torch.zeros(count, dtype=torch.long) if labels is None else labels
        parts = []
        for one in classes.unique().tolist():
            members = shuffled[classes[shuffled] == one]
            kept = round(self.subset * len(members))
            if not kept:
                of_class = "" if labels is None else f" of class {one}"
                raise ValueError(
                    f"subset={self.subset}: it leaves none of the {len(members)} training {kind}{of_class}, expected "
                    "a share that leaves one or more"
                )
            parts.append(members[:kept])
        chosen = torch.cat(parts).sort().values
        if len(chosen) < 2:
            raise ValueError(f"subset={self.subset}: it leaves 1 of {count} training {kind}, expected 2 or more")
        return chosen

    def flipped(self, samples: Tensor, start: int, seed: int, purpose: str) -> Tensor:
        """The samples, some of them mirrored; all as they are without ``flip``.

        Args:
            samples: consecutive samples of a stream, ``[B, …]``.
            start: the position of the first one in the stream. What is done to a sample is a function of its position,
                so it does not depend on the batch size or on what was drawn before.
            seed: the run's seed.
            purpose: the stream's, as in `gan_lab.seeds.derive`.
        """
        if not self.flip:
            return samples
        numbers = _uniform(derive(seed, f"{purpose}/flip"), start, len(samples), 1)
        mirrored = copied_to(samples.device, torch.from_numpy(numbers[:, 0] < _VALUES // 2))
        return torch.where(mirrored[:, None, None, None], samples.flip(-1), samples)

    def dequantised(self, samples: Tensor, start: int, seed: int, purpose: str) -> Tensor:
        """Images in [−1, 1] with noise, so below 1 + 1/128; as they are without ``dequantise``.

        The arguments are those of `flipped`.
        """
        if not self.dequantise:
            return samples
        numbers = _uniform(derive(seed, f"{purpose}/dequantise"), start, len(samples), samples[0].numel())
        noise = torch.from_numpy(numbers.astype(np.float32)).mul_(_NOISE / _VALUES)
        return samples + copied_to(samples.device, noise.view(samples.shape))


PLAIN = Drawing()
"""All samples, as they are."""


def copied_to(device: torch.device, drawn: Tensor) -> Tensor:
    """What was drawn on the CPU, on the samples' device; a GPU copies it from pinned memory, and nothing waits."""
    return drawn.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else drawn.to(device)


def _uniform(key: int, start: int, count: int, width: int) -> np.ndarray:
    """Random whole numbers from 0 to 65535, uint16 ``[count, width]``: row i is a function of key and ``start + i``.

    Philox makes its numbers from a key and a counter (Salmon et al. 2011), so those of any position are at hand at
    once. They are made on the CPU, so that they do not depend on where the samples lie.
    """
    steps = -(-width // _STEP)  # of the counter, for each row
    words = np.random.Philox(key=key, counter=start * steps).random_raw(count * steps * 4)
    return words.view(np.uint16).reshape(count, steps * _STEP)[:, :width]
