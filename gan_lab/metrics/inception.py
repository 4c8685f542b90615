"""Inception-v3 with the FID's weights, by torch-fidelity; the one extractor whose weights come from elsewhere."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

from gan_lab.errors import ConfigError
from gan_lab.storage.cache import cache_folder

_SHA256 = "6726825d"  # what that of the published file begins with
_NAME = f"weights-inception-2015-12-05-{_SHA256}.pth"
_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_NAME}"


class _PoolAndLogits(nn.Module):
    """torch-fidelity's network, which gives the pooled features ``[B, 2048]`` and the unbiased logits ``[B, 1008]``."""

    def __init__(self, file: Path) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        super().__init__()
        self.network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(file))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images)


def load_inception(weights: Path | None, download: bool) -> nn.Module:
    """The network, from the weights file given or kept in the cache folder.

    Raises:
        ConfigError: if torch-fidelity or the file is missing, or the file is another.
    """
    if find_spec("torch_fidelity") is None:
        raise ConfigError(
            "evaluation/extractor=inception: torch-fidelity is missing; pip install 'gan-loss-lab[inception]'"
        )
    file = cache_folder() / _NAME if weights is None else weights.expanduser()
    if weights is None and download:
        _download(file)
    if not file.is_file():
        raise ConfigError(
            f"evaluation/extractor=inception: the weights are not at {file}; put {_NAME} there ({_URL}), name another "
            "place with evaluation.extractor.weights=FILE, or fetch it with evaluation.extractor.download=true"
        )
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if not digest.startswith(_SHA256):
        raise ConfigError(
            f"evaluation.extractor.weights={file}: its SHA-256 starts {digest[:8]}, expected {_SHA256}: "
            "not the weights of the FID"
        )
    return _PoolAndLogits(file)


def _download(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        if not file.is_file():
            try:
                torch.hub.download_url_to_file(_URL, str(file), hash_prefix=_SHA256, progress=False)
            except (OSError, RuntimeError) as error:
                raise ConfigError(
                    f"evaluation.extractor.download=true: {_URL} could not be fetched: {error}"
                ) from error
