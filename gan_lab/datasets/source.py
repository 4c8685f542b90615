"""The other side of a dataset from picture to picture: the images that its samples translate."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gan_lab.datasets.batch import Batch


@dataclass(frozen=True, eq=False)
class Source:
    """Images to translate: each belongs to one sample, or all of them form a set of their own.

    Args:
        train: images to train on, ``[M, C, H, W]`` uint8 pixels.
        test: held-out images of the same kind.
        paired: True if image i belongs to sample i of the same part; False if the sides are independent and may have
            different counts.
        train_labels: class of each image to train on, ``[M]`` int64, of a pair that of its sample; or None.
        test_labels: classes of the held-out images; or None.
        validation: images of the validation part, with their classes if they have any; or None.

    Raises:
        ValueError: unless the images are uint8 ``[M, C, H, W]``, with one class each where they have classes.
    """

    train: Tensor
    test: Tensor
    paired: bool
    train_labels: Tensor | None = None
    test_labels: Tensor | None = None
    validation: Batch | None = None

    def __post_init__(self) -> None:
        for name in ("train", "test"):
            images, labels = getattr(self, name), getattr(self, f"{name}_labels")
            if images.ndim != 4 or images.dtype != torch.uint8:
                raise ValueError(f"source.{name}: it is {_form(images)}, expected uint8 [M, C, H, W]")
            if labels is not None and labels.shape != (len(images),):
                raise ValueError(f"source.{name}_labels: they are {_form(labels)}, expected int64 [{len(images)}]")

    def check_fits(self, train: Tensor, test: Tensor) -> None:
        """Raise ValueError unless the samples are images as large as these, and equally many if paired."""
        for name, samples in (("train", train), ("test", test)):
            images = getattr(self, name)
            if images.shape[2:] != samples.shape[2:] or samples.ndim != 4:
                raise ValueError(
                    f"source.{name}: it is {_form(images)}, and the samples are {_form(samples)}, expected images of "
                    "one height and width"
                )
            if self.paired and len(images) != len(samples):
                raise ValueError(
                    f"source.{name}: {len(images)} images are paired with {len(samples)} samples, expected as many"
                )

    def limited(self, limit: int | None) -> "Source":
        """The source with the first ``limit`` training images alone; all for None."""
        labels = self.train_labels
        return replace(self, train=self.train[:limit], train_labels=None if labels is None else labels[:limit])

    def without(self, kept: Tensor, aside: Tensor) -> "Source":
        """The source with some of its training images set aside for validation.

        Args:
            kept: indices of those to train on.
            aside: indices of the others.
        """
        labels = self.train_labels
        return replace(
            self,
            train=self.train[kept],
            train_labels=None if labels is None else labels[kept],
            validation=Batch(self.train[aside], None if labels is None else labels[aside]),
        )

    def to_select_by(self) -> "Source":
        """The source whose held-out images are the validation images."""
        chosen = self.validation
        assert chosen is not None
        return replace(self, test=chosen.samples, test_labels=chosen.labels)


def _form(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
