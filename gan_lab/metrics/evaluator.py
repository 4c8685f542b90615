"""Evaluates a generator: its samples of fixed latents against held-out real samples."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_lab.datasets.batch import Request, one_per_sample
from gan_lab.datasets.dataset import Dataset, to_model_range, to_pixels
from gan_lab.datasets.drawing import PLAIN
from gan_lab.distributed.collectives import all_parts
from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metrics.collapse import signals
from gan_lab.metrics.measures import Side
from gan_lab.metrics.pairs import nearest, picture_distances
from gan_lab.metrics.suite import Comparison
from gan_lab.models.conditions import conditions_for, takes_labels
from gan_lab.models.cyclegan import Reverse
from gan_lab.storage.cache import cached, code_hash

DEFINITION = 2
"""Of the metrics, in their fingerprint: raised when the same samples get other values. docs/evaluation.md lists why."""
_CHUNK = 1000  # samples generated at a time, to bound memory; values do not depend on it


class Evaluated(NamedTuple):
    """The metrics and the signals of collapse of one evaluation, by name."""

    metrics: dict[str, float]
    signals: dict[str, float]


@dataclass(frozen=True, eq=False)
class RealSets:
    """The real samples of an evaluation: equally many to compare with, and for the floor.

    All are drawn at random, always the same ones; parts of a dataset that follow each other can differ. An extractor
    that learns has seen neither: on what it learned from, it would find real samples closer than any unseen ones.

    Args:
        reference: held-out samples to compare with, ``[N, …]``.
        labels: their classes, ``[N]``; None if there are none, or one for each channel.
        others: training samples that are compared with the reference for the floor, ``[N, …]``.
        other_labels: their classes, as ``labels``.
        learned: the dataset with the training samples that an extractor may learn from.
        sources: N held-out images to translate, ``[N, …]``, of pairs those of the reference; or None.
        source_labels: their classes, or None.
        other_sources: of pairs, the sources of the others; or None.
    """

    reference: Tensor
    labels: Tensor | None
    others: Tensor
    other_labels: Tensor | None
    learned: Dataset
    sources: Tensor | None = None
    source_labels: Tensor | None = None
    other_sources: Tensor | None = None

    @property
    def paired(self) -> bool:
        """Whether each source has a sample that it should become."""
        return self.other_sources is not None

    @classmethod
    def of(cls, dataset: Dataset, most: int, learns: bool) -> "RealSets":
        """The sets of a dataset.

        Args:
            dataset: the real samples.
            most: largest N; it is less if fewer samples are held out or left for the floor.
            learns: whether the extractor learns; half of the training samples at least are left to it.
        """
        train, test, source = len(dataset.train), len(dataset.test), dataset.source
        count = min(most, test, train // 2 if learns else train)
        if source is not None:
            count = min(count, len(source.test))
        generator = torch.Generator().manual_seed(0)
        held_out = torch.randperm(test, generator=generator)[:count]
        order = torch.randperm(train, generator=generator)
        labels = one_per_sample(dataset.test_labels)
        learned = dataset
        if learns:
            rest, all_labels = order[count:], dataset.train_labels
            kept = None if all_labels is None else all_labels[rest]
            learned = replace(dataset, train=dataset.train[rest], train_labels=kept, drawing=PLAIN, source=None)
        other_labels = one_per_sample(dataset.train_labels)
        sources: dict[str, Tensor | None] = {}
        if source is not None:
            chosen = held_out if source.paired else torch.randperm(len(source.test), generator=generator)[:count]
            sources["sources"] = source.test[chosen]
            sources["source_labels"] = None if source.test_labels is None else source.test_labels[chosen]
            sources["other_sources"] = source.train[order[:count]] if source.paired else None
        return cls(
            dataset.test[held_out],
            None if labels is None else labels[held_out],
            dataset.train[order[:count]],
            None if other_labels is None else other_labels[order[:count]],
            learned,
            **sources,
        )


class Evaluator:
    """Compares N generated samples with N held-out samples.

    The features of the held-out samples and the floor are computed once and kept in the cache.

    Args:
        dataset: the real samples; its checksum is part of the fingerprint.
        real: those that are compared.
        comparison: computes the metrics.
        request: what the generator is asked for every time: N samples.
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
    ) -> None:
        count = len(request)
        self.paired, self.reconstructs, self.back = real.paired, reconstructs, back
        self._sources, self.others = real.sources, real.others
        self.comparison = comparison
        self.request = request
        self.fingerprint: dict[str, Any] = {
            **comparison.extractor.fingerprint(),
            "definition": DEFINITION,
            "samples": count,
            "reference": "test",
            "reference_samples": count,
            "data": dataset.checksum,
            **comparison.measures.fingerprint(),
        }
        self._shape = list(dataset.sample_shape)  # the checksum is of bytes alone
        self._code = code_hash(*Path(__file__).parent.glob("*.py"), comparison.extractor.source)
        self._reference = self._reference_side(real.reference, real.labels)
        comparison.check_reference(self._reference)
        key = self._key | {"metrics": list(comparison.measures.metrics), "train": len(dataset.train)}
        self.floor: dict[str, float] = cached(
            "floors", key, lambda: comparison.compare(self._reference, comparison.look(real.others, real.other_labels))
        )
        self.floor |= self._floor_of_pictures(real)
        self.ceiling = comparison.ceiling(count)

    def _floor_of_pictures(self, real: RealSets) -> dict[str, float]:
        """What copies of training samples score: for each picture that of the training pairs nearest to it."""
        floor: dict[str, float] = {}
        if self.paired:
            assert real.sources is not None
            assert real.other_sources is not None
            copied = real.others[nearest(real.sources, real.other_sources)]
            floor |= picture_distances(copied, real.reference)
        if self.reconstructs:
            copied = real.others[nearest(real.reference, real.others)]
            floor |= _called("reconstruction", picture_distances(copied, real.reference))
        if self.back is not None:
            assert real.sources is not None
            among = self.back.others
            copied = among[nearest(real.sources, among)]
            floor |= _called("back", self.back.floor) | _called("cycle", picture_distances(copied, real.sources))
        return floor

    def _of_pictures(self, generator: nn.Module, encoder: nn.Module | None, fake: Tensor) -> dict[str, float]:
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
            assert self._sources is not None
            reverse = Reverse(generator)
            metrics |= _called("back", self.back.evaluate(reverse).metrics)
            again = generate(reverse, Request(self.request.latents, source=to_model_range(fake)))
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

    def _own_side(self, generator: nn.Module) -> Side:
        own = self.request.own_part()
        asked = takes_labels(generator) or own.source is not None  # a translation is to be of its source's class
        return self.comparison.look(generate(generator, own), own.labels if asked else None)

    def evaluate(self, generator: nn.Module, encoder: nn.Module | None = None) -> Evaluated:
        """Evaluate a generator. Several processes share the work, and each returns the whole result.

        Args:
            generator: maps latents to samples.
            encoder: maps samples to the mean and log-variance of their latents, where `reconstructs`.

        Raises:
            NotFinite: if a sample or a feature is not finite, in any process.
        """
        try:
            own, wrong = self._own_side(generator), ""
        except NotFinite as error:  # told to the other processes, which wait for this part
            own, wrong = None, error.what
        if told := next(filter(None, all_parts(wrong)), None):
            raise NotFinite(told)
        fake = Side.whole([part for part in all_parts(own) if part is not None], self.comparison.device)
        real = self._reference
        signs = signals(real.features, fake.features, real.labels, fake.labels)
        metrics = self.comparison.compare(real, fake)
        return Evaluated(metrics | self._of_pictures(generator, encoder, fake.samples), signs)


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
    with torch.random.fork_rng([weights.device] if weights.is_cuda else []):
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
    return generator(asked.latents, **conditions).float().cpu()
