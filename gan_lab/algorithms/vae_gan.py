"""An auto-encoder whose decoder is a generator: VAE/GAN of Larsen et al. 2016 (arXiv 1512.09300), Algorithm 1."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.player import Player
from gan_lab.datasets.batch import Batch, Request
from gan_lab.distributed.collectives import own_part, process_count
from gan_lab.errors import ConfigError
from gan_lab.losses import GeneratorStep, Judge, Term
from gan_lab.validation import check_number


class VAEGAN(GAN):
    """The game of `GAN`, and an encoder that learns which latents the generator makes a picture from.

    | loss | discriminator | generator | encoder |
    | --- | --- | --- | --- |
    | objective, of real samples and of samples of the prior | its own | its own | – |
    | reconstruction: mse, bce, l1 or feature_reconstruction | – | weight | dims / (2σ²) |
    | kl, of the latents of real samples and the prior | – | – | weight |

    A reconstruction is the mean over a sample's numbers. Times dims / (2σ²), their number over twice the variance, the
    mean square is −log p(x | z) of a normal distribution, so that with the KL divergence the encoder has the loss of a
    variational auto-encoder. Fakes for the discriminator are samples of the prior alone, as in the authors' code for
    faces; the paper's Algorithm 1 adds reconstructions.

    Args:
        encoder: its network maps samples ``[B, …]`` to the mean and the log-variance of their latents,
            ``[B, latent_dim]`` each.
        sigma: σ, the standard deviation of a reconstruction's numbers; a small one asks for exact reconstructions.
        settings: those of `GAN`.

    Raises:
        ConfigError: unless the latents' prior is normal.
    """

    roles = ("generator", "discriminator", "encoder")
    compares = ("reconstruction", "posterior")
    generator_uses_real = True

    def __init__(self, *, encoder: Player, sigma: float = 1.0, **settings: Any) -> None:
        super().__init__(encoder=encoder, **settings)
        check_number("VAEGAN.sigma", sigma, above=0)
        if self.prior.kind != "normal":
            raise ConfigError(f"latent_prior={self.prior.kind}: expected normal with algorithm=vae_gan")
        self.sigma = sigma

    def update_generator(self, batch: Batch) -> None:
        self.update_encoder(batch)
        super().update_generator(batch)

    def update_encoder(self, batch: Batch) -> None:
        """Descend L_E = Σ weight · kl + dims / (2σ²) · Σ reconstruction."""
        encoder = self.players["encoder"]
        with self.players["generator"].frozen(), self.players["discriminator"].frozen():
            mean, log_variance = self.posterior(batch)
            request = Request(self.draw_posterior(mean, log_variance), batch.labels)
            made = self.players["generator"](request.latents, request).to(batch.samples.dtype)
            judge = Judge(self.players["discriminator"].network, **self.players["discriminator"].conditions(request))
            pairs = {"reconstruction": lambda: [(made, batch.samples)], "posterior": lambda: [(mean, log_variance)]}
            step = replace(self.step(batch, request, made, judge), compares=pairs)
            loss = self.with_added(made.new_zeros(()), self.terms_of("posterior"), encoder.updates, step)
            scale = batch.samples[0].numel() / (2 * self.sigma**2)
            for term in self.terms_of("reconstruction").values():
                loss = loss + scale * term(step)
            encoder.descend(loss, self.curves)
        self.curves["loss/encoder"] = loss.detach()

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latents of real samples, ``[B, latent_dim]`` each."""
        mean, log_variance = self.players["encoder"](batch.samples, batch)
        return mean.to(batch.samples.dtype), log_variance.to(batch.samples.dtype)

    def draw_posterior(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Latents ~ N(mean, exp(log_variance)), differentiable in both."""
        noise = torch.randn(
            len(mean) * process_count(), *mean.shape[1:], generator=self.noise, device=mean.device, dtype=mean.dtype
        )
        return mean + (log_variance / 2).exp() * own_part(noise)

    @property
    def generator_terms(self) -> Mapping[str, Term]:
        return {name: one for name, one in self.loss.terms.items() if one.compared != "posterior"}

    def terms_of(self, compared: str) -> Mapping[str, Term]:
        """The terms that count and compare this."""
        return {name: one for name, one in self.loss.terms.items() if one.compared == compared and one.counts}

    def step(self, batch: Batch, request: Request, fake: Tensor, judge: Judge) -> GeneratorStep:
        @cache
        def reconstruction() -> list[tuple[Tensor, Tensor]]:
            with torch.no_grad():
                latents = self.draw_posterior(*self.posterior(batch))
            again = self.players["generator"](latents, Request(latents, batch.labels))
            return [(again.to(batch.samples.dtype), batch.samples)]

        return replace(super().step(batch, request, fake, judge), compares={"reconstruction": reconstruction})
