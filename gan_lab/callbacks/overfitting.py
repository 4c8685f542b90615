"""Whether the discriminator has learned its training samples by heart."""

import pytorch_lightning as pl
import torch
from torch import Tensor

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.callbacks.clock import Stopwatch
from gan_lab.callbacks.logger import Curves
from gan_lab.callbacks.periodic import Periodic
from gan_lab.datasets.batch import Batch, Request
from gan_lab.datasets.dataset import to_model_range
from gan_lab.losses import first_head
from gan_lab.metrics.evaluator import generate
from gan_lab.models.conditions import Judgement, conditions_for
from gan_lab.models.packing import pack

_AT_ONCE = 64  # packs


class Overfitting(Periodic):
    """The discriminator's mean logit of training, held-out and generated samples: ``overfitting/training`` and so on.

    As it learns the training samples by heart, held-out ones look generated to it. ``overfitting/share`` says how far:
    r_v = (E D(training) − E D(held out)) / (E D(training) − E D(generated)) of Karras et al. 2020 (arXiv 2006.06676,
    eq. 1). It is 0 if held-out samples are rated as training ones are, and 1 if as generated ones are. It is left out
    while generated samples are rated no lower than training ones.

    Args:
        training: samples as the dataset holds them, ``[N, …]``, with labels and sources in model range if it has some.
        held_out: the same of those that training does not see.
        request: what the generator is asked for.
        packing: samples in a pack.
        every: iterations between points.
        curves: receives the points.
        stopwatch: stopped meanwhile.
    """

    def __init__(
        self,
        training: Batch,
        held_out: Batch,
        request: Request,
        packing: int,
        every: int,
        curves: Curves,
        stopwatch: Stopwatch,
    ) -> None:
        super().__init__(every, curves, stopwatch)
        self.training, self.held_out, self.request, self.packing = training, held_out, request, packing

    def act(self, trainer: pl.Trainer, module: Algorithm, iteration: int) -> None:
        generated = Batch(generate(module.sampler, self.request), self.request.labels, self.request.source)
        sets = {"training": self.training, "held_out": self.held_out, "generated": generated}
        means = {name: self._mean_logit(module, batch, name != "generated") for name, batch in sets.items()}
        points = {f"overfitting/{name}": mean for name, mean in means.items()}
        apart = means["training"] - means["generated"]
        if apart > 0:
            points["overfitting/share"] = (means["training"] - means["held_out"]) / apart
        self.curves.write(iteration, points)

    @torch.no_grad()
    def _mean_logit(self, module: Algorithm, batch: Batch, real: bool) -> float:
        network = module.players["discriminator"].network
        was_training = network.training
        network.eval()
        parts = [part.map(module.on_device) for part in batch.split(_AT_ONCE * self.packing)]
        logits: list[Tensor] = [
            first_head(Judgement.of(network(self._packed(part, module, real), **conditions_for(network, part))).logits)
            for part in parts
            if len(part) >= self.packing
        ]
        network.train(was_training)
        return torch.cat(logits).double().mean().item()

    def _packed(self, batch: Batch, module: Algorithm, real: bool) -> Tensor:
        samples = to_model_range(batch.samples[: len(batch) // self.packing * self.packing]).to(module.dtype)
        return pack(module.as_trained_on(samples) if real else samples, self.packing)
