"""What turns samples into features. A metric's name ends in its extractor's, and its value depends on it."""

import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, relu

from gan_lab.datasets.dataset import Dataset
from gan_lab.errors import ConfigError
from gan_lab.validation import check_positive, check_seed

_OWN_NAMES = ("pixels", "points", "classifier", "random_conv", "inception")
Features = Tensor | tuple[Tensor, Tensor]


class Extractor(nn.Module):
    """Maps samples as the dataset holds them, uint8 ``[B, C, H, W]`` or points ``[B, D]``, to features ``[B, d]``.

    One that also classifies returns a pair, features and logits ``[B, K]``, or ``[B, C, K]`` where every channel has a
    class of its own. A plain ``torch.nn.Module`` of a user's serves as well, see `as_extractor`.
    """

    name: str
    """The end of the metrics' names."""
    resize: str | None = None
    """How images are brought to another size, if they are."""

    def check(self, dataset: Dataset) -> None:
        """Raise ConfigError if it cannot work on the dataset's samples; called before `prepare`, and quick."""

    def prepare(self, dataset: Dataset) -> None:
        """Get ready for the dataset's samples, however long it takes; called once before any `forward`.

        Raises:
            ConfigError: if something that it needs is missing.
        """

    def forward(self, samples: Tensor) -> Features:
        raise NotImplementedError

    def fingerprint(self) -> dict[str, Any]:
        """What of it a metric's value depends on."""
        return {"extractor": self.name, "weights": weights_hash(self), "resize": self.resize}

    @property
    def source(self) -> Path:
        """The file its code is in: cached features do not outlive a change of it."""
        return Path(inspect.getfile(type(self)))


class Pixels(Extractor):
    """Pixels / 255 themselves; for images alike in place, such as digits, a fair first look."""

    name = "pixels"

    def check(self, dataset: Dataset) -> None:
        _check_images(self.name, dataset)

    def forward(self, samples: Tensor) -> Tensor:
        return samples.flatten(1).double() / 255


class Points(Extractor):
    """Points as they are."""

    name = "points"

    def check(self, dataset: Dataset) -> None:
        if dataset.train.ndim != 2:
            raise ConfigError(
                f"evaluation/extractor=points: the dataset's samples are {_shape(dataset)}, expected points [D]"
            )

    def forward(self, samples: Tensor) -> Tensor:
        return samples.double()


class RandomConv(Extractor):
    """Random convolutions: three strided layers of fixed weights; of each layer's maps, mean and deviation.

    Random features tell textures and shapes apart without any training, for images of any size and number of channels.

    Args:
        channels: feature maps of the first layer, doubled in every layer after it.
        seed: of the weights.

    References:
        Naeem et al. 2020, §3.4, use random embeddings where no trained ones fit (arXiv 2002.09797).
    """

    name = "random_conv"

    def __init__(self, channels: int = 32, seed: int = 0) -> None:
        super().__init__()
        check_positive("channels", channels)
        check_seed("seed", seed)
        self.channels = channels
        self.seed = seed

    def check(self, dataset: Dataset) -> None:
        _check_images(self.name, dataset)

    def prepare(self, dataset: Dataset) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        inputs = dataset.sample_shape[0]
        self.layers = nn.ModuleList()
        for depth in range(3):
            outputs = self.channels * 2**depth
            layer = nn.Conv2d(inputs, outputs, 3, stride=1 if depth == 0 else 2, padding=1, bias=False)
            nn.init.kaiming_normal_(layer.weight, generator=generator)
            self.layers.append(layer)
            inputs = outputs
        self.double()

    def forward(self, samples: Tensor) -> Tensor:
        maps = samples.double() / 127.5 - 1
        features = []
        for layer in self.layers:
            maps = relu(layer(maps))
            features += [maps.mean((2, 3)), maps.std((2, 3), correction=0), adaptive_avg_pool2d(maps, 2).flatten(1)]
        return torch.cat(features, 1)


class Inception(Extractor):
    """The Inception-v3 of the FID, as ported bit for bit by torch-fidelity; with it, and it alone, a metric is ``fid``.

    Args:
        weights: the file ``weights-inception-2015-12-05-6726825d.pth``, or null to look for it in the cache folder.
        download: fetch the file into the cache folder if it is not there.

    References:
        Heusel et al. 2017 (arXiv 1706.08500); Obukhov et al. 2020, torch-fidelity (github.com/toshas/torch-fidelity).
    """

    name = "inception"
    resize = "bilinear 299, as TensorFlow 1"

    def __init__(self, weights: str | None = None, download: bool = False) -> None:
        super().__init__()
        self.weights = weights
        self.download = download

    def check(self, dataset: Dataset) -> None:
        _check_images(self.name, dataset)

    def prepare(self, dataset: Dataset) -> None:
        from gan_lab.metrics.inception import load_inception

        self.network = load_inception(None if self.weights is None else Path(self.weights), self.download)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        if samples.shape[1] == 1:
            samples = samples.expand(-1, 3, -1, -1)
        return self.network(samples)


class _Plain(Extractor):
    """A user's own module; its values depend on its settings, of which its weights may tell nothing."""

    def __init__(self, module: nn.Module, settings: dict[Any, Any]) -> None:
        super().__init__()
        self.module = module
        self.settings = settings
        self.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(module).__name__).lower()
        if self.name in _OWN_NAMES:
            raise ConfigError(
                f"evaluation.extractor: {type(module).__name__} would be called {self.name}, as gan-lab's own; "
                "rename the class"
            )

    def forward(self, samples: Tensor) -> Features:
        try:
            return self.module(samples)
        except (RuntimeError, TypeError) as error:
            kind = f"{samples.dtype} {list(samples.shape)}".removeprefix("torch.")
            raise ConfigError(
                f"evaluation.extractor: {self.name} cannot take samples as the dataset holds them, {kind}: "
                f"{str(error).splitlines()[0]}"
            ) from error

    def fingerprint(self) -> dict[str, Any]:
        return super().fingerprint() | {"settings": json.dumps(self.settings, sort_keys=True)}

    @property
    def source(self) -> Path:
        return Path(inspect.getfile(type(self.module)))


def as_extractor(module: nn.Module, settings: dict[Any, Any]) -> Extractor:
    """The module itself if it is an `Extractor`; a user's own under the name of its class, in small letters.

    Args:
        module: the extractor.
        settings: what it was made from, for the fingerprint of a user's own.

    Raises:
        ConfigError: if it would have the name of one of gan-lab's.
    """
    return module if isinstance(module, Extractor) else _Plain(module, settings)


def weights_hash(module: nn.Module) -> str | None:
    """The start of the SHA-256 over names and bytes of a module's weights and buffers; None if it has none."""
    state = module.state_dict()
    if not state:
        return None
    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _check_images(name: str, dataset: Dataset) -> None:
    shape = dataset.sample_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ConfigError(
            f"evaluation/extractor={name}: the dataset's samples are {_shape(dataset)}, "
            "expected images of 1 or 3 channels"
        )


def _shape(dataset: Dataset) -> str:
    return f"of shape {list(dataset.sample_shape)}"
