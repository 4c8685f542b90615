"""The discriminator as penalties and terms see it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_lab.losses.objectives import first_head
from gan_lab.models.conditions import Judgement

Shown = tuple[Tensor, dict[str, Any]]
"""Samples ``[B, …]`` as the discriminator sees them, and what it is given beside them, by name."""

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def as_they_are(samples: Tensor, given: dict[str, Any]) -> Shown:
    """Samples without augmentation."""
    return samples, given


class Augmented(NamedTuple):
    """How samples, and sources with them, are augmented on their way to the discriminator.

    Args:
        afresh: by new random numbers in every call.
        alike: by the same random numbers in every call: features are compared with others.
    """

    afresh: Callable[[Tensor, dict[str, Any]], Shown] = as_they_are
    alike: Callable[[Tensor, dict[str, Any]], Shown] = as_they_are


NOT_AUGMENTED = Augmented()


@dataclass(frozen=True, eq=False)
class Judge:
    """Maps samples ``[B, …]`` to logits ``[B]`` of the discriminator's first head, with labels and sources bound.

    Samples are augmented on the way, so that a gradient is taken at a sample as it is, through the augmentation.

    Of a discriminator that gives a map of logits it is the mean over a sample's map. Their sum would scale R1 by the
    square of their number.

    Args:
        discriminator: maps samples, and labels if they are given, to logits as `gan_lab.models.Judgement` describes
            them, or to a Judgement.
        given: what the discriminator is given beside samples, by name: ``labels``, ``[B]`` int64, and ``source``, the
            source images ``[B, …]``. Real and generated samples share them, so that points between a real and a
            generated sample have a class too.
        classes: the classes of the batch, ``[B]`` int64, whether or not the discriminator is given them; or None.
        real: this update's logits of the real samples, flat, or None. Use them instead of calling the discriminator
            again.
        fake: the same for the generated samples.
        real_classes: its class logits of the real samples, ``[B, classes]``, or None if it does not classify.
        fake_classes: the same for the generated samples.
        augmented: how samples are augmented.
        micro_batches: applies a function of the discriminator to samples, and to what is given beside them by name, a
            part of the batch at a time; None for the whole batch at once.
        half: the type that this update's logits were computed in, if it is not that of the samples; or None.
    """

    discriminator: Callable[..., Any]
    given: dict[str, Any] = field(default_factory=dict)
    real: Tensor | None = None
    fake: Tensor | None = None
    classes: Tensor | None = None
    real_classes: Tensor | None = None
    fake_classes: Tensor | None = None
    augmented: Augmented = NOT_AUGMENTED
    micro_batches: Callable[..., Any] | None = None
    half: torch.dtype | None = None

    @property
    def labels(self) -> Tensor | None:
        """The classes that the discriminator is given, ``[B]`` int64; None if it is given none."""
        return self.given.get("labels")

    @property
    def source(self) -> Tensor | None:
        """The source images that the discriminator is given, ``[B, …]``; None if it is given none."""
        return self.given.get("source")

    def features(self, samples: Tensor) -> Tensor:
        """The features ``[B, F]`` of samples in the discriminator.

        They are what its method ``features`` gives, or else what goes into the last linear layer or convolution that a
        pass comes through.

        Raises:
            ValueError: if it has neither.
        """
        return self._passed(self._features, *self.augmented.alike(samples, self.given))

    def _features(self, samples: Tensor, **given: Any) -> Tensor:
        network: Any = self.discriminator
        if inspect.ismethod(getattr(network, "features", None)):
            return network.features(samples, **given).flatten(1)
        seen: list[Tensor] = []
        hooks = [
            layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
            for layer in network.modules()
            if isinstance(layer, _LAYERS)
        ]
        try:
            network(samples, **given)
        finally:
            for hook in hooks:
                hook.remove()
        if not seen:
            raise ValueError(f"{type(network).__name__}: expected a discriminator with a linear layer or a convolution")
        return seen[-1].flatten(1)

    def __call__(self, samples: Tensor) -> Tensor:
        return self._logits(self.discriminator, samples)

    def again(self, samples: Tensor) -> Tensor:
        """Logits to compare with this update's own: in half precision, if those are, whose rounding is then alike."""

        def judged(part: Tensor, **given: Any) -> Any:
            with torch.autocast(part.device.type, self.half, enabled=self.half is not None):
                return self.discriminator(part, **given)

        return self._logits(judged, samples).to(samples.dtype)

    def _logits(self, function: Callable[..., Any], samples: Tensor) -> Tensor:
        judged = self._passed(function, *self.augmented.afresh(samples, self.given))
        return of_each(first_head(Judgement.of(judged).logits), len(samples))

    def _passed(self, function: Callable[..., Any], samples: Tensor, given: dict[str, Any]) -> Any:
        apply = self.micro_batches
        return function(samples, **given) if apply is None else apply(function, samples, **given)

    def in_parts(self, function: "Callable[[Judge, Tensor], Tensor]", samples: Tensor) -> Tensor:
        """What a function of a judge and samples ``[b, …]`` gives for all samples, ``[B]``, a part at a time.

        Only what is left of it is kept for the backward pass, where it is computed again. Augmentations would draw
        other random numbers there.
        """

        def of_part(part: Tensor, **given: Any) -> Tensor:
            return function(replace(self, micro_batches=None, given=given), part)

        return self._passed(of_part, samples, self.given)


def of_each(logits: Tensor, count: int) -> Tensor:
    """One logit for each of so many samples, ``[count]``: the mean of those of a sample's map."""
    return logits if len(logits) == count else logits.view(count, -1).mean(1)
