"""Scores a generator on fixed latents against the held-out samples, the same way every time."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_lab.datasets.dataset import Dataset, to_pixels
from gan_lab.errors import NotFinite
from gan_lab.metrics.frechet import Gaussian, frechet_distance
from gan_lab.metrics.modes import mode_coverage

_CHUNK = 1000  # samples generated at a time: bounds memory, does not change a value


class Evaluator:
    """The Fréchet distance of generated to held-out samples in raw space, and for mixtures the modes reached.

    Raw space is pixels / 255 for images, points as they are.

    Args:
        dataset: the real samples.
        latents: the fixed latents, ``[N, latent_dim]``, at most as many as samples are held out; as many of these are
            the reference, and as many training samples, if there are, measure the floor.
    """

    def __init__(self, dataset: Dataset, latents: Tensor) -> None:
        count = len(latents)
        self.dataset = dataset
        self.latents = latents
        self._reference = Gaussian.fit(_raw_features(dataset.test[:count]))
        self.floor = self._measure(dataset.train[:count])
        """Each metric of real training samples, as many, against the same reference: what a perfect model scores."""
        self.fingerprint: dict[str, Any] = {
            "extractor": "pixels" if dataset.train.dtype == torch.uint8 else "points",
            "samples": count,
            "reference": "test",
            "reference_samples": count,
            "data": dataset.checksum,
        }

    def evaluate(self, generator: nn.Module) -> dict[str, float]:
        """The metrics of the generator, which is left in the mode it came in.

        Raises:
            NotFinite: if a sample is not finite.
        """
        return self._measure(generate(generator, self.latents))

    def _measure(self, samples: Tensor) -> dict[str, float]:
        metrics = {"fd": frechet_distance(Gaussian.fit(_raw_features(samples)), self._reference)}
        if self.dataset.modes is not None:
            metrics |= mode_coverage(samples, self.dataset.modes, self.dataset.mode_std)
        return metrics


@torch.no_grad()
def generate(generator: nn.Module, latents: Tensor) -> Tensor:
    """Samples for the latents, on the CPU, images as uint8 pixels; G in eval mode, torch's global RNG untouched.

    Raises:
        NotFinite: if a sample is not finite.
    """
    weights = next(generator.parameters())
    was_training = generator.training
    generator.eval()
    with torch.random.fork_rng([weights.device] if weights.is_cuda else []):
        samples = torch.cat([generator(chunk.to(weights)).float().cpu() for chunk in latents.split(_CHUNK)])
    generator.train(was_training)
    if not samples.isfinite().all():
        raise NotFinite("the generator draws samples that are not finite")
    return to_pixels(samples)


def _raw_features(samples: Tensor) -> Tensor:
    if samples.dtype == torch.uint8:
        return samples.flatten(1).double() / 255
    return samples.double()
