"""Extractors: networks that map samples to features. The value of a metric depends on its extractor."""

import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, relu

from gan_lab.config.messages import first_line, place
from gan_lab.datasets.dataset import Dataset
from gan_lab.errors import ConfigError
from gan_lab.validation import check_positive, check_seed

_OWN_NAMES = ("pixels", "points", "classifier", "random_conv", "whitened_conv", "inception")
Features = Tensor | tuple[Tensor, Tensor]
_EXPECTED = "features [B, d] of B samples, or a pair of features and logits"


class Extractor(nn.Module):
    """Maps samples as the dataset holds them, uint8 ``[B, C, H, W]`` or points ``[B, D]``, to features ``[B, d]``.

    An extractor that is also a classifier returns features and logits: ``[B, K]``, or ``[B, C, K]`` where every channel
    has a class of its own. Any ``torch.nn.Module`` of a user's can serve as an extractor, see `as_extractor`.
    """

    name: str
    """The end of the names of its metrics."""
    resize: str | None = None
    """How it resizes images, if it does."""
    score_splits: int = 1
    """Parts of the samples whose classifier scores are averaged."""
    learns: bool = False
    """Whether it learns from training samples; those that it has seen are not compared with others."""
    learns_from: int | None = None
    """Largest number of training samples that it uses, the first ones; None for all."""

    def check(self, dataset: Dataset) -> None:
        """Raise ConfigError if it cannot take the dataset's samples. Quick, and called before `prepare`."""

    def prepare(self, dataset: Dataset) -> None:
        """Get ready for the dataset's samples, which may take long. Called once, before `forward`.

        Args:
            dataset: its training samples are those that the extractor may learn from, in random order.

        Raises:
            ConfigError: if something it needs is missing.
        """

    def forward(self, samples: Tensor) -> Features:
        raise NotImplementedError

    def fingerprint(self) -> dict[str, Any]:
        """What the values of its metrics depend on."""
        splits = {"score_splits": self.score_splits} if self.score_splits > 1 else {}
        return {"extractor": self.name, "weights": weights_hash(self), "resize": self.resize} | splits

    @property
    def source(self) -> Path:
        """The file with its code, which is part of the key of cached features."""
        return Path(inspect.getfile(type(self)))


class Pixels(Extractor):
    """The pixels / 255 themselves: a fair first look at images that lie alike in their frames, such as digits."""

    name = "pixels"

    def check(self, dataset: Dataset) -> None:
        check_images(self.name, dataset)

    def forward(self, samples: Tensor) -> Tensor:
        return samples.flatten(1).double() / 255


class Points(Extractor):
    """The points themselves."""

    name = "points"

    def check(self, dataset: Dataset) -> None:
        if dataset.train.ndim != 2:
            raise ConfigError(
                f"evaluation/extractor=points: the dataset's samples are {_shape(dataset)}, expected points [D]"
            )

    def forward(self, samples: Tensor) -> Tensor:
        return samples.double()


class RandomConv(Extractor):
    """Three convolutions with random, fixed weights; the features are means and deviations of their maps.

    Random features tell textures and shapes apart without training, for images of any size.

    Args:
        channels: feature maps of the first layer, doubled in each layer after it.
        seed: seed of the weights.

    References:
        Naeem et al. 2020, §3.4 (arXiv 2002.09797), use random embeddings where no trained network fits the data.
    """

    name = "random_conv"

    def __init__(self, channels: int = 32, seed: int = 0) -> None:
        super().__init__()
        check_positive("channels", channels)
        check_seed("seed", seed)
        self.channels = channels
        self.seed = seed

    def check(self, dataset: Dataset) -> None:
        check_images(self.name, dataset)

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


class _Plain(Extractor):
    """A user's module as an extractor.

    Its fingerprint holds the module's settings: a module without weights may compute anything.
    """

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
            made: Features = self.module(samples)
        except Exception as error:  # of a module that somebody wrote
            kind = f"{samples.dtype} {list(samples.shape)}".removeprefix("torch.")
            raise ConfigError(
                f"evaluation.extractor: {self.name} cannot take samples as the dataset holds them, {kind}: "
                f"{first_line(error)}{place(error)}"
            ) from error
        parts = made if isinstance(made, tuple) else (made,)
        if len(parts) > 2 or not all(isinstance(part, Tensor) and part.ndim > 0 for part in parts):
            found = "one number" if isinstance(made, Tensor) else f"a {type(made).__name__}"
            raise ConfigError(f"evaluation.extractor: {self.name} gives {found}: expected {_EXPECTED}")
        return made

    def fingerprint(self) -> dict[str, Any]:
        return super().fingerprint() | {"settings": json.dumps(self.settings, sort_keys=True)}

    @property
    def source(self) -> Path:
        return Path(inspect.getfile(type(self.module)))


def as_extractor(module: nn.Module, settings: dict[Any, Any]) -> Extractor:
    """The module itself if it is an `Extractor`; else an extractor around it, named after its class in snake case.

    Args:
        module: the module.
        settings: the configuration it was built from, for the fingerprint.

    Raises:
        ConfigError: if a user's module would get the name of one of gan_lab's extractors.
    """
    return module if isinstance(module, Extractor) else _Plain(module, settings)


def weights_hash(module: nn.Module) -> str | None:
    """The start of the SHA-256 over the names and bytes of a module's weights and buffers; None if it has none."""
    state = module.state_dict()
    if not state:
        return None
    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def check_images(name: str, dataset: Dataset) -> None:
    """Raise ConfigError, on behalf of the extractor ``name``, unless the samples are images of 1 or 3 channels."""
    shape = dataset.sample_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ConfigError(
            f"evaluation/extractor={name}: the dataset's samples are {_shape(dataset)}, "
            "expected images of 1 or 3 channels"
        )


def _shape(dataset: Dataset) -> str:
    return f"of shape {list(dataset.sample_shape)}"
