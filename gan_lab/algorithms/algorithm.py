"""What every algorithm is to Lightning: one training step is one iteration; checkpoints, noise and devices."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from gan_lab.algorithms.bare_step import bare_step
from gan_lab.algorithms.compiled import CompiledLosses
from gan_lab.algorithms.cuda_graph import GraphedIteration, settle
from gan_lab.algorithms.lightning_internals import SKIPPED_HOOK, count_iteration, grad_scaler
from gan_lab.algorithms.own_statistics import with_own_statistics
from gan_lab.algorithms.player import Curves, Player
from gan_lab.datasets.batch import Draw, Request
from gan_lab.distributed.collectives import own_part, process_count
from gan_lab.losses import Recipe
from gan_lab.models.latents import Prior


class Algorithm(pl.LightningModule):
    """Players that take turns on batches of real samples.

    Args:
        players: by name; the one called ``generator`` draws the samples.
        turns: updates that each player makes in an iteration, by name.
        prior: of the latents.
        noise_seed: seed of training's latents. They come from a random generator of their own, so that evaluation and
            pictures do not shift them.
        statistics: what the generator is asked for where its moving average needs BatchNorm statistics of its own.
        compile_mode: True compiles the players' networks, ``iteration`` losses and gradients; ``cudagraph`` plays
            whole iterations back from a CUDA graph.
    """

    roles: ClassVar[tuple[str, ...]] = ("generator", "discriminator")
    """The players, each built from the blocks of its name in ``model`` and ``optimizer``."""
    compares: ClassVar[tuple[str, ...]] = ()
    """What its terms can compare (`gan_lab.losses.Term.compared`)."""
    translates_back: ClassVar[bool] = False
    """Whether its generator also translates samples into sources; it learns that without pairs."""
    needs_pairs: ClassVar[bool] = False
    """Whether each sample must be what its source should become."""
    augments: ClassVar[bool] = False
    """Whether it has an attribute ``augmentation``, which it applies to what the discriminator sees."""
    grows: ClassVar[bool] = False
    """Whether it tells networks that grow how far they are (`gan_lab.models.progressive.Growing`)."""

    loss: Recipe
    """What its players descend; a subclass sets it."""

    automatic_optimization = False
    on_train_batch_start = SKIPPED_HOOK
    on_train_batch_end = SKIPPED_HOOK

    def __init__(
        self,
        players: Mapping[str, Player],
        turns: Mapping[str, int],
        prior: Prior,
        noise_seed: int,
        statistics: Sequence[Request] = (),
        compile_mode: bool | str = False,
    ) -> None:
        super().__init__()
        self.players = dict(players)
        for name, player in players.items():  # the names of their weights in checkpoints
            self.add_module(name, player.network)
        self.ema = players["generator"].average
        self.turns = turns
        self.prior = prior
        self.noise_seed = noise_seed
        self.noise = torch.Generator().manual_seed(noise_seed)
        self.statistics = statistics
        self._sampler: tuple[int, nn.Module] | None = None  # in a tuple: it is no part of the state
        self.compile_mode = compile_mode
        self.compiled: CompiledLosses | None = CompiledLosses() if compile_mode == "iteration" else None
        self.iteration: Callable[[Draw], Curves] = self.iterate
        self._loaded_noise: tuple[str, Tensor] | None = None
        if compile_mode is True:
            for player in players.values():
                player.compile()

    @property
    @abstractmethod
    def generator_uses_real(self) -> bool:
        """Whether the generator's updates look at real samples."""

    @abstractmethod
    def iterate(self, draw: Draw) -> Curves:
        """All updates of an iteration, on the real samples of all its updates; returns its curves."""

    def as_trained_on(self, samples: Tensor) -> Tensor:
        """Real samples ``[B, …]`` in model range as the discriminator is trained on them now, but for augmentation."""
        return samples

    def draw_latents(self, count: int) -> Tensor:
        """Fresh latents ``[count, latent_dim]``: of several processes, each gets its part of what one would draw."""
        return own_part(self.prior.draw(count * process_count(), self.noise)).to(self.dtype)

    @property
    def sampler(self) -> nn.Module:
        """The network to evaluate and to sample from.

        It is the generator, or its moving average if there is one, with statistics of its own.
        """
        generator = self.players["generator"]
        if self.ema is None:
            return generator.network
        if self._sampler is None or self._sampler[0] != generator.updates:
            self._sampler = generator.updates, with_own_statistics(self.ema, self.statistics)
        return self._sampler[1]

    @property
    def inference(self) -> nn.Module | None:
        """The network that maps samples to the mean and the log-variance of their latents, if there is one."""
        return self.players["encoder"].network if "encoder" in self.players else None

    @property
    def updates(self) -> dict[str, int]:
        """Updates that each player has made, skipped ones included."""
        return {name: player.updates for name, player in self.players.items()}

    @property
    def skipped(self) -> dict[str, int]:
        """Updates that were left out because a loss or gradient was not finite."""
        return {name: player.skipped for name, player in self.players.items()}

    @property
    def skips_bad_updates(self) -> bool:
        """Whether updates with a loss or gradient that is not finite are left out."""
        return any(player.skips_bad_updates for player in self.players.values())

    # ---- Lightning's hooks ----

    def training_step(self, dataloader_iter: Iterator[tuple[Draw, int, int]]) -> Curves:
        """One iteration; returns its curves by tag, detached. Logits are per sample: the logger averages them.

        The argument's name makes Lightning hand over the loader's iterator: moving batches itself costs as much time
        as the networks of a toy.
        """
        draw, _, _ = next(dataloader_iter)
        done = self.updates
        with self._full_precision():
            curves = self.iteration(draw.map(self.on_device))
        for name, player in self.players.items():
            player.updates = done[name] + self.turns[name]  # a replayed CUDA graph counts nothing
            player.advance()
        count_iteration(self.trainer)
        return curves

    def _full_precision(self) -> AbstractContextManager[Any]:
        """Inside, only the players' networks run in the precision that Lightning has chosen for the training step.

        A backward pass is otherwise made in that precision too, and with it the second derivatives of penalties; and so
        are the matrix products of a loss.
        """
        kind = self.device.type
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        for player in self.players.values():
            player.half = half
        return nullcontext() if half is None else torch.autocast(kind, enabled=False)

    def on_device(self, tensor: Tensor) -> Tensor:
        """The tensor on the training's device, and in the weights' precision if it is of floating point."""
        tensor = tensor.to(self.device)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """The players' optimizers and schedules, with the names by which Lightning's callbacks log learning rates."""
        players = self.players.items()
        schedules = [{"scheduler": one.scheduler, "interval": "step", "name": f"lr/{name}"} for name, one in players]
        return [player.optimizer for _, player in players], schedules

    def log(self, *arguments: Any, **settings: Any) -> None:
        """As Lightning's; it cannot find out the size of a batch, by which it would weight means over an epoch."""
        super().log(*arguments, **settings | {"batch_size": settings.get("batch_size") or 1})

    def on_fit_start(self) -> None:
        """Make the latents' random generator on the training's device, in the state that a checkpoint holds."""
        self.noise = torch.Generator(self.device).manual_seed(self.noise_seed)
        if self._loaded_noise is None:
            return
        device, state = self._loaded_noise
        if device == self.device.type:
            self.noise.set_state(state)
        else:  # the state belongs to another kind of device: a new seed, so that no latents are repeated
            self.noise.manual_seed(self.noise_seed + self.players["generator"].updates)

    def on_train_start(self) -> None:
        scaler = grad_scaler(self.trainer) or GradScaler(enabled=False)  # one for all players
        for player in self.players.values():
            player.scaler = scaler
        graphed = self.compile_mode == "cudagraph" or (self.compiled is not None and self.device.type == "cuda")
        settle([player.optimizer for player in self.players.values()], graphed, self.device)
        if not scaler.is_enabled():
            for player in self.players.values():
                player.step = bare_step(player.optimizer)
        if graphed:
            self.iteration = GraphedIteration(self.iterate, self.noise)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["updates"] = self.updates
        checkpoint["skipped"] = self.skipped
        checkpoint["noise"] = (self.device.type, self.noise.get_state())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, player in self.players.items():
            player.updates, player.skipped = checkpoint["updates"][name], checkpoint["skipped"][name]
        self._loaded_noise = checkpoint["noise"]
