"""The adversarial game: Algorithm 1 of Goodfellow et al. 2014 (arXiv 1406.2661), for any recipe of losses.

In each iteration the discriminator makes n_critic updates, each on a fresh batch of real samples and fresh latents, and
then the generator makes n_generator updates, each on fresh latents and, where its loss looks at them, fresh real
samples.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gan_lab.algorithms.algorithm import Algorithm
from gan_lab.algorithms.loss import Loss
from gan_lab.algorithms.player import Curves, Player
from gan_lab.algorithms.view import View
from gan_lab.augmentations import Augmentation, NoAugmentation
from gan_lab.datasets.batch import Batch, Condition, Draw, Request
from gan_lab.losses import GeneratorStep, Judge, Recipe, Term, first_head
from gan_lab.losses.weighted import Weighted, Weights, weights_due, with_added
from gan_lab.models.conditions import Judgement, takes_source
from gan_lab.models.latents import Prior
from gan_lab.models.packing import pack


class GAN(Algorithm):
    """A generator and a discriminator that train each other.

    Args:
        generator: its network maps latents ``[B, latent_dim]`` to samples ``[B, …]``.
        discriminator: its network maps samples ``[B, …]`` to logits ``[B]``, to a map ``[B, 1, H, W]`` of them, or to
            ``[B, heads]`` if the objective asks for several. Both networks may take further arguments by name:
            ``labels``, ``[B]``, and ``source``, the images to translate.
        loss: the recipe that they minimise; its constraint is attached to the discriminator.
        prior: of the latents.
        noise_seed: see `Algorithm`.
        turns: updates an iteration of the ``generator`` and of the ``discriminator``.
        joint_batch: send real and fake samples through the discriminator together in its updates. It is faster, and the
            same where no sample's logit depends on other samples.
        packing: samples in a pack (`gan_lab.models.packing`). The discriminator, the losses and ``B`` above are of
            packs; the generator, batches and requests are of samples.
        statistics: see `Algorithm`.
        compile_mode: see `Algorithm`.
        others: further players, which a subclass moves.

    Attributes:
        augmentation: what is done to everything that the discriminator sees; nothing until it is set.
    """

    augments = True

    def __init__(
        self,
        generator: Player,
        discriminator: Player,
        loss: Recipe,
        prior: Prior,
        noise_seed: int,
        turns: Mapping[str, int],
        joint_batch: bool = False,
        packing: int = 1,
        statistics: Sequence[Request] = (),
        compile_mode: bool | str = False,
        **others: Player,
    ) -> None:
        players = {"generator": generator, "discriminator": discriminator, **others}
        super().__init__(players, turns, prior, noise_seed, statistics, compile_mode)
        self.loss = loss
        self.joint_batch = joint_batch
        self.packing = packing
        self.judges_pairs = takes_source(discriminator.network)
        self.augmentation: Augmentation = NoAugmentation()
        parts = [("objective", loss.objective.state)]
        parts += [(f"{name}_", one.state) for name, one in [*loss.penalties.items(), *loss.terms.items()]]
        self.states = nn.ModuleDict({name: state for name, state in parts if state is not None})
        self.curves: Curves = {}

    @property
    def generator_uses_real(self) -> bool:
        terms = self.loss.terms.values()
        return self.loss.objective.generator_uses_real or any(term.uses_real and term.counts for term in terms)

    @property
    def generator_terms(self) -> Mapping[str, Term]:
        """The terms of the generator's loss, by name."""
        return self.loss.terms

    def iterate(self, draw: Draw) -> Curves:
        self.curves = {}
        for batch in draw.discriminator.split(len(draw.discriminator) // self.turns["discriminator"]):
            self.update_discriminator(batch.own_part())
        for batch in draw.generator.split(len(draw.generator) // self.turns["generator"]):
            self.update_generator(batch.own_part())
        return self.curves

    def update_discriminator(self, batch: Batch) -> None:
        """Descend L_D, then restore the constraint."""
        request, view = self.request(batch), self.view("discriminator")
        real = pack(self.augmentation.as_real(batch.samples, self.asked_labels(request), view.draws), self.packing)
        loss = self.descend("discriminator", self.discriminator_loss, self.loss.penalties, real, request, view)
        if self.loss.constraint is not None:
            self.loss.constraint.project(self.players["discriminator"].network)
        self.observe(loss.shown["logits/real"], loss.shown["logits/fake"], len(batch))

    def discriminator_loss(self, weights: Weights, real: Tensor, request: Request, view: View) -> Loss:
        """L_D = objective + Σ weight · penalty.

        The networks may run in half precision; losses are computed in the precision of the data.
        """
        with torch.no_grad():
            fake = pack(self.players["generator"](request.latents, request).to(real.dtype), self.packing)
        of_real, of_fake = self.judge_both(real, fake, request, view)
        loss = self.loss.objective.discriminator(of_real.logits, of_fake.logits)
        judge = self.judge(request, of_real, of_fake, view)
        parts: Curves = {}
        loss = with_added(loss, self.loss.penalties, weights, parts, judge, real, fake)
        shown = {
            "loss/discriminator": loss.detach(),
            "logits/real": first_head(of_real.logits).detach(),
            "logits/fake": first_head(of_fake.logits).detach(),
        }
        return Loss(loss, parts, shown, fake)

    def update_generator(self, batch: Batch) -> None:
        """Descend L_G on fresh latents; the reals are for relativistic objectives."""
        request, view = self.request(batch), self.view("generator")
        drawn = self.drawn_for_terms(batch)
        with self.players["discriminator"].frozen():
            loss = self.descend("generator", self.generator_loss, self.generator_terms, batch, request, view, *drawn)
        self.augmentation.keep(loss.made, self.asked_labels(request))

    def generator_loss(self, weights: Weights, batch: Batch, request: Request, view: View, *drawn: Tensor) -> Loss:
        """L_G = objective + Σ weight · term."""
        generator, discriminator = self.players["generator"], self.players["discriminator"]
        real = pack(batch.samples, self.packing)
        fake = generator(request.latents, request).to(real.dtype)
        of_real = None
        if self.loss.objective.generator_uses_real:
            of_real = Judgement.of(discriminator(*view(real, request, second=True))).to(real.dtype)
        of_fake = Judgement.of(discriminator(*view(pack(fake, self.packing), request))).to(real.dtype)
        kept = self.loss.kept(of_fake.logits, generator.updates)
        loss = self.loss.objective.generator(of_real and of_real.logits, kept)
        judge = self.judge(request, of_real, of_fake, view)
        parts: Curves = {}
        step = self.step(batch, request, fake, judge, *drawn)
        loss = with_added(loss, self.generator_terms, weights, parts, step, others=self.loss.penalties)
        return Loss(loss, parts, {"loss/generator": loss.detach()}, fake.detach())

    def descend(self, name: str, loss_of: Callable[..., Loss], parts: Mapping[str, Weighted], *given: Any) -> Loss:
        """Let a player descend a loss, and show it in the curves.

        Args:
            name: the player's.
            loss_of: the loss as a function of the weights of the penalties or terms that are due, and of what is given.
            parts: its penalties or terms.
            given: what else it is a function of.
        """
        player = self.players[name]
        weights = weights_due(parts, player.updates)
        if self.compiled is None:
            loss, slope = loss_of(weights, *given), None
        else:
            loss, slope = self.compiled(player, loss_of, parts, weights, *given)
        curves = self.curves
        curves.update(loss.parts)
        player.descend(loss.value, curves, slope)
        curves.update(loss.shown)
        return loss

    def request(self, batch: Batch) -> Request:
        """What the generator is asked for beside a batch: fresh latents, with the batch's labels and sources."""
        return Request(self.draw_latents(len(batch)), batch.labels, batch.source)

    def view(self, role: str) -> View:
        """How the discriminator sees samples in the next update of a player."""
        update = f"{role}/{self.players[role].updates}"
        return View(self.augmentation, self.packing, self.judges_pairs, self.noise_seed, update)

    def asked_labels(self, request: Request) -> Tensor | None:
        """The classes that the generator is asked for, ``[B]``; None if it takes no labels."""
        labels: Tensor | None = self.players["generator"].conditions(request).get("labels")
        return labels

    def observe(self, real: Tensor, fake: Tensor, samples: int) -> None:
        """Tell the augmentation of the logits of a discriminator's update on so many real samples."""
        if self.augmentation.adapts:
            logits = first_head(real).detach(), first_head(fake).detach()
            self.curves |= self.augmentation.observe(*logits, self.loss.objective.undecided, samples)

    def judge_both(self, real: Tensor, fake: Tensor, request: Request, view: View) -> tuple[Judgement, Judgement]:
        """What the discriminator says of real and of fake samples, which share their labels and sources."""
        discriminator, asked = self.players["discriminator"], Condition(request.labels, request.source)
        (real, of_real), (fake, of_fake) = view(real, asked), view(fake, asked)
        if self.joint_batch:
            both = discriminator(torch.cat([real, fake]), of_real.followed_by(of_fake))
            return Judgement.of(both).to(real.dtype).halves()
        judged = Judgement.of(discriminator(real, of_real)), Judgement.of(discriminator(fake, of_fake))
        return judged[0].to(real.dtype), judged[1].to(real.dtype)

    def judge(self, request: Request, of_real: Judgement | None, of_fake: Judgement, view: View) -> Judge:
        """The discriminator as penalties and terms see it: its network, not what ``compile=true`` makes of it."""
        discriminator = self.players["discriminator"]
        real_logits, real_classes = of_real or (None, None)
        return Judge(
            discriminator.network,
            discriminator.conditions(request),
            real=real_logits,
            fake=of_fake.logits,
            classes=request.labels,
            real_classes=real_classes,
            fake_classes=of_fake.classes,
            augmented=view.to_loss,
            micro_batches=discriminator.micro_batches,
            half=discriminator.half,
        )

    def drawn_for_terms(self, batch: Batch) -> tuple[Tensor, ...]:
        """Random numbers of an update of the generator besides its latents; the same whichever terms are due."""
        return ()

    def step(self, batch: Batch, request: Request, fake: Tensor, judge: Judge, *drawn: Tensor) -> GeneratorStep:
        """What terms of the generator's loss are given."""
        return GeneratorStep(batch, request, fake, judge, {name: one.network for name, one in self.players.items()})
