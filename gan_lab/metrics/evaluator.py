"""Evaluates a generator: its samples of fixed latents against held-out real samples."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_lab.datasets.batch import Request
from gan_lab.datasets.dataset import Dataset, to_model_range, to_pixels
from gan_lab.distributed.collectives import all_parts
from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metrics.collapse import RealSigns
from gan_lab.metrics.measures import Side
from gan_lab.metrics.pairs import nearest, picture_distances, ssim_window
from gan_lab.metrics.real_sets import RealSets
from gan_lab.metrics.suite import Comparison
from gan_lab.models.conditions import conditions_for, takes_labels
from gan_lab.models.cyclegan import Reverse
from gan_lab.models.latents import drawn_alike
from gan_lab.storage.cache import cached, code_hash

DEFINITION = 2
"""Of the metrics, in their fingerprint: raised when the same samples get other values. docs/evaluation.md lists why."""
_CHUNK = 1000  # samples generated at a time, to bound memory; values do not depend on it


class Evaluated(NamedTuple):
    """The metrics and the signals of collapse of one evaluation, by name."""

    metrics: dict[str, float]
    signals: dict[str, float]


class Evaluator:
    """Compares N generated samples with N held-out samples.

    The features of the held-out samples and the floor are computed once and kept in the cache.

    Args:
        dataset: the real samples; its checksum is part of the fingerprint.
        real: those that are compared.
        comparison: computes the metrics.
        request: what the generator is asked for every time: N samples.
        examined: what it is asked for where copies are looked for, of small N more samples; None for the same.
        reconstructs: whether held-out samples are encoded and drawn again.
        back: measures translations of samples into sources, or None.

    Attributes:
        floor: each metric of N training samples against the same held-out ones.
        ceiling: the expected metrics of a perfect sampler, as far as they are known.
        fingerprint: what the values of the metrics depend on besides the generator.

    Raises:
        ConfigError: if all held-out samples have the same features.
    """

    def __init__(
        self,
        dataset: Dataset,
        real: RealSets,
        comparison: Comparison,
        request: Request,
        reconstructs: bool = False,
        back: "Evaluator | None" = None,
        examined: Request | None = None,
    ) -> None:
        count = len(request)
        self.paired, self.reconstructs, self.back = real.paired, reconstructs, back
        self._sources, self.known = real.sources, real.known
        self.comparison = comparison
        self.request = request
        self.examined = request if examined is None else examined
        self.fingerprint: dict[str, Any] = {
            **comparison.extractor.fingerprint(),
            "definition": DEFINITION,
            "samples": count,
            "reference": "test",
            "reference_samples": count,
            "data": dataset.checksum,
            **comparison.measures.fingerprint(),
        }
        if self.paired or reconstructs or back:
            self.fingerprint["ssim_window"] = ssim_window(dataset.sample_shape)
        self._shape = list(dataset.sample_shape)  # the checksum is of bytes alone
        self._code = code_hash(*Path(__file__).parent.glob("*.py"), comparison.extractor.source)
        self._reference = self._reference_side(real.reference, real.labels)
        comparison.check_reference(self._reference)
        self._signs = RealSigns.of(self._reference.features, count, real.labels)
        key = self._key | {"metrics": list(comparison.measures.metrics), "train": len(dataset.train)}
        if "memorisation" in comparison.measures.metrics and dataset.chosen is not None:
            key["subset"] = dataset.drawing.subset  # copies are looked for among the samples that are trained on
        self.floor: dict[str, float] = cached(
            "floors", key, lambda: comparison.floor(self._reference, comparison.look(real.others, real.other_labels))
        )
        self.floor |= self._floor_of_pictures(real)
        self.ceiling: dict[str, float] = {}
        if "modes" in comparison.measures.metrics:
            self.ceiling = cached("ceilings", self._key, lambda: comparison.ceiling(count))

    def _floor_of_pictures(self, real: RealSets) -> dict[str, float]:
        """What copies of training samples score: for each picture that of the training pairs nearest to it."""
        floor: dict[str, float] = {}
        if self.paired:
            assert real.sources is not None
            assert real.known_sources is not None
            copied = self.known[nearest(real.sources, real.known_sources)]
            floor |= picture_distances(copied, real.reference)
        if self.reconstructs:
            copied = self.known[nearest(real.reference, self.known)]
            floor |= _called("reconstruction", picture_distances(copied, real.reference))
        if self.back is not None:
            assert real.sources is not None
            among = self.back.known
            copied = among[nearest(real.sources, among)]
            floor |= _called("back", self.back.floor) | _called("cycle", picture_distances(copied, real.sources))
            samples = self.back._sources
            assert samples is not None
            floor |= _called("back_cycle", picture_distances(self.known[nearest(samples, self.known)], samples))
        return floor

    def _of_pictures(
        self, generator: nn.Module, encoder: nn.Module | None, returning: nn.Module | None, fake: Tensor
    ) -> dict[str, float]:
        """The metrics that compare each picture with the one that it should be."""
        metrics: dict[str, float] = {}
        real = self._reference.samples
        if self.paired:
            metrics |= picture_distances(fake, real)
        if self.reconstructs:
            assert encoder is not None
            again = generate(generator, Request(encode(encoder, real), self._reference.labels))
            metrics |= _called("reconstruction", picture_distances(again, real))
        if self.back is not None:
            assert returning is not None
            metrics |= _called("back", self.back.evaluate(returning, returning=generator).metrics)
        if returning is not None:
            assert self._sources is not None
            again = generate(returning, Request(self.request.latents, source=to_model_range(fake)))
            metrics |= _called("cycle", picture_distances(again, self._sources))
        return metrics

    @property
    def _key(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "shape": self._shape, "code": self._code}

    def _reference_side(self, samples: Tensor, labels: Tensor | None) -> Side:
        def make() -> dict[str, Tensor]:
            side = self.comparison.look(samples)
            return {"features": side.features.cpu()} | ({} if side.logits is None else {"logits": side.logits.cpu()})

        made = cached("references", self._key, make)
        made = {name: tensor.to(self.comparison.device) for name, tensor in made.items()}
        return Side(samples, made["features"], made.get("logits"), self.comparison.measures.k, labels)

    def _own_sides(self, generator: nn.Module) -> list[Side]:
        """This process's part of the samples, and of those that copies are looked for among if they are others."""
        more = "memorisation" in self.comparison.measures.metrics and self.examined is not self.request
        return [self._own_side(generator, one) for one in (self.request, *([self.examined] if more else []))]

    def _own_side(self, generator: nn.Module, request: Request) -> Side:
        own = request.own_part()
        asked = takes_labels(generator) or own.source is not None  # a translation is to be of its source's class
        return self.comparison.look(generate(generator, own), own.labels if asked else None)

    def evaluate(
        self, generator: nn.Module, encoder: nn.Module | None = None, returning: nn.Module | None = None
    ) -> Evaluated:
        """Evaluate a generator. Several processes share the work, and each returns the whole result.

        Args:
            generator: maps latents to samples.
            encoder: maps samples to the mean and log-variance of their latents, where `reconstructs`.
            returning: translates samples into their sources; of a generator that does both, `Reverse` does.

        Raises:
            NotFinite: if a sample or a feature is not finite, in any process.
        """
        if self.back is not None:
            returning = Reverse(generator)
        try:
            own, wrong = self._own_sides(generator), ""
        except NotFinite as error:  # told to the other processes, which wait for this part
            own, wrong = [], error.what
        if told := next(filter(None, all_parts(wrong)), None):
            raise NotFinite(told)
        fake, *more = [Side.whole(parts, self.comparison.device) for parts in zip(*all_parts(own), strict=True)]
        real = self._reference
        signs = self._signs.compare(fake.features, fake.labels)
        metrics = self.comparison.compare(real, fake, *more)
        return Evaluated(metrics | self._of_pictures(generator, encoder, returning, fake.samples), signs)


def _called(prefix: str, metrics: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


@torch.no_grad()
def encode(encoder: nn.Module, samples: Tensor) -> Tensor:
    """The means of the latents of samples, ``[N, latent_dim]`` on the CPU; the encoder returns to the mode it was in.

    Args:
        encoder: maps samples in model range to the mean and log-variance of their latents.
        samples: uint8 pixels ``[N, C, H, W]`` or points ``[N, D]``.
    """
    weights, was_training = next(encoder.parameters()), encoder.training
    encoder.eval()
    means = [encoder(to_model_range(part).to(weights))[0].float().cpu() for part in samples.split(_CHUNK)]
    encoder.train(was_training)
    return torch.cat(means)


@torch.no_grad()
def generate(generator: nn.Module, request: Request) -> Tensor:
    """Generated samples on the CPU: uint8 pixels ``[N, C, H, W]``, or float32 points ``[N, D]``.

    The generator runs in eval mode and returns to the mode it was in. PyTorch's global random state does not change.

    Args:
        generator: maps latents, and labels if it takes them, to samples.
        request: what it is asked for, N samples.

    Raises:
        NotFinite: if a sample is not finite.
    """
    weights = next(generator.parameters())
    was_training = generator.training
    generator.eval()
    samples = torch.cat([_samples(generator, part, weights) for part in request.split(_CHUNK)])
    generator.train(was_training)
    if not samples.isfinite().all():
        raise NotFinite("a generated sample")
    return to_pixels(samples)


def _samples(generator: nn.Module, request: Request, weights: Tensor) -> Tensor:
    asked = request.map(lambda tensor: tensor.to(weights if tensor.is_floating_point() else weights.device))
    conditions = conditions_for(generator, asked)
    if missing := [name for name, tensor in conditions.items() if tensor is None]:
        raise ConfigError(
            f"model.generator: it takes {missing[0]}, and the request has none; expected data with {missing[0]}"
        )
    with drawn_alike(asked.latents):
        samples: Tensor = generator(asked.latents, **conditions)
    return samples.float().cpu()
