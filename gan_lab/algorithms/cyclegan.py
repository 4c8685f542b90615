"""Pictures from pictures, without pairs: CycleGAN of Zhu et al. 2017 (arXiv 1703.10593)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.history import History
from gan_lab.algorithms.view import View
from gan_lab.datasets.batch import Batch, Condition
from gan_lab.distributed.collectives import mean_of_each
from gan_lab.errors import ConfigError
from gan_lab.losses import GeneratorStep, Judge, Recipe, Term, first_head
from gan_lab.losses.weighted import weights_due, with_added
from gan_lab.models.conditions import Judgement
from gan_lab.validation import is_whole, typed

_MOST_KEPT = 100_000


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two domains: what is drawn there, from what, and who judges it.

    Args:
        name: ``sample`` or ``source``.
        translate: translates pictures of the other domain into it.
        judge: the network that judges its pictures.
        suffix: of its curves.
    """

    name: str
    translate: Callable[[Tensor], Tensor]
    judge: nn.Module
    suffix: str


class CycleGAN(GAN):
    """Two games of `GAN`, one in each domain, whose generators translate into each other's.

    The generator is two networks, ``to_sample`` and ``to_source``, and the discriminator two more, ``of_sample`` and
    ``of_source``. Each pair is one player.

    | loss | discriminator | generator |
    | --- | --- | --- |
    | objective in both domains | half the sum | the sum |
    | penalties in both domains | half the sum | – |
    | cycle, identity | – | weight |
    | feature_matching in both domains | – | weight |

    The discriminator is shown translations of a history (`gan_lab.algorithms.history.History`).

    Args:
        sample_shape: of a picture of the samples' domain.
        source_shape: of one of the sources' domain.
        processes: number of processes that share every batch.
        history: translations kept for each domain; 0 shows those just made.
        settings: those of `GAN`.

    Raises:
        ConfigError: for settings that cannot be.
    """

    compares = ("cycle", "identity")
    translates_back = True
    generator_uses_real = True

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        source_shape: tuple[int, ...],
        processes: int = 1,
        history: int = 50,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        if not is_whole(history) or not 0 <= history <= _MOST_KEPT:
            raise ConfigError(f"algorithm.history={typed(history)}: expected a whole number from 0 to {_MOST_KEPT}")
        if processes > 1 and history:
            raise ConfigError(f"algorithm.history={history}: expected 0 in several processes, which share no history")
        if self.compile_mode is not False:
            raise ConfigError(f"compile={str(self.compile_mode).lower()}: expected false with algorithm=cyclegan")
        self.sides = tuple(
            Side(
                name,
                partial(self._part("generator", f"to_{name}"), None),
                self._part("discriminator", f"of_{name}"),
                suffix,
            )
            for name, suffix in (("sample", ""), ("source", "_source"))
        )
        _check_identity(self.loss.terms, sample_shape, source_shape)
        _check_states(self.loss)
        self.histories = nn.ModuleDict(
            {"sample": History(history, sample_shape), "source": History(history, source_shape)}
        )

    def _part(self, role: str, name: str) -> nn.Module:
        """One of the two networks of a player."""
        network = self.players[role].network
        if not isinstance(part := getattr(network, name, None), nn.Module):
            raise ConfigError(
                f"model.{role}: {type(network).__name__} has no network {name}; expected model=cyclegan with "
                "algorithm=cyclegan"
            )
        return part

    def update_discriminator(self, batch: Batch) -> None:
        """Descend half the sum of L_D in both domains, then restore the constraint."""
        discriminator = self.players["discriminator"]
        with torch.no_grad():
            fakes = [
                self.histories[side.name].shown(fake, self.noise)  # type: ignore[operator]  # a History
                for side, fake in zip(self.sides, self.translations(batch), strict=True)
            ]
        total, view = batch.samples.new_zeros(()), self.view("discriminator")
        weights = weights_due(self.loss.penalties, discriminator.updates)
        seen: list[tuple[Tensor, Tensor]] = []
        for side, real, fake in zip(self.sides, self.real(batch), fakes, strict=True):
            of_real, of_fake = self.judged_both(side, real, fake, view)
            loss = self.loss.objective.discriminator(of_real, of_fake)
            half = discriminator.half
            judge = Judge(side.judge, real=of_real, fake=of_fake, augmented=view.to_loss, half=half)
            total = total + with_added(
                loss, self.loss.penalties, weights, self.curves, judge, real, fake, suffix=side.suffix
            )
            seen.append(self._centred(of_real, of_fake))
            for name, logits in (("real", first_head(of_real)), ("fake", first_head(of_fake))):
                self.curves[f"logits/{name}{side.suffix}"] = logits.detach().mean() if side.suffix else logits.detach()
        total = total / 2
        discriminator.descend(total, self.curves)
        if self.loss.constraint is not None:
            self.loss.constraint.project(discriminator.network)
        self.curves["loss/discriminator"] = total.detach()
        of_real, of_fake = (torch.cat(logits) for logits in zip(*seen, strict=True))
        self.observe(of_real, of_fake, len(batch))

    def _centred(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """A discriminator's logits for the augmentation to hear of, less their midpoint if the objective sees none.

        Under such an objective the two discriminators' logits may lie anywhere, each pair of them somewhere else.
        """
        if not self.augmentation.adapts or self.loss.objective.undecided is not None:
            return real, fake
        middle = mean_of_each(torch.stack([first_head(one).detach().mean() for one in (real, fake)])).mean()
        return real - middle.to(real), fake - middle.to(fake)

    def update_generator(self, batch: Batch) -> None:
        """Descend the sum of L_G in both domains, and Σ weight · term."""
        generator, discriminator = self.players["generator"], self.players["discriminator"]
        with discriminator.frozen():
            real, fakes = self.real(batch), list(self.translations(batch))
            loss, view, request = batch.samples.new_zeros(()), self.view("generator"), self.request(batch)
            networks = {name: one.network for name, one in self.players.items()}
            weights, others = weights_due(self.loss.terms, generator.updates), self.loss.penalties
            in_each = {name: term for name, term in self.loss.terms.items() if term.looks_at_features}
            for side, real_one, fake in zip(self.sides, real, fakes, strict=True):
                of_real = None
                if self.loss.objective.generator_uses_real:
                    of_real = self.judged(side, view(real_one, Condition(), second=True)[0])
                loss = loss + self.loss.objective.generator(of_real, self.judged(side, view(fake, Condition())[0]))
                judge = Judge(side.judge, augmented=view.to_loss)
                step = GeneratorStep(Batch(real_one), request, fake, judge, networks)
                loss = with_added(loss, in_each, weights, self.curves, step, suffix=side.suffix, others=others)
            of_both = {name: term for name, term in self.loss.terms.items() if name not in in_each}
            judge = Judge(self.sides[0].judge, augmented=view.to_loss)
            step = GeneratorStep(batch, request, fakes[0], judge, networks, self.compared(real, fakes))
            loss = with_added(loss, of_both, weights, self.curves, step, others=others)
            generator.descend(loss, self.curves)
        self.curves["loss/generator"] = loss.detach()

    def real(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The real pictures of both domains, in the order of `sides`."""
        assert batch.source is not None
        return batch.samples, batch.source

    def translations(self, batch: Batch) -> Iterator[Tensor]:
        """The translations into both domains, in the order of `sides`."""
        samples, source = self.real(batch)
        yield self.translated(self.sides[0], source)
        yield self.translated(self.sides[1], samples)

    def translated(self, side: Side, pictures: Tensor) -> Tensor:
        """Pictures of the other domain translated into this one."""
        return self.players["generator"].apply(side.translate, pictures).to(pictures.dtype)

    def judged(self, side: Side, pictures: Tensor) -> Tensor:
        """The logits of pictures of a domain, flat."""
        judged = Judgement.of(self.players["discriminator"].apply(side.judge, pictures))
        return judged.to(pictures.dtype).logits

    def judged_both(self, side: Side, real: Tensor, fake: Tensor, view: View) -> tuple[Tensor, Tensor]:
        """The logits of real and of shown pictures of a domain."""
        (real, _), (fake, _) = view(real, Condition()), view(fake, Condition())
        if self.joint_batch:
            of_real, of_fake = self.judged(side, torch.cat([real, fake])).chunk(2)
            return of_real, of_fake
        return self.judged(side, real), self.judged(side, fake)

    def compared(
        self, real: tuple[Tensor, Tensor], fakes: list[Tensor]
    ) -> dict[str, Callable[[], list[tuple[Tensor, Tensor]]]]:
        """What comes back from the other domain beside what left, and what was of the domain beside its translation."""
        (to_sample, to_source), (samples, source) = (partial(self.translated, side) for side in self.sides), real
        return {
            "cycle": lambda: [(to_source(fakes[0]), source), (to_sample(fakes[1]), samples)],
            "identity": lambda: [(to_sample(samples), samples), (to_source(source), source)],
        }


def _check_identity(terms: Mapping[str, Term], sample_shape: tuple[int, ...], source_shape: tuple[int, ...]) -> None:
    """Raise ConfigError if a term compares a picture with its translation, which has other channels."""
    for name, term in terms.items():
        if term.compared == "identity" and sample_shape != source_shape:
            channels = f"samples have {sample_shape[0]} channels and sources {source_shape[0]}"
            raise ConfigError(f"loss.terms.{name}: expected none, such as term=[cycle], as {channels}")


def _check_states(loss: Recipe) -> None:
    """Raise ConfigError for a part that remembers something and is computed in each of the two domains."""
    parts = [
        ("objective", loss.objective.state),
        *((f"penalties.{name}", one.state) for name, one in loss.penalties.items()),
    ]
    parts += [(f"terms.{name}", one.state) for name, one in loss.terms.items() if one.looks_at_features]
    for name, state in parts:
        if state is not None:
            expected = "one without a state" if name == "objective" else "none"
            raise ConfigError(
                f"loss.{name}: expected {expected} with CycleGAN, whose two domains would share its state"
            )
