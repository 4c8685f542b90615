"""The Inception-v3 of the FID, from torch-fidelity: the only extractor whose weights must be fetched."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import torch
from filelock import FileLock
from torch import Tensor, nn

from gan_lab.datasets.dataset import Dataset
from gan_lab.errors import ConfigError
from gan_lab.metrics.extractors import Extractor, check_images
from gan_lab.storage.cache import cache_folder

_SHA256 = "6726825d"  # the start of the published file's
_NAME = f"weights-inception-2015-12-05-{_SHA256}.pth"
_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_NAME}"


class Inception(Extractor):
    """Inception-v3 as torch-fidelity ported it, bit for bit, from the FID's authors. Only its metrics are called FID.

    The features are the pooled ones, ``[B, 2048]``; the logits are those without bias, ``[B, 1008]``.

    Args:
        weights: the file ``weights-inception-2015-12-05-6726825d.pth``; None looks for it in the cache folder.
        download: fetch the file into the cache folder if it is not there.

    References:
        Heusel et al. 2017 (arXiv 1706.08500); Obukhov et al. 2020, torch-fidelity (github.com/toshas/torch-fidelity).
    """

    name = "inception"
    resize = "bilinear 299, as TensorFlow 1"
    score_splits = 10

    def __init__(self, weights: str | None = None, download: bool = False) -> None:
        super().__init__()
        self.weights = weights
        self.download = download

    def check(self, dataset: Dataset) -> None:
        check_images(self.name, dataset)

    def prepare(self, dataset: Dataset) -> None:
        self.network = _Network(self._weights_file())

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        if samples.shape[1] == 1:
            samples = samples.expand(-1, 3, -1, -1)
        return self.network(samples)

    def _weights_file(self) -> Path:
        """The weights file, fetched if asked for.

        Raises:
            ConfigError: if torch-fidelity or the file is missing, or the file is not the published one.
        """
        if find_spec("torch_fidelity") is None:
            raise ConfigError(
                "evaluation/extractor=inception: torch-fidelity is missing; uv sync brings it, or pip install "
                "'.[inception]' in gan_lab's folder"
            )
        file = cache_folder() / _NAME if self.weights is None else Path(self.weights).expanduser()
        if self.weights is None and self.download:
            _download(file)
        if not file.is_file():
            raise ConfigError(
                f"evaluation/extractor=inception: the weights are not at {file}; put {_NAME} there ({_URL}), name "
                "another place with evaluation.extractor.weights=FILE, or fetch it with "
                "evaluation.extractor.download=true"
            )
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if not digest.startswith(_SHA256):
            raise ConfigError(
                f"evaluation.extractor.weights={file}: its SHA-256 starts {digest[:8]}, expected {_SHA256}: "
                "not the weights of the FID"
            )
        try:
            torch.load(file, map_location="meta", weights_only=True)  # torch-fidelity would unpickle anything
        except (UnpicklingError, RuntimeError, ValueError) as error:
            raise ConfigError(f"evaluation.extractor.weights={file}: expected tensors alone in it") from error
        return file


class _Network(nn.Module):
    """torch-fidelity's network; the names of its weights, and so their hash, begin with ``network.network.``."""

    def __init__(self, file: Path) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # an optional package

        super().__init__()
        self.network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(file))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images)


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
