"""Scores a generator on fixed latents against the held-out samples, the same way every time."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_lab.datasets.batch import Request
from gan_lab.datasets.dataset import Dataset, to_pixels
from gan_lab.distributed.collectives import all_parts
from gan_lab.errors import ConfigError, NotFinite
from gan_lab.metrics.collapse import signals
from gan_lab.metrics.suite import Comparison, Side
from gan_lab.models.conditions import takes_labels
from gan_lab.storage.cache import cached, code_hash

_CHUNK = 1000  # samples generated at a time: bounds memory, does not change a value


class Evaluated(NamedTuple):
    """Metrics, and signs of collapse."""

    metrics: dict[str, float]
    signals: dict[str, float]


class Evaluator:
    """Compares generated samples with as many held-out ones.

    What concerns the real samples alone, their features and what real data scores, is made once and kept in the cache.

    Args:
        dataset: the real samples.
        comparison: what is measured.
        request: what the generator is asked for every time, of at most as many samples as are held out. As many
            held-out samples are the reference; the floor is that of as many training samples, if there are.

    Raises:
        ConfigError: if the extractor cannot tell the held-out samples apart.
    """

    def __init__(self, dataset: Dataset, comparison: Comparison, request: Request) -> None:
        count = len(request)
        self.comparison = comparison
        self.request = request
        self.fingerprint: dict[str, Any] = {
            **comparison.extractor.fingerprint(),
            "samples": count,
            "reference": "test",
            "reference_samples": count,
            "data": dataset.checksum,
            **comparison.measures.fingerprint(),
        }
        self._code = code_hash(*Path(__file__).parent.glob("*.py"), comparison.extractor.source)
        self._reference = self._reference_side(dataset.test[:count])
        comparison.check_reference(self._reference)
        key = self._key | {"metrics": list(comparison.measures.metrics), "train": len(dataset.train)}
        self.floor: dict[str, float] = cached(
            "floors", key, lambda: comparison.compare(self._reference, comparison.look(dataset.train[:count]))
        )
        """Each metric of real training samples, as many, against the same reference."""
        self.ceiling = comparison.ceiling(count)
        """Each metric of a perfect sampler of a known distribution, in expectation."""

    @property
    def _key(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "code": self._code}

    def _reference_side(self, samples: Tensor) -> Side:
        def make() -> dict[str, Tensor]:
            side = self.comparison.look(samples)
            return {"features": side.features.cpu()} | ({} if side.logits is None else {"logits": side.logits.cpu()})

        made = cached("references", self._key, make)
        made = {name: tensor.to(self.comparison.device) for name, tensor in made.items()}
        return Side(samples, made["features"], made.get("logits"), self.comparison.measures.k)

    def _own_side(self, generator: nn.Module) -> Side:
        return self.comparison.look(generate(generator, self.request.own_part()))

    def evaluate(self, generator: nn.Module) -> Evaluated:
        """The metrics of the generator, which is left in the mode it came in.

        Raises:
            NotFinite: if a sample or a feature is not finite, in any process.
        """
        try:
            own, wrong = self._own_side(generator), ""
        except NotFinite as error:  # which the others, who wait for this part, must hear
            own, wrong = None, error.what
        if told := next(filter(None, all_parts(wrong)), None):
            raise NotFinite(told)
        fake = Side.whole([part for part in all_parts(own) if part is not None], self.comparison.device)
        return Evaluated(
            self.comparison.compare(self._reference, fake), signals(self._reference.features, fake.features)
        )


@torch.no_grad()
def generate(generator: nn.Module, request: Request) -> Tensor:
    """The samples that a request asks for, on the CPU, images as uint8 pixels.

    The generator is in eval mode meanwhile, and PyTorch's global random generator stays as it was.

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
    arguments = [request.latents.to(weights)]
    if takes_labels(generator):
        if request.labels is None:
            raise ConfigError("model.generator: it takes labels, and the request has none; expected data with labels")
        arguments.append(request.labels.to(weights.device))
    return generator(*arguments).float().cpu()
