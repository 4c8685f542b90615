"""A small classifier of the dataset's own classes, trained once, whose features and logits score generated samples."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from gan_lab.datasets.dataset import Dataset, checksum
from gan_lab.errors import ConfigError
from gan_lab.metrics.extractors import Extractor
from gan_lab.storage.cache import cached, code_hash
from gan_lab.validation import check_positive, check_seed

_BATCH, _FEATURES = 128, 64
_LARGE = 24  # pixels: images with shorter sides are small
_LARGE_DEFINITION = 2
"""Of the classifier of large images, in its fingerprint. docs/evaluation.md lists what changed."""


class Classifier(Extractor):
    """A convolutional network for images with labels. The features are its last hidden layer, ``[B, 64]``.

    Large images, of 24 pixels or more, are first rearranged: squares of 2×2 pixels become channels. Learning
    then takes about a quarter of the time.

    It is trained on training samples that no metric compares, and kept in the cache under a hash of data, code and
    settings. One CPU thread and a fixed seed make it the same for all users of equal machines and libraries. It runs in
    float64, so that a metric does not depend on the size of batches.

    Where every channel has a label, as in Stacked MNIST, the network sees each channel as a grey image. The features
    are then those of the C channels side by side, ``[B, C·64]``, and the logits are ``[B, C, K]``.

    Args:
        steps: number of training steps, on 128 samples each, or 64 large ones.
        seed: seed of weights and batches.
    """

    name = "classifier"
    learns = True

    def __init__(self, steps: int = 2000, seed: int = 0) -> None:
        super().__init__()
        check_positive("steps", steps)
        check_seed("seed", seed)
        self.steps = steps
        self.seed = seed

    def check(self, dataset: Dataset) -> None:
        if dataset.train_labels is None or dataset.test_labels is None or len(dataset.sample_shape) != 3:
            raise ConfigError(
                "evaluation/extractor=classifier: it learns from images with labels, which the dataset lacks; "
                "evaluation/extractor=whitened_conv needs none"
            )
        if dataset.train_labels.unique().numel() < 2:
            raise ConfigError(
                "evaluation/extractor=classifier: all training samples are of one class, expected two or more; "
                "evaluation/extractor=whitened_conv needs none"
            )
        if min(dataset.sample_shape[1:]) < 4:
            raise ConfigError(
                f"evaluation/extractor=classifier: the images are {list(dataset.sample_shape)}, expected at least 4x4"
            )

    def prepare(self, dataset: Dataset) -> None:
        assert dataset.train_labels is not None
        self.per_channel = dataset.train_labels.ndim == 2
        classes = int(dataset.train_labels.max()) + 1
        images, labels = _split_channels(dataset.train, dataset.train_labels)
        self.network = _network(images.shape[1:], classes)
        self.large = _is_large(images.shape[1:])
        key = {
            "data": dataset.checksum,
            "shape": list(images.shape),  # the checksum is of bytes alone
            "labels": checksum(dataset.train_labels),  # which of the samples it learns from
            "code": code_hash(Path(__file__)),
            "steps": self.steps,
            "seed": self.seed,
            "torch": torch.__version__,
        }
        made: dict[str, Any] = cached("classifiers", key, lambda: self._train(images, labels, dataset))
        self.network.load_state_dict(made["weights"])
        self.accuracy: float = made["accuracy"]
        self.double()

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        images = samples.flatten(0, 1)[:, None] if self.per_channel else samples
        features = self.network[:-1](images.double() / 255)
        logits = self.network[-1](features)
        if self.per_channel:
            return features.unflatten(0, samples.shape[:2]).flatten(1), logits.unflatten(0, samples.shape[:2])
        return features, logits

    def fingerprint(self) -> dict[str, Any]:
        definition = {"classifier": _LARGE_DEFINITION} if self.large else {}
        return super().fingerprint() | {"accuracy": self.accuracy} | definition

    def _train(self, images: Tensor, labels: Tensor, dataset: Dataset) -> dict[str, Any]:
        print(f"gan-lab: training the classifier that judges samples ({self.steps:,} steps, once)", file=sys.stderr)
        network = trained(images, labels, int(labels.max()) + 1, self.steps, self.seed)
        assert dataset.test_labels is not None
        held_out = _split_channels(dataset.test, dataset.test_labels)
        return {"weights": network.state_dict(), "accuracy": accuracy(network, *held_out)}


def trained(images: Tensor, labels: Tensor, classes: int, steps: int, seed: int) -> nn.Module:
    """A classifier of images, uint8 ``[N, C, H, W]``, in eval mode: it maps pixels / 255 to logits ``[N, classes]``.

    PyTorch's global random state does not change.

    Args:
        images: the training samples.
        labels: their classes, ``[N]``.
        classes: number of classes.
        steps: number of training steps, on 128 samples each, or 64 large ones.
        seed: of weights and batches.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the order of a sum, and so its rounding, depends on the number of threads
    try:
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            network = _network(images.shape[1:], classes)
            _fit(network, images, labels, steps)
    finally:
        torch.set_num_threads(threads)
    return network


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images, uint8 ``[N, C, H, W]``, that a classifier assigns to their classes, ``[N]``."""
    guesses = torch.cat([network(rows.float() / 255).argmax(1) for rows in images.split(1000)])
    return (guesses == labels).double().mean().item()


def _split_channels(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Images and labels; where every channel has a label, each channel is an image of its own."""
    if labels.ndim == 1:
        return images, labels
    return images.flatten(0, 1)[:, None], labels.flatten()


def _network(shape: torch.Size, classes: int) -> nn.Sequential:
    channels, height, width = shape
    if _is_large(shape):
        layers = [nn.PixelUnshuffle(2), *_block(4 * channels, 16), *_convolution(16, 64)]
        outputs = 64
    else:
        layers = [*_block(channels, 16), *_block(16, 32)]
        outputs = 32
    network = nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(outputs * (height // 4) * (width // 4), _FEATURES, bias=False),
        nn.BatchNorm1d(_FEATURES),
        nn.ReLU(),
        nn.Linear(_FEATURES, classes),
    )
    return network.to(memory_format=torch.channels_last) if _is_large(shape) else network  # a tenth quicker


def _is_large(shape: torch.Size) -> bool:
    """Whether the sides of images are long enough to be halved at first, and even."""
    return all(side >= _LARGE and side % 2 == 0 for side in shape[1:])


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [*_convolution(inputs, outputs), nn.MaxPool2d(2)]


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def _fit(network: nn.Module, images: Tensor, labels: Tensor, steps: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    batch = _BATCH // 2 if _is_large(images.shape[1:]) else _BATCH
    shown = sys.stderr.isatty()
    for _ in tqdm(range(steps), "classifier", unit="step", dynamic_ncols=True, disable=not shown, leave=False):
        chosen = torch.randint(len(images), (batch,))
        loss = cross_entropy(network(images[chosen].float() / 255), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    network.eval()
