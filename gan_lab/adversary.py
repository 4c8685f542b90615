"""The adversarial game: Algorithm 1 of Goodfellow et al. 2014 (arXiv 1406.2661), for any recipe of losses.

One call of `AdversarialModule.training_step` is one iteration: n_critic updates of the discriminator, each on a fresh
batch of real samples and fresh noise, then n_generator updates of the generator, each on fresh noise.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gan_lab.latents import Prior, draw_latents
from gan_lab.losses import Recipe, first_head

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class AdversarialModule(pl.LightningModule):
    """A generator and a discriminator that train each other.

    Args:
        generator: maps latents ``[B, latent_dim]`` to samples ``[B, …]``.
        discriminator: maps samples ``[B, …]`` to logits ``[B]``, or ``[B, heads]`` if the objective asks for more.
        loss: what they minimise.
        generator_optimizer: makes the generator's optimizer from its parameters.
        discriminator_optimizer: the same for the discriminator.
        latent_dim: size of the latent.
        noise_seed: seed of the latents drawn in training; they come from a generator of the module's own, so that
            nothing else (evaluation, pictures) shifts them.
        latent_prior: ``normal`` for N(0, 1), ``uniform`` for U(−1, 1), per dimension.
        n_critic: discriminator updates an iteration.
        n_generator: generator updates an iteration.
        schedule: factor on both learning rates as a function of the iterations done.
        clip_generator: largest norm of the generator's gradient, or None for no clipping.
        clip_discriminator: the same for the discriminator.
        ema_decay: decay of the moving average of the generator's weights, one step an update; None for no average.
        skips_bad_updates: whether an update whose loss or gradient is not finite is left out and counted; otherwise
            it is made, and ruins the model.
    """

    automatic_optimization = False

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Recipe,
        generator_optimizer: MakeOptimizer,
        discriminator_optimizer: MakeOptimizer,
        latent_dim: int,
        noise_seed: int,
        latent_prior: Prior = "normal",
        n_critic: int = 1,
        n_generator: int = 1,
        schedule: Callable[[int], float] = lambda _: 1.0,
        clip_generator: float | None = None,
        clip_discriminator: float | None = None,
        ema_decay: float | None = None,
        skips_bad_updates: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        if loss.constraint is not None:
            loss.constraint.attach(discriminator)
        self.ema = None
        if ema_decay is not None:
            self.ema = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(ema_decay))
        self.optimizer_makers = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}
        self.schedule = schedule
        self.clip_norms = {"generator": clip_generator, "discriminator": clip_discriminator}
        self.latent_dim = latent_dim
        self.latent_prior = latent_prior
        self.noise_seed = noise_seed
        self.n_critic = n_critic
        self.n_generator = n_generator
        self.skips_bad_updates = skips_bad_updates
        self.updates = {"generator": 0, "discriminator": 0}
        self.skipped = {"generator": 0, "discriminator": 0}
        self._loaded_noise: tuple[str, Tensor] | None = None
        self.curves: dict[str, Tensor] = {}

    # ---- the algorithm ----

    def training_step(self, batch: Tensor, batch_idx: int) -> dict[str, Tensor]:
        """One iteration on ``n_critic × batch_size`` real samples; returns its curves, by tag, as detached scalars."""
        self.curves = {}
        with _counted_as_one_step(*self.players.values()):
            for real in batch.chunk(self.n_critic):
                self.update_discriminator(real)
            for _ in range(self.n_generator):
                self.update_generator(real)
        for scheduler in cast(list[LambdaLR], self.lr_schedulers()):
            scheduler.step()
        return self.curves

    def update_discriminator(self, real: Tensor) -> None:
        """Descend L_D = objective + Σ weight · penalty, then restore the constraint.

        The networks may run in half precision; losses are taken in the precision of the data.
        """
        with torch.no_grad():
            fake = self.generator(self.draw_latents(len(real))).to(real.dtype)
        with self.playing("discriminator") as optimizer:
            real_logits = self.discriminator(real).to(real.dtype)
            fake_logits = self.discriminator(fake).to(real.dtype)
            loss = self.loss.objective.discriminator(real_logits, fake_logits)
            for name, penalty in self.loss.penalties.items():
                if self.updates["discriminator"] % penalty.every == 0:
                    value = penalty(self.discriminator, real, fake)
                    loss = loss + penalty.weight * penalty.every * value
                    self.curves[f"loss/{name}"] = value.detach()
            self.descend(loss, optimizer, "discriminator")
        if self.loss.constraint is not None:
            self.loss.constraint.project(self.discriminator)
        real_logits, fake_logits = first_head(real_logits).detach(), first_head(fake_logits).detach()
        self.curves |= {
            "loss/discriminator": loss.detach(),
            "logits/real": real_logits.mean(),
            "logits/fake": fake_logits.mean(),
            # of pairs in which the real sample has the higher logit, ties half: defined for every objective
            "accuracy/discriminator": ((real_logits - fake_logits).sign().mean() + 1) / 2,
        }

    def update_generator(self, real: Tensor) -> None:
        """Descend L_G on fresh noise; the real samples matter to relativistic losses alone."""
        with self.playing("generator") as optimizer:
            fake = self.generator(self.draw_latents(len(real)))
            real_logits = self.discriminator(real).to(real.dtype) if self.loss.objective.generator_uses_real else None
            fake_logits = self.discriminator(fake).to(real.dtype)
            loss = self.loss.objective.generator(real_logits, fake_logits)
            self.descend(loss, optimizer, "generator")
        if self.ema is not None:
            self.ema.update_parameters(self.generator)
        self.curves["loss/generator"] = loss.detach()

    def draw_latents(self, count: int) -> Tensor:
        """Fresh latents ``[count, latent_dim]`` from the prior."""
        return draw_latents(self.latent_prior, count, self.latent_dim, self.noise).to(self.dtype)

    # ---- what an update needs from the trainer ----

    @property
    def players(self) -> dict[str, LightningOptimizer]:
        """Each player's optimizer."""
        return dict(zip(self.updates, cast(list[LightningOptimizer], self.optimizers()), strict=True))

    @contextmanager
    def playing(self, name: str) -> Iterator[LightningOptimizer]:
        """The player's optimizer; inside, the other player's weights take no gradients."""
        optimizer = self.players[name]
        with self.toggled_optimizer(optimizer):
            yield optimizer
        self.updates[name] += 1

    def descend(self, loss: Tensor, optimizer: LightningOptimizer, name: str) -> None:
        """One gradient step of the player, unless it is one to skip."""
        self.manual_backward(loss)
        if self.skips_bad_updates:
            gradients = [p.grad for p in getattr(self, name).parameters() if p.grad is not None]
            bad = not (loss.isfinite() & get_total_norm(gradients).isfinite())
            self.skipped[name] += bad
            self.curves[f"skipped/{name}"] = loss.new_tensor(bad) + self.curves.get(f"skipped/{name}", 0)
            if bad:
                optimizer.zero_grad()
                return
        optimizer.step()
        optimizer.zero_grad()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Measure the player's gradient norm, and clip by it if asked to; fp16 gradients are unscaled by now."""
        (name,) = (name for name, player in self.players.items() if player.optimizer is optimizer)
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        norm = get_total_norm([p.grad for p in parameters])
        clip = self.clip_norms[name]
        if clip is not None:
            clip_grads_with_norm_(parameters, clip, norm)
        self.curves[f"grad_norm/{name}"] = norm

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        optimizers = [self.optimizer_makers[name](getattr(self, name).parameters()) for name in self.updates]
        # a function of its own: LambdaLR would put the schedule's attributes, which are settings, into checkpoints
        return optimizers, [LambdaLR(optimizer, lambda done: self.schedule(done)) for optimizer in optimizers]

    def on_fit_start(self) -> None:
        self.noise = torch.Generator(self.device).manual_seed(self.noise_seed)
        if self._loaded_noise is None:
            return
        device, state = self._loaded_noise
        if device == self.device.type:
            self.noise.set_state(state)
        else:  # states of different devices are of different kinds: no noise is seen twice, at least
            self.noise.manual_seed(self.noise_seed + self.updates["generator"])

    # ---- what others ask of it ----

    @property
    def sampler(self) -> nn.Module:
        """The network to judge and to sample from: the moving average of the generator if there is one."""
        return self.generator if self.ema is None else self.ema.module

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["updates"] = dict(self.updates)
        checkpoint["skipped"] = dict(self.skipped)
        checkpoint["noise"] = (self.device.type, self.noise.get_state())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.updates = dict(checkpoint["updates"])
        self.skipped = dict(checkpoint["skipped"])
        self._loaded_noise = checkpoint["noise"]


@contextmanager
def _counted_as_one_step(*optimizers: LightningOptimizer) -> Iterator[None]:
    """Let Lightning count all optimizer steps inside as one.

    It counts every step of every optimizer, and max_steps and all names and axes follow. The two hooks are private,
    and Lightning installs them anew for each batch; tests/test_adversary.py holds it to that.
    """
    before, after = optimizers[0]._on_before_step, optimizers[0]._on_after_step
    for optimizer in optimizers:
        optimizer._on_before_step = optimizer._on_after_step = lambda: None
    yield
    before()
    after()
