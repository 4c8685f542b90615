"""Whether what is done to samples fits the data, the algorithm and the losses."""

import copy

import torch
from omegaconf import DictConfig
from pytorch_lightning.utilities.seed import isolate_rng

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.augmentations import ADA, Augmentation, NoAugmentation
from gan_lab.augmentations.draws import Draws
from gan_lab.config.messages import blame, fault
from gan_lab.errors import ConfigError
from gan_lab.losses import Recipe


def check_augmentation(
    config: DictConfig,
    algorithm: type[Algorithm],
    loss: Recipe,
    augmentation: Augmentation,
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None,
    judges_pairs: bool,
) -> None:
    """Raise ConfigError unless the augmentation, and what penalties do to samples, fit the rest of the run.

    The discriminator may judge each sample beside its source: then a sample does not move alone.
    """
    name = type(augmentation).__name__
    if isinstance(augmentation, NoAugmentation):
        pass
    elif not algorithm.augments:
        raise ConfigError(f"augmentation: expected none, as {algorithm.__name__} shows samples as they are, not {name}")
    elif judges_pairs or algorithm.translates_back:
        _check_translation(algorithm, augmentation, sample_shape, source_shape, judges_pairs)
    if augmentation.changes_samples:
        _check_images("augmentation", augmentation, sample_shape)
    for part, penalty in loss.penalties.items():
        where = f"loss.penalties.{part}"
        if penalty.transforms is not None:
            if judges_pairs:
                raise ConfigError(f"{where}: expected none with {algorithm.__name__}, as it would move samples alone")
            if not isinstance(penalty.transforms, Augmentation):
                what = type(penalty.transforms).__name__
                raise ConfigError(f"{where}.transform: expected a gan_lab.augmentations.Augmentation, not {what}")
            _check_transforms(f"{where}.transform", penalty.transforms)
            _check_images(f"{where}.transform", penalty.transforms, sample_shape)
            if algorithm.translates_back and source_shape is not None:
                _check_images(f"{where}.transform", penalty.transforms, source_shape)


def _check_translation(
    algorithm: type[Algorithm],
    augmentation: Augmentation,
    sample_shape: tuple[int, ...],
    source_shape: tuple[int, ...] | None,
    judges_pairs: bool,
) -> None:
    """Samples and their sources move together, so they have to be of one size; in two domains both are transformed."""
    name = type(augmentation).__name__
    if not augmentation.keeps_pairs:
        raise ConfigError(f"augmentation: expected another than {name}, or none, with {algorithm.__name__}")
    if source_shape is None or not augmentation.changes_samples:
        return
    if judges_pairs and sample_shape[1:] != source_shape[1:]:
        sizes = f"{list(sample_shape[1:])} and {list(source_shape[1:])}"
        raise ConfigError(f"augmentation: {name} moves samples with their sources: expected one size, not {sizes}")
    if algorithm.translates_back:
        _check_images("augmentation", augmentation, source_shape)


def _check_transforms(key: str, transform: Augmentation) -> None:
    """Raise ConfigError for a transformation that would leave samples as they are: the penalty would be 0."""
    name = type(transform).__name__
    if not transform.changes_samples:
        expected = "one that changes samples, such as gan_lab.augmentations.FlipShift"
        raise ConfigError(f"{key}: expected {expected}, not {name}")
    if isinstance(transform, ADA) and not transform.probability.p:
        raise ConfigError(
            f"{key}: {name}'s p begins at 0 and follows only the augmentation of the run; expected a constant p above 0"
        )


def _check_images(key: str, transform: Augmentation, shape: tuple[int, ...]) -> None:
    """Raise ConfigError for samples that are no images, or none that can be transformed so."""
    if len(shape) != 3:
        what = f"points of {shape[0]} numbers" if len(shape) == 1 else f"of shape {list(shape)}"
        instead = "none or apa" if key == "augmentation" else "another penalty"
        name = type(transform).__name__
        raise ConfigError(f"{key}: {name} transforms images, and the samples are {what}; expected {instead}")
    with blame(key):
        transform.check(shape)
    if not type(transform).__module__.startswith("gan_lab."):
        _try(key, transform, shape)


def _try(key: str, transform: Augmentation, shape: tuple[int, ...]) -> None:
    """Raise ConfigError unless a user's augmentation gives images of their shape, and gradients pass it.

    A copy is tried, and random numbers that it draws are given back.
    """
    images = torch.zeros(2, *shape, requires_grad=True) * 1  # no leaf, which could not be changed in place
    what = f"{key}: {type(transform).__name__}, given {list(images.shape)},"
    with isolate_rng(include_cuda=False):
        try:
            made = copy.deepcopy(transform)(images, Draws(0))
        except Exception as error:
            raise ConfigError(f"{what} fails: {fault(error)}") from error
    if not isinstance(made, torch.Tensor) or made.shape != images.shape:
        found = list(made.shape) if isinstance(made, torch.Tensor) else f"a {type(made).__name__}"
        raise ConfigError(f"{what} gives {found}: expected images of the same shape")
    if not made.requires_grad:
        raise ConfigError(f"{what} gives a tensor without a graph: expected one that passes gradients to the images")
