"""An auto-encoder whose decoder is a generator: VAE/GAN of Larsen et al. 2016 (arXiv 1512.09300), Algorithm 1."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.loss import Loss
from gan_lab.algorithms.player import Curves, Player
from gan_lab.algorithms.view import View
from gan_lab.datasets.batch import Batch, Request
from gan_lab.errors import ConfigError
from gan_lab.losses import Comparison, GeneratorStep, Judge, Term
from gan_lab.losses.weighted import Weights, with_added
from gan_lab.validation import is_number


class VAEGAN(GAN):
    """The game of `GAN`, and an encoder that learns which latents the generator makes a picture from.

    | loss | discriminator | generator | encoder |
    | --- | --- | --- | --- |
    | objective, of real samples and of samples of the prior | its own | its own | – |
    | reconstruction: mse, bce, l1 or feature_reconstruction | – | weight | numbers / (2σ²) |
    | kl, of the latents of real samples and the prior | – | – | weight |

    A reconstruction is a mean over numbers: those of a sample, or of its features. Times numbers / (2σ²), how many they
    are over twice the variance, the mean square is −log p(x | z) of a normal distribution, so that with the KL
    divergence the encoder has the loss of a variational auto-encoder. (For bce, σ = √½ gives −log p of a Bernoulli
    distribution.) The encoder looks at it in each of its updates, of which there are as many as the generator's;
    ``every`` is of the generator's loss. Fakes for the discriminator are samples of the prior alone, as in the authors'
    code for faces; the paper's Algorithm 1 adds reconstructions.

    Args:
        encoder: its network maps samples ``[B, …]`` to the mean and the log-variance of their latents,
            ``[B, latent_dim]`` each.
        sigma: σ, the standard deviation of a reconstruction's numbers; a small one asks for exact reconstructions.
        settings: those of `GAN`.

    Raises:
        ConfigError: unless the latents' prior is normal and a reconstruction is among the terms.
    """

    roles = ("generator", "discriminator", "encoder")
    compares = ("reconstruction", "posterior")
    generator_uses_real = True

    def __init__(self, *, encoder: Player, sigma: float = 1.0, **settings: Any) -> None:
        super().__init__(encoder=encoder, **settings)
        if not is_number(sigma) or sigma <= 0:
            raise ConfigError(f"algorithm.sigma={sigma}: expected a number above 0")
        if self.prior.kind != "normal":
            raise ConfigError(f"latent_prior={self.prior.kind}: expected normal with algorithm=vae_gan")
        if not self.terms_of("reconstruction"):
            raise ConfigError("loss.terms: expected a reconstruction that counts, such as mse, with algorithm=vae_gan")
        for name, term in self.terms_of("reconstruction").items():
            if not isinstance(term, Comparison):
                raise ConfigError(f"loss.terms.{name}: expected a gan_lab.losses.Comparison with algorithm=vae_gan")
        self.sigma = sigma

    def update_generator(self, batch: Batch) -> None:
        self.update_encoder(batch)
        super().update_generator(batch)

    def update_encoder(self, batch: Batch) -> None:
        """Descend L_E."""
        latents, view = self.draw_latents(len(batch)), self.view("encoder")
        with self.players["generator"].frozen(), self.players["discriminator"].frozen():
            self.descend("encoder", self.encoder_loss, self.terms_of("posterior"), batch, latents, view)

    def encoder_loss(self, weights: Weights, batch: Batch, noise: Tensor, view: View) -> Loss:
        """L_E = Σ weight · kl + Σ numbers / (2σ²) · reconstruction."""
        generator, discriminator = self.players["generator"], self.players["discriminator"]
        mean, log_variance = self.posterior(batch)
        latents = draw_posterior(mean, log_variance, noise)
        request = Request(latents, batch.labels, batch.source)
        made = generator(latents, request).to(batch.samples.dtype)
        judge = Judge(discriminator.network, discriminator.conditions(request), augmented=view.to_loss)
        pairs = {"reconstruction": lambda: [(made, batch.samples)], "posterior": lambda: [(mean, log_variance)]}
        step = replace(super().step(batch, request, made, judge), compares=pairs)
        parts: Curves = {}
        terms, others = self.terms_of("posterior"), self.loss.penalties
        loss = with_added(made.new_zeros(()), terms, weights, parts, step, others=others, player="encoder")
        for term in self.terms_of("reconstruction").values():
            assert isinstance(term, Comparison)
            ((found, wanted),) = term.pairs(step)
            loss = loss + found[0].numel() / (2 * self.sigma**2) * term.distance(found, wanted)
        return Loss(loss, parts, {"loss/encoder": loss.detach()}, made.detach())

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latents of real samples, ``[B, latent_dim]`` each."""
        mean, log_variance = self.players["encoder"](batch.samples, batch)
        return mean.to(batch.samples.dtype), log_variance.to(batch.samples.dtype)

    @property
    def generator_terms(self) -> Mapping[str, Term]:
        return {name: one for name, one in self.loss.terms.items() if one.compared != "posterior"}

    def terms_of(self, compared: str) -> Mapping[str, Term]:
        """The terms that count and compare this."""
        return {name: one for name, one in self.loss.terms.items() if one.compared == compared and one.counts}

    def drawn_for_terms(self, batch: Batch) -> tuple[Tensor, ...]:
        return (self.draw_latents(len(batch)),)

    def step(self, batch: Batch, request: Request, fake: Tensor, judge: Judge, *drawn: Tensor) -> GeneratorStep:
        (noise,) = drawn

        pairs: list[tuple[Tensor, Tensor]] = []

        def reconstruction() -> list[tuple[Tensor, Tensor]]:
            if not pairs:  # made once for all terms
                with torch.no_grad():
                    latents = draw_posterior(*self.posterior(batch), noise)
                again = self.players["generator"](latents, Request(latents, batch.labels, batch.source))
                pairs.append((again.to(batch.samples.dtype), batch.samples))
            return pairs

        return replace(super().step(batch, request, fake, judge), compares={"reconstruction": reconstruction})


def draw_posterior(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Latents ~ N(mean, exp(log_variance)) of noise ~ N(0, 1), all ``[B, latent_dim]``; differentiable in both."""
    return mean + (log_variance / 2).exp() * noise
