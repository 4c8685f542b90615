"""The adversarial game: Algorithm 1 of Goodfellow et al. 2014 (arXiv 1406.2661), for any recipe of losses.

One call of `AdversarialModule.training_step` is one iteration: n_critic updates of the discriminator, each on a fresh
batch of real samples and fresh noise, then n_generator updates of the generator, each on fresh noise.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.nn.utils import clip_grads_with_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from gan_lab.algorithms.cuda_graph import GraphedIteration, settle
from gan_lab.distributed.collectives import average, global_mean, own_part, process_count
from gan_lab.losses import Recipe, first_head
from gan_lab.models.latents import Prior, draw_latents

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
        joint_batch: whether real and fake samples go through the discriminator together in its updates, which is
            faster, and the same where no sample's logit depends on another sample.
        compile_mode: True compiles both networks; ``cudagraph`` plays whole iterations back from a CUDA graph.
        skips_bad_updates: whether an update whose loss or gradient is not finite is left out and counted; otherwise
            it is made, and ruins the model.
    """

    automatic_optimization = False
    on_train_batch_start: Any = None  # what is no function costs nothing: see `gan_lab.callbacks.base`
    on_train_batch_end: Any = None

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
        joint_batch: bool = False,
        compile_mode: bool | str = False,
        skips_bad_updates: bool = False,
    ) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        if loss.constraint is not None:
            loss.constraint.attach(discriminator)
        self.ema = None if ema_decay is None else copy.deepcopy(generator).requires_grad_(False)
        self.ema_decay = ema_decay
        self.optimizer_makers = {"generator": generator_optimizer, "discriminator": discriminator_optimizer}
        self.schedule = schedule
        self.clip_norms = {"generator": clip_generator, "discriminator": clip_discriminator}
        self.latent_dim = latent_dim
        self.latent_prior = latent_prior
        self.noise_seed = noise_seed
        self.n_critic = n_critic
        self.n_generator = n_generator
        self.joint_batch = joint_batch
        self.compile_mode = compile_mode
        self.skips_bad_updates = skips_bad_updates
        self.updates = {"generator": 0, "discriminator": 0}
        self.skipped = {"generator": 0, "discriminator": 0}
        self._loaded_noise: tuple[str, Tensor] | None = None
        self.curves: dict[str, Tensor] = {}

    # ---- the algorithm ----

    def training_step(self, dataloader_iter: Iterator[tuple[Tensor, int, int]]) -> dict[str, Tensor]:
        """One iteration on ``n_critic × batch_size`` real samples; returns its curves, by tag, detached.

        Logits are all there, one a sample: their means are taken when somebody looks.

        Lightning hands over the loader's iterator: what it does with batches itself takes as long as a toy's networks.
        """
        batch, _, _ = next(dataloader_iter)
        before = dict(self.updates)
        curves = self.iteration(batch.to(self.device).to(self.dtype))
        # a graph that is played back counts nothing
        self.updates["discriminator"] = before["discriminator"] + self.n_critic
        self.updates["generator"] = before["generator"] + self.n_generator
        for scheduler in self.schedulers:
            scheduler.step()
        self.count_iteration()
        return curves

    def iterate(self, batch: Tensor) -> dict[str, Tensor]:
        """All updates of an iteration; returns its curves."""
        self.curves = {}
        for whole in batch.chunk(self.n_critic):
            real = own_part(whole)
            self.update_discriminator(real)
        for _ in range(self.n_generator):
            self.update_generator(real)
        return self.curves

    def update_discriminator(self, real: Tensor) -> None:
        """Descend L_D = objective + Σ weight · penalty, then restore the constraint.

        The networks may run in half precision; losses are taken in the precision of the data.
        """
        with torch.no_grad():
            fake = self.generate(self.draw_latents(len(real))).to(real.dtype)
        real_logits, fake_logits = self.judge(real, fake)
        loss = self.loss.objective.discriminator(real_logits, fake_logits)
        for name, penalty in self.loss.penalties.items():
            if self.updates["discriminator"] % penalty.every == 0:
                value = penalty(self.discriminator, real, fake)
                loss = loss + penalty.weight * penalty.every * value
                self.curves[f"loss/{name}"] = value.detach()
        self.descend(loss, "discriminator")
        if self.loss.constraint is not None:
            self.loss.constraint.project(self.discriminator)
        self.curves |= {
            "loss/discriminator": loss.detach(),
            "logits/real": first_head(real_logits).detach(),
            "logits/fake": first_head(fake_logits).detach(),
        }

    def update_generator(self, real: Tensor) -> None:
        """Descend L_G on fresh noise; the real samples matter to relativistic losses alone."""
        with frozen(self.judging_weights):
            fake = self.generate(self.draw_latents(len(real)))
            real_logits = self.discriminate(real).to(real.dtype) if self.loss.objective.generator_uses_real else None
            fake_logits = self.discriminate(fake).to(real.dtype)
            loss = self.loss.objective.generator(real_logits, fake_logits)
            self.descend(loss, "generator")
        if self.ema is not None:
            self.update_average()
        self.curves["loss/generator"] = loss.detach()

    def draw_latents(self, count: int) -> Tensor:
        """Fresh latents ``[count, latent_dim]`` from the prior."""
        latents = draw_latents(self.latent_prior, count * process_count(), self.latent_dim, self.noise)
        return own_part(latents).to(self.dtype)

    def generate(self, latents: Tensor) -> Tensor:
        """What the generator makes of latents, in training."""
        return self.generator(latents)

    def discriminate(self, samples: Tensor) -> Tensor:
        """The discriminator's logits, in training; penalties, which differentiate twice, ask it directly."""
        return self.discriminator(samples)

    def judge(self, real: Tensor, fake: Tensor) -> Sequence[Tensor]:
        """The logits of real and of fake samples, in the precision of the data."""
        if self.joint_batch:
            return self.discriminate(torch.cat([real, fake])).to(real.dtype).chunk(2)
        return self.discriminate(real).to(real.dtype), self.discriminate(fake).to(real.dtype)

    def descend(self, loss: Tensor, name: str) -> None:
        """One step of the player down its gradient, clipped if asked to; unless it is one to skip."""
        optimizer = self.players[name]
        self.scaler.scale(loss).backward()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        average(gradients)
        self.scaler.unscale_(optimizer)
        norm = self.curves[f"grad_norm/{name}"] = total_norm(gradients)
        clip = self.clip_norms[name]
        if clip is not None:
            clip_grads_with_norm_(weights, clip, norm)
        if not self.skips_bad_updates or self.is_good(loss, norm, name):
            self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.zero_grad()
        self.updates[name] += 1

    def is_good(self, loss: Tensor, norm: Tensor, name: str) -> bool:
        """Whether loss and gradient are finite, in every process; an update with others is counted as skipped."""
        bad = not (global_mean(loss.detach()).isfinite() & norm.isfinite())
        self.skipped[name] += bad
        self.curves[f"skipped/{name}"] = loss.new_tensor(bad) + self.curves.get(f"skipped/{name}", 0)
        return not bad

    def update_average(self) -> None:
        """θ̄ ← decay·θ̄ + (1 − decay)·θ, from the first update's weights; buffers are copied."""
        assert self.ema is not None
        assert self.ema_decay is not None
        decay = self.ema_decay if self.updates["generator"] > 1 else 0.0
        pairs = zip(self.ema.buffers(), self.generator.buffers(), strict=True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.generator.parameters()), 1 - decay)
            for kept, current in pairs:
                kept.copy_(current)

    # ---- what an update needs from the trainer ----

    def count_iteration(self) -> None:
        """Let Lightning count the iteration as one step: max_steps, names and axes follow.

        Steps of its own wrappers of optimizers are counted one by one, and cost more than the networks of a toy.
        """
        steps = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        steps.increment_ready()
        steps.increment_completed()

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

    def on_train_start(self) -> None:
        optimizers = cast(list[Optimizer], self.optimizers(use_pl_optimizer=False))
        self.players = dict(zip(self.updates, optimizers, strict=True))
        self.schedulers = cast(list[LambdaLR], self.lr_schedulers())
        self.judging_weights = [weight for weight in self.discriminator.parameters() if weight.requires_grad]
        # fp16's, which serves both players; without one, its calls do nothing
        self.scaler = getattr(self.trainer.precision_plugin, "scaler", None) or GradScaler(enabled=False)
        settle(self.players.values(), self.compile_mode == "cudagraph", self.device)
        self.iteration: Callable[[Tensor], dict[str, Tensor]] = self.iterate
        if self.compile_mode is True:
            self.generate = torch.compile(self.generate, dynamic=False)  # type: ignore[method-assign]
            self.discriminate = torch.compile(self.discriminate, dynamic=False)  # type: ignore[method-assign]
        elif self.compile_mode == "cudagraph":
            self.iteration = GraphedIteration(self.iterate, self.noise)

    # ---- what others ask of it ----

    @property
    def sampler(self) -> nn.Module:
        """The network to judge and to sample from: the moving average of the generator if there is one."""
        return self.generator if self.ema is None else self.ema

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["updates"] = dict(self.updates)
        checkpoint["skipped"] = dict(self.skipped)
        checkpoint["noise"] = (self.device.type, self.noise.get_state())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.updates = dict(checkpoint["updates"])
        self.skipped = dict(checkpoint["skipped"])
        self._loaded_noise = checkpoint["noise"]


def total_norm(tensors: list[Tensor]) -> Tensor:
    """The Euclidean norm of all of them as one vector.

    `torch.nn.utils.get_total_norm` is the same, but sorts them by device and type before, and takes half as long again.
    """
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))


@contextmanager
def frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Inside, the weights take no gradients, which nobody would use."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
