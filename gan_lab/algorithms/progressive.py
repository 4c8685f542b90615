"""Progressive growing: networks that begin with pictures of 4×4 pixels and double them (Karras et al. 2018)."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from gan_lab.algorithms.cuda_graph import GraphedIteration
from gan_lab.algorithms.gan import GAN
from gan_lab.algorithms.player import Curves
from gan_lab.datasets.batch import Batch, Draw
from gan_lab.errors import ConfigError, shown
from gan_lab.models.progressive import Growing, averaged, faded, repeated
from gan_lab.validation import is_number

log = logging.getLogger(__name__)


class Phase(NamedTuple):
    """How far growing is.

    Args:
        side: of the pictures, 4, 8, 16 …
        alpha: how far that size has faded in, from 0 to 1.
    """

    side: int
    alpha: float

    @property
    def form(self) -> tuple[int, bool]:
        """What the networks compute depends on it: the size, and whether it fades in."""
        return self.side, self.alpha < 1


@dataclass(frozen=True)
class Growth:
    """4×4 pixels for a while; then every further size fades in, linearly in the images seen, and is stable for a while.

    Args:
        full_side: the last size, of which training goes on to its end.
        stable: real images seen between two fades, and before the first.
        fade: real images seen while a size fades in.
    """

    full_side: int
    stable: float
    fade: float

    def at(self, seen: float) -> Phase:
        """The phase after so many real images."""
        side, left = 4, seen - self.stable
        while left >= 0 and side < self.full_side:
            side *= 2
            if left < self.fade:
                return Phase(side, left / self.fade)
            left -= self.fade + self.stable
        return Phase(side, 1.0)


class Progressive(GAN):
    """A GAN whose networks grow.

    The phase follows from the iteration, so that a run that goes on grows on where it stopped. While a size fades in,
    real images are blended as the generator's are; with augmentation they are always as sharp as these. The optimizers
    forget their averages at each new size. Gradient penalties are of pictures of the full size: with small pictures, of
    which a pixel is many, a unit norm allows a steeper discriminator than the paper's, by the ratio of the sides.

    Args:
        growth: thousand real images until the full size has faded in, in equal phases; 0 begins with the full size,
            None takes half of the run's.
        stable: thousand real images of each stable phase instead, 600 in the paper; None for an equal phase.
        fade: thousand real images of each fade instead, 600 in the paper; None for an equal phase.
        sample_shape: of one sample.
        reals: real images seen in an iteration.
        iterations: length of training.
        of_gan: see `GAN`.

    References:
        Karras et al. 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation (arXiv
        1710.10196), §2 and appendix A.
    """

    grows: ClassVar[bool] = True

    def __init__(
        self,
        growth: float | None,
        stable: float | None,
        fade: float | None,
        sample_shape: Sequence[int],
        reals: int,
        iterations: int,
        **of_gan: Any,
    ) -> None:
        super().__init__(**of_gan)
        for name, player in self.players.items():
            if not isinstance(player.network, Growing):
                raise ConfigError(
                    f"model.{name}: {type(player.network).__name__} does not grow; expected that of model=progressive"
                )
        for name, value in {"growth": growth, "stable": stable, "fade": fade}.items():
            if value is not None and not (is_number(value) and value >= 0):
                raise ConfigError(f"algorithm.{name}={shown(value)}: expected null or a number of at least 0")
        full_side = sample_shape[1]
        phases = 2 * (full_side.bit_length() - 3)  # a stable one and a fade for each doubling of 4 pixels
        equal = (0.0005 * reals * iterations if growth is None else growth) / phases
        self.growth = Growth(
            full_side, 1000 * (equal if stable is None else stable), 1000 * (equal if fade is None else fade)
        )
        self.reals = reals
        if (last := self.growth.at(reals * (iterations - 1))) != Phase(full_side, 1.0):
            log.warning(
                "gan-lab: warning: iterations=%d: training ends with pictures of %d pixels, %.0f %% faded in, before "
                "they have grown to %d; expected more, or a smaller algorithm.growth, stable or fade",
                *(iterations, last.side, 100 * last.alpha, full_side),
            )

    def phase(self, done: int) -> Phase:
        """That of the iteration after so many."""
        return self.growth.at(self.reals * done)

    def training_step(self, dataloader_iter: Iterator[tuple[Draw, int, int]]) -> Curves:
        """One iteration, in the phase that it belongs to."""
        phase = self.grow(self.players["generator"].updates // self.turns["generator"])
        of_phase = {"progress/size": float(phase.side), "progress/alpha": phase.alpha}
        curves = super().training_step(dataloader_iter)
        return curves | {tag: torch.full((), value, device=self.device) for tag, value in of_phase.items()}

    def grow(self, done: int) -> Phase:
        """Take the networks to the phase of the iteration after so many, and renew what depends on it; returns it."""
        phase, before = self.phase(done), self.phase(max(0, done - 1))
        for player in self.players.values():
            for network in (player.network, player.average):
                if network is not None:
                    network.grow(phase.side, phase.alpha)  # type: ignore[operator]  # it is Growing
            if phase.side != before.side:
                player.optimizer.state.clear()
        if phase.form != before.form:
            self._renew()
        return phase

    def _renew(self) -> None:
        """Compile or record again: the compiled forms are of another phase."""
        if self.compile_mode is True:
            torch.compiler.reset()  # it would soon hold more forms of a network than PyTorch keeps
            for player in self.players.values():
                player.compile()
        if self.compiled is not None:
            self.compiled.forget()
        if isinstance(self.iteration, GraphedIteration):
            self.iteration = GraphedIteration(self.iterate, self.noise)

    def iterate(self, draw: Draw) -> Curves:
        return super().iterate(Draw(self._as_sharp(draw.discriminator), self._as_sharp(draw.generator)))

    def _as_sharp(self, batch: Batch) -> Batch:
        return replace(batch, samples=self.as_trained_on(batch.samples))

    def as_trained_on(self, samples: Tensor) -> Tensor:
        """Images as sharp as the generator's; a batch may have none for an update that does without.

        In a stable phase the discriminator averages them itself. An augmentation comes before that and may move them by
        part of a small pixel: the averages of a sharp picture then vary more than those of a coarse one.
        """
        network = self.players["generator"].network
        assert isinstance(network, Growing)
        if samples.ndim != 4:
            return samples
        if network.fades:
            return faded(samples, network.now, network.alpha)
        if self.augmentation.changes_samples:
            return repeated(averaged(samples, network.now), network.full_side)
        return samples
