"""Logarithms of random convolutions, whitened on training samples: features of pictures that have no labels."""

import sys
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.dataset import Dataset
from gan_lab.metrics.extractors import Extractor, RandomConv, check_images
from gan_lab.storage.cache import cached, code_hash
from gan_lab.validation import check_positive

_MOST = 5000  # training samples to learn from: enough for the covariance of the features
_CHUNK = 64  # samples taken at a time
_OFFSET = 0.05  # of a feature's mean, added before the logarithm, so that a feature near 0 does not run away
_STEADY = 0.01  # nats: a feature, or a direction, that varies less than by 1 % is not amplified


class WhitenedConv(Extractor):
    """The features of `RandomConv`, in logarithm, projected on principal components of unit variance; ``[B, d]``.

    The means and deviations of filter responses are positive and vary over orders of magnitude. Among raw ones a grey
    picture lies in the middle of all others, and near each of them. Their logarithms are close to normal in real
    pictures, and on whitened axes a wrong contrast, colour, texture or sharpness is many deviations away.

    The components are those of up to 5000 training samples that no metric compares, kept in the cache under a hash of
    data, code and settings. There are no more of them than a quarter of these samples.

    Args:
        channels: feature maps of the first layer, doubled in each layer after it.
        dimensions: largest d.
        seed: seed of the weights.

    References:
        The marginals of filter responses as a description of texture: Heeger and Bergen 1995, SIGGRAPH. The planted
        faults that chose the settings are in docs/evaluation.md.
    """

    name = "whitened_conv"
    learns = True
    learns_from = _MOST
    offset: Tensor
    centre: Tensor
    components: Tensor

    def __init__(self, channels: int = 16, dimensions: int = 48, seed: int = 0) -> None:
        super().__init__()
        check_positive("dimensions", dimensions)
        self.dimensions = dimensions
        self.convolutions = RandomConv(channels, seed)

    def check(self, dataset: Dataset) -> None:
        check_images(self.name, dataset)

    def prepare(self, dataset: Dataset) -> None:
        self.convolutions.prepare(dataset)
        key = {
            "data": dataset.checksum,
            "shape": list(dataset.train.shape),  # the checksum is of bytes alone
            "code": code_hash(Path(__file__), self.convolutions.source),
            "channels": self.convolutions.channels,
            "dimensions": self.dimensions,
            "seed": self.convolutions.seed,
            "torch": torch.__version__,
        }
        made: dict[str, Tensor] = cached("whitenings", key, lambda: self._learn(dataset))
        for name in ("offset", "centre", "components"):
            self.register_buffer(name, made[name])

    def forward(self, samples: Tensor) -> Tensor:
        logs = (self.convolutions(samples) + self.offset).log()
        return (logs - self.centre) @ self.components

    def _learn(self, dataset: Dataset) -> dict[str, Tensor]:
        """What `_whitening` finds in the first of the training samples."""
        samples = dataset.train
        chosen = torch.arange(len(samples))[:_MOST]
        chunks = tqdm(
            chosen.split(_CHUNK), "whitening", dynamic_ncols=True, delay=2, leave=False, disable=not sys.stderr.isatty()
        )
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the order of a sum, and so its rounding, depends on the number of threads
        try:
            with torch.no_grad():
                responses = torch.cat([self.convolutions(samples[indices]) for indices in chunks])
                return _whitening(responses, min(self.dimensions, max(1, len(chosen) // 4)))
        finally:
            torch.set_num_threads(threads)


def _whitening(responses: Tensor, dimensions: int) -> dict[str, Tensor]:
    """What makes features of responses, ``[N, F]``, that are not negative.

    Returns:
        ``offset``: what is added before the logarithm, ``[F]``; ``centre``: the logarithms' mean, ``[F]``;
        ``components``: ``[F, dimensions]``, whose products with what is left have variance 1.
    """
    typical = responses.mean(0)
    offset = _OFFSET * typical.clamp(min=_STEADY * typical.mean())
    logs = (responses + offset).log()
    centre, scale = logs.mean(0), logs.std(0, correction=0).clamp(min=_STEADY)
    standard = (logs - centre) / scale
    variances, directions = torch.linalg.eigh(standard.T @ standard / len(standard))
    variances, directions = variances.flip(0)[:dimensions], directions.flip(1)[:, :dimensions]
    components = directions / variances.clamp(min=_STEADY**2).sqrt() / scale[:, None]
    return {"offset": offset, "centre": centre, "components": components}
