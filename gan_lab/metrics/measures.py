"""What is measured, and the two sets of samples that are compared."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from gan_lab.datasets import Dataset
from gan_lab.errors import ConfigError
from gan_lab.metrics import memorisation
from gan_lab.metrics.frechet import Moments
from gan_lab.metrics.kernel import RealSubsets
from gan_lab.metrics.neighbours import neighbour_radii

log = logging.getLogger(__name__)

_SUBSET = 1000  # samples in a subset, if no number is asked for


@dataclass(frozen=True)
class Measures:
    """Which metrics are computed, and with which settings.

    Args:
        metrics: some of ``fd``, ``kid``, ``prdc``, ``score``, ``classes``, ``modes``, ``memorisation``; of generators
            that are given labels, also ``class_accuracy`` and ``intra_fd``.
        k: number of nearest neighbours for precision, recall, density and coverage.
        kid_subsets: number of pairs of subsets that the kernel distance is averaged over.
        kid_subset_size: number of samples in a subset; None for 1,000, or all of fewer, as if that had been asked for.
    """

    metrics: Sequence[str]
    k: int = 5
    kid_subsets: int = 100
    kid_subset_size: int | None = 1000

    def fingerprint(self) -> dict[str, int | None]:
        """The settings that the values depend on."""
        used: dict[str, int | None] = {"k": self.k} if "prdc" in self.metrics else {}
        if "kid" in self.metrics:
            used |= {"kid_subsets": self.kid_subsets, "kid_subset_size": self.kid_subset_size}
        if "memorisation" in self.metrics:
            used["memorisation"] = memorisation.DEFINITION
        return used

    def fitted(self, size: int, training: Dataset | None = None) -> "Measures":
        """The measures for sets of ``size`` samples: subsets are no larger than that, which is said.

        Args:
            size: number of samples in each of the sets.
            training: the dataset of a run, whose held-out samples are compared; None for files, compared whole.

        Raises:
            ConfigError: if the sets are too small for the metrics.
        """
        if size < 2:
            raise ConfigError(f"dataset: only {size} samples are left to compare; expected 2 or more")
        if "prdc" in self.metrics and size <= self.k:
            raise ConfigError(f"evaluation.k={self.k}: expected less than {_limit(size, training)} will do")
        asked = _SUBSET if self.kid_subset_size is None else self.kid_subset_size
        if "kid" not in self.metrics or size >= asked:
            return replace(self, kid_subset_size=asked)
        if self.kid_subset_size is not None:
            log.warning(
                "gan-lab: warning: evaluation.kid_subset_size=%d: there are %d samples to compare; kid takes them all",
                asked,
                size,
            )
        return replace(self, kid_subset_size=size, kid_subsets=1)  # all subsets would be the same


def _limit(size: int, training: Dataset | None) -> str:
    """What there are only so many samples of, and what would help."""
    if training is None:
        return f"the number of samples compared, {size}; a smaller k or more samples"
    known = len(training.train)
    if size < len(training.test) and size in (known, known // 2):  # `RealSets` has no more for the floor
        return (
            f"the number of training samples that the floor compares, {size} of {known}; a smaller k or more training "
            "samples"
        )
    return f"the number of held-out samples compared, {size}; a smaller k, more samples or a larger dataset.held_out"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two sets of a comparison.

    Args:
        samples: uint8 ``[N, C, H, W]`` or points ``[N, D]``.
        features: ``[N, d]``.
        logits: ``[N, K]`` or ``[N, C, K]``; None if the extractor does not classify.
        k: number of the neighbour that `radii` reach to.
        labels: the class of each sample, or that it was asked to be of, ``[N]``; None if there are none.
    """

    samples: Tensor
    features: Tensor
    logits: Tensor | None
    k: int
    labels: Tensor | None = None

    @classmethod
    def whole(cls, parts: "Sequence[Side]", device: torch.device) -> "Side":
        """One set from the parts that several processes hold, with features and logits on ``device``."""
        logits = [part.logits.to(device) for part in parts if part.logits is not None]
        labels = [part.labels for part in parts if part.labels is not None]
        return cls(
            torch.cat([part.samples for part in parts]),
            torch.cat([part.features.to(device) for part in parts]),
            torch.cat(logits) if logits else None,
            parts[0].k,
            torch.cat(labels) if labels else None,
        )

    @cached_property
    def moments(self) -> Moments:
        return Moments.of(self.features)

    @cached_property
    def radii(self) -> Tensor:
        return neighbour_radii(self.features, self.k)

    def subsets(self, fakes: int, number: int, size: int) -> RealSubsets:
        """The subsets of a kernel distance between these samples and so many generated ones."""
        key = (fakes, number, size)
        if key not in self._subsets:
            self._subsets[key] = RealSubsets.of(self.features, *key)
        return self._subsets[key]

    @cached_property
    def _subsets(self) -> dict[tuple[int, int, int], RealSubsets]:
        return {}
