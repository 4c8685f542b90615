"""The metrics of generated samples against real ones, as asked for by name."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.dataset import Dataset
from gan_lab.errors import ConfigError, NotFinite, closest
from gan_lab.metric_names import feature_metric
from gan_lab.metrics.classes import class_histogram, classifier_score, predicted_classes
from gan_lab.metrics.extractors import Extractor
from gan_lab.metrics.frechet import Moments, frechet_distance, frechet_distance_of_few
from gan_lab.metrics.kernel import kernel_distance
from gan_lab.metrics.measures import Measures, Side
from gan_lab.metrics.memorisation import MOST_SAMPLES, MOST_TRAINING, and_mirrored, memorised
from gan_lab.metrics.modes import class_ceiling, mixture_ceiling, mode_coverage
from gan_lab.metrics.neighbours import precision_recall_density_coverage

log = logging.getLogger(__name__)

_CHUNK = 64  # samples an extractor takes at a time: few enough for the processor's cache; values do not depend on it


class Comparison:
    """Compares sets of samples like those of a dataset.

    Args:
        dataset: its modes or labels define some of the metrics; an extractor may learn from its training samples.
        extractor: computes the features; it is prepared for the dataset here.
        measures: the metrics and their settings.
        device: where features are computed and compared.
        size: of the sets that will be compared, if it is known.
        training: its samples to train on are what the generator learns from, for ``memorisation``; None if that is
            unknown.

    Raises:
        ConfigError: for a metric that the dataset or the extractor does not allow, or for too few samples.
    """

    def __init__(
        self,
        dataset: Dataset,
        extractor: Extractor,
        measures: Measures,
        device: torch.device,
        size: int | None = None,
        training: Dataset | None = None,
    ) -> None:
        self.dataset = dataset
        self.extractor = extractor
        self.device = device
        if not measures.metrics:
            raise ConfigError(f"evaluation.metrics=[]: expected some of {', '.join(_METRICS)}")
        for name in measures.metrics:
            if name not in _METRICS:
                raise ConfigError(f"evaluation.metrics: there is no metric '{name}'; {closest(name, _METRICS)}")
        if len(set(measures.metrics)) < len(measures.metrics):
            raise ConfigError(f"evaluation.metrics=[{','.join(measures.metrics)}]: expected each of them once")
        extractor.check(dataset)
        if "modes" in measures.metrics and dataset.mixture is None and self._stacked is None:
            raise ConfigError("evaluation.metrics: modes takes a mixture, or images with a label for every channel")
        if "memorisation" in measures.metrics and dataset.train.ndim != 4:
            raise ConfigError("evaluation.metrics: memorisation takes images; points lie close to each other by chance")
        if "memorisation" in measures.metrics and training is None:
            raise ConfigError("evaluation.metrics: memorisation takes a run, whose training samples are known")
        self.measures = measures if size is None else measures.fitted(size, training)
        self._training = training
        with torch.random.fork_rng():  # the evaluation must not shift training's random numbers
            extractor.prepare(dataset)
        extractor.to(device).eval().requires_grad_(False)
        # a copy: a user's extractor may write to what it is given, and the file of a mapped dataset is read-only
        logits = self.look(dataset.test[:2].clone()).logits
        needing_logits = {"score", "classes", "class_accuracy"} | ({"modes"} if dataset.mixture is None else set())
        for name in needing_logits.intersection(measures.metrics):
            if logits is None:
                raise ConfigError(
                    f"evaluation.metrics: {name} takes an extractor that classifies, not {extractor.name}"
                )
        if "classes" in measures.metrics or "class_accuracy" in measures.metrics:
            assert logits is not None
            self._check_classes(logits)

    def look(self, samples: Tensor, labels: Tensor | None = None, chunk: int = _CHUNK) -> Side:
        """Compute the features of samples, ``chunk`` at a time; their labels stay with them.

        Raises:
            NotFinite: if a feature or logit is not finite.
            ConfigError: if the extractor's features are not ``[B, d]``.
        """
        with torch.no_grad(), torch.random.fork_rng():
            chunks = tqdm(
                samples.split(chunk),
                "features",
                dynamic_ncols=True,
                leave=False,
                delay=2,
                disable=not sys.stderr.isatty(),
            )
            with _in_full_precision():
                pieces = [self.extractor(rows.to(self.device)) for rows in chunks]
        pairs = [piece if isinstance(piece, tuple) else (piece, None) for piece in pieces]
        features = torch.cat([features for features, _ in pairs])
        if features.ndim != 2 or len(features) != len(samples):
            raise ConfigError(
                f"evaluation.extractor: {self.extractor.name} makes features of shape {list(features.shape)} for "
                f"{len(samples)} samples, expected [{len(samples)}, d]"
            )
        logits = None if pairs[0][1] is None else torch.cat([logits for _, logits in pairs if logits is not None])
        if not features.isfinite().all() or (logits is not None and not logits.isfinite().all()):
            raise NotFinite(f"a feature by evaluation/extractor={self.extractor.name}")
        return Side(samples, features, logits, self.measures.k, labels)

    def check_reference(self, real: Side) -> None:
        """Raise ConfigError if all real samples have the same features."""
        if (real.features == real.features[0]).all():
            raise ConfigError(
                f"evaluation/extractor={self.extractor.name}: the features of all held-out samples are the same, "
                "so nothing can be measured against them"
            )

    def compare(self, real: Side, fake: Side, more: Side | None = None) -> dict[str, float]:
        """All metrics of ``fake`` against ``real``, by name; copies are counted in ``more``, if it is given."""
        scores: dict[str, float] = {}
        for name in self.measures.metrics:
            asked = more if name == "memorisation" and more is not None else fake
            scores |= _METRICS[name](self, real, asked)
        return scores

    def floor(self, real: Side, others: Side) -> dict[str, float]:
        """All metrics of other real samples against ``real``; ``memorisation`` is that of ``real``, which is unseen."""
        return self.compare(real, others, real)

    def ceiling(self, count: int) -> dict[str, float]:
        """The expected metrics of ``count`` samples of a perfect sampler, as far as they are known."""
        if "modes" not in self.measures.metrics:
            return {}
        if self.dataset.mixture is not None:
            modes, dimensions = self.dataset.mixture.modes.shape
            return mixture_ceiling(modes, dimensions, count)
        return class_ceiling(self._combined_shares(), count)

    # ---- the metrics ----

    def _named(self, scores: dict[str, float]) -> dict[str, float]:
        return {feature_metric(name, self.extractor.name): value for name, value in scores.items()}

    def _fd(self, real: Side, fake: Side) -> dict[str, float]:
        return self._named({"fd": frechet_distance(real.moments, fake.moments)})

    def _kid(self, real: Side, fake: Side) -> dict[str, float]:
        subsets, size = self.measures.kid_subsets, self.measures.kid_subset_size
        assert size is not None  # as the measures are fitted
        known = real.subsets(len(fake.features), subsets, size)
        return self._named({"kid": kernel_distance(real.features, fake.features, subsets, size, known)})

    def _prdc(self, real: Side, fake: Side) -> dict[str, float]:
        return self._named(precision_recall_density_coverage(real.features, fake.features, self.measures.k, real.radii))

    def _score(self, real: Side, fake: Side) -> dict[str, float]:
        assert fake.logits is not None
        splits = min(self.extractor.score_splits, len(fake.logits))
        return self._named({"score": classifier_score(fake.logits, splits)})

    def _classes(self, real: Side, fake: Side) -> dict[str, float]:
        assert fake.logits is not None
        unknown = (self._expected == 0).to(fake.logits.device)
        guesses = fake.logits.masked_fill(unknown, float("-inf")).argmax(-1).flatten().cpu()
        number, divergence = class_histogram(guesses, len(self._expected), self._expected)
        return {"classes": float(number), "class_kl": divergence}

    def _modes(self, real: Side, fake: Side) -> dict[str, float]:
        if self.dataset.mixture is not None:
            return mode_coverage(fake.samples, *self.dataset.mixture)
        assert fake.logits is not None
        assert self._stacked is not None
        uniform = torch.full((self._stacked,), 1 / self._stacked, dtype=torch.float64)
        number, divergence = class_histogram(predicted_classes(fake.logits).cpu(), self._stacked, uniform)
        return {"modes": float(number), "reverse_kl": divergence}

    def _class_accuracy(self, real: Side, fake: Side) -> dict[str, float]:
        """The share of samples that the classifier takes for what they are, or were asked to be."""
        assert fake.logits is not None
        right = fake.logits.argmax(-1).cpu() == _labels(fake)
        return self._named({"class_accuracy": right.double().mean().item()})

    def _intra_fd(self, real: Side, fake: Side) -> dict[str, float]:
        """The mean over classes of the Fréchet distance between their samples, equally many on both sides."""
        distances = []
        for of_class in _labels(real).unique():
            sides = [side.features[(_labels(side) == of_class).to(side.features.device)] for side in (real, fake)]
            count = min(map(len, sides))
            if count > 1:
                few = [features[:count] for features in sides]
                whole = count > few[0].shape[1]
                distances.append(frechet_distance(*map(Moments.of, few)) if whole else frechet_distance_of_few(*few))
        return self._named({"intra_fd": sum(distances) / len(distances)})

    def _memorisation(self, real: Side, fake: Side) -> dict[str, float]:
        """The share of samples that are copies, in pixels and in features."""
        return self._by_kind(lambda kind: memorised(kind(fake)[:MOST_SAMPLES], kind(self._seen)))

    def _by_kind(self, measure: Callable[[Callable[[Side], Tensor]], float]) -> dict[str, float]:
        kinds = {self.extractor.name: lambda side: side.features, "pixels": lambda side: side.samples}
        return {feature_metric("memorisation", name): measure(kind) for name, kind in kinds.items()}

    @cached_property
    def _seen(self) -> Side:
        """Training samples, as they are and mirrored, and their features."""
        assert self._training is not None
        return self.look(and_mirrored(self._training.some_trained_on(MOST_TRAINING).samples))

    # ---- what the metrics need of the dataset ----

    @cached_property
    def _expected(self) -> Tensor:
        """The share of each class among the held-out labels, ``[K]`` float64."""
        assert self.dataset.test_labels is not None
        seen = self.dataset.train_labels
        known = 0 if seen is None else int(seen.max()) + 1
        counts = torch.bincount(self.dataset.test_labels.flatten(), minlength=known).double()
        return counts / counts.sum()

    def _combined_shares(self) -> NDArray[np.float64]:
        """The share of each combination of the channels' classes, if the channels are independent; ``[K^C]``."""
        labels = self.dataset.test_labels
        assert labels is not None
        shares = np.ones(1)
        for channel in labels.T:
            counts = torch.bincount(channel, minlength=int(labels.max()) + 1).double()
            shares = np.outer(shares, (counts / counts.sum()).numpy()).ravel()
        return shares

    @property
    def _stacked(self) -> int | None:
        """The number of combinations of the channels' classes; None unless every channel has a label."""
        labels = self.dataset.test_labels
        if labels is None or labels.ndim != 2:
            return None
        return (int(labels.max()) + 1) ** labels.shape[1]

    def _check_classes(self, logits: Tensor) -> None:
        if self.dataset.test_labels is None:
            raise ConfigError("evaluation.metrics: classes takes a dataset with labels")
        if logits.shape[-1] != len(self._expected):
            raise ConfigError(
                "evaluation.metrics: classes takes an extractor that knows the dataset's "
                f"{len(self._expected)} classes, and {self.extractor.name} has {logits.shape[-1]} of its own"
            )
        absent = (self._expected == 0).nonzero().flatten()
        if self.dataset.train_labels is not None:  # a class without any sample is none
            absent = absent[torch.isin(absent, self.dataset.train_labels)]
        for missing in absent.tolist():
            raise ConfigError(
                f"evaluation.metrics: classes takes held-out samples of every class, class {missing} has none"
            )


@contextmanager
def _in_full_precision() -> Iterator[None]:
    """Without what ``matmul_precision`` allows a run's networks: its features are compared with those of other runs."""
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32


def _labels(side: Side) -> Tensor:
    if side.labels is None:
        raise ConfigError(
            "evaluation.metrics: class_accuracy and intra_fd take a generator that is given labels, as with "
            "conditional=projection"
        )
    return side.labels


_METRICS: dict[str, Callable[[Comparison, Side, Side], dict[str, float]]] = {
    "fd": Comparison._fd,
    "kid": Comparison._kid,
    "prdc": Comparison._prdc,
    "score": Comparison._score,
    "classes": Comparison._classes,
    "class_accuracy": Comparison._class_accuracy,
    "intra_fd": Comparison._intra_fd,
    "modes": Comparison._modes,
    "memorisation": Comparison._memorisation,
}
