"""The peers' own loops, as they are: from outside come MNIST's folder, a pace and an end.

A change makes one thing in a loop as gan_lab makes it, so that a measurement tells what that thing costs.
"""

import multiprocessing
import os
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, redirect_stderr, redirect_stdout, suppress
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import torchvision
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import transforms

from benchmarks.arithmetic import Products
from benchmarks.peer_networks import (
    LIGHTNING,
    SCRIPTS,
    TORCHGAN,
    Finished,
    Networks,
    Places,
    elsewhere,
    let_in_packages,
    own_networks,
)
from benchmarks.steps import Trained, distances
from benchmarks.turns import Pace
from gan_lab.training.runtime import keep_freed_memory

_IN_MEMORY = 20_000  # pictures


class Beat:
    """Called before each iteration of a peer's loop, which it ends after the last one.

    Args:
        pace: of the race.

    Attributes:
        networks: finds the peer's networks, which are made before its first iteration.
        start: their weights by then.
        products: those of the last iteration, which is nobody's turn.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.networks: Callable[[], Networks] = dict
        self.start: dict[str, Tensor] = {}
        self.products = Products()

    def __call__(self) -> None:
        if self.pace.done == self.pace.course.length:
            self.products.__exit__(None, None, None)
            raise Finished
        if self.pace.done == 0:
            self.start = self.weights()
        self.pace()
        if self.pace.done == self.pace.course.length:
            self.products.__enter__()

    def weights(self) -> dict[str, Tensor]:
        """Copies of both networks' weights."""
        return {
            f"{role}.{name}": weight.detach().clone()
            for role, network in self.networks().items()
            for name, weight in network.named_parameters()
        }


def _loader(beat: Beat) -> type[DataLoader[Any]]:
    """PyTorch's loader, with a beat before each batch."""

    class Loader(DataLoader[Any]):
        def __iter__(self) -> Any:
            for batch in super().__iter__():
                beat()
                yield batch

    return Loader


def _script(name: str, places: Places, beat: Beat) -> None:
    names: dict[str, Any] = {}
    beat.networks = lambda: SCRIPTS[name].networks(names)
    SCRIPTS[name].run(places, names, _loader(beat))


def _lightning(places: Places, beat: Beat) -> None:
    """Its trainer asks for a GPU and gets the CPU."""
    import pytorch_lightning as pl

    class Beats(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
            beat.networks = lambda: {"generator": pl_module.generator, "discriminator": pl_module.discriminator}
            beat()

    def on_cpu(**settings: Any) -> pl.Trainer:
        return pl.Trainer(**{**settings, "accelerator": "cpu", "callbacks": [Beats()]})

    names: dict[str, Any] = {}
    LIGHTNING.run(places, names, DataLoader)
    names["Trainer"] = on_cpu
    names["main"](Namespace(lr=2e-4, b1=0.5, b2=0.999, latent_dim=100))


def _torchgan(places: Places, beat: Beat) -> None:
    """The example in the documentation of its trainer."""
    let_in_packages(places)
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator, DCGANGenerator
    from torchgan.trainer import Trainer

    optimizer = {"name": torch.optim.Adam, "args": {"lr": 2e-4, "betas": (0.5, 0.999)}}
    trainer = Trainer(
        {
            "generator": {"name": DCGANGenerator, "args": TORCHGAN["generator"], "optimizer": optimizer},
            "discriminator": {"name": DCGANDiscriminator, "args": TORCHGAN["discriminator"], "optimizer": optimizer},
        },
        [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()],
        device=torch.device("cpu"),
        sample_size=64,
        epochs=20,
    )
    beat.networks = lambda: {"generator": trainer.generator, "discriminator": trainer.discriminator}
    trainer(_loader(beat)(_mnist_of(32), batch_size=64, shuffle=True))


def _mimicry(places: Places, beat: Beat) -> None:
    """Its example of SN-GAN with one update of the discriminator, and MNIST in three channels for CIFAR-10."""
    networks = own_networks("mimicry", places)
    from torch_mimicry.training import Trainer

    d_optimizer, g_optimizer = (
        torch.optim.Adam(networks[role].parameters(), 2e-4, betas=(0.0, 0.9)) for role in ("discriminator", "generator")
    )
    beat.networks = lambda: networks
    Trainer(
        netD=networks["discriminator"],
        netG=networks["generator"],
        optD=d_optimizer,
        optG=g_optimizer,
        n_dis=1,
        num_steps=100_000,
        lr_decay="linear",
        dataloader=_loader(beat)(_mnist_of(32, 3), batch_size=64, shuffle=True, num_workers=4),
        device=torch.device("cpu"),
    ).train()


def _mnist_of(side: int, channels: int = 1) -> Dataset[Any]:
    """MNIST as the packages' examples read it."""
    steps = [transforms.Resize(side), transforms.Grayscale(channels), transforms.ToTensor()]
    half = (0.5,) * channels
    return torchvision.datasets.MNIST(
        "data", train=True, transform=transforms.Compose([*steps, transforms.Normalize(half, half)])
    )


LOOPS: dict[str, Callable[[Places, Beat], None]] = {
    "Lightning's example": _lightning,
    **{name: partial(_script, name) for name in SCRIPTS},
    "torchgan": _torchgan,
    "mimicry": _mimicry,
}


def _data_in_memory() -> AbstractContextManager[Any]:
    """Pictures are read and transformed before training."""
    read = torchvision.datasets.MNIST

    def read_all(*given: Any, transform: Any = None, **named: Any) -> Dataset[Any]:
        dataset = read(*given, transform=transform, **named)
        if transform is None:
            return dataset
        pictures = torch.stack([dataset[number][0] for number in range(_IN_MEMORY)])
        return TensorDataset(pictures, dataset.targets[:_IN_MEMORY])

    return patch.object(torchvision.datasets, "MNIST", read_all)


def _fused_adam() -> AbstractContextManager[Any]:
    return patch.object(torch.optim, "Adam", partial(torch.optim.Adam, fused=True))


def _memory_kept() -> AbstractContextManager[Any]:
    keep_freed_memory()
    return nullcontext()


def _nothing(*given: Any, **named: Any) -> None:
    """In place of what is left out."""


def _no_curves() -> AbstractContextManager[Any]:
    """No call of log_dict and no progress bar."""
    import pytorch_lightning as pl

    without = ExitStack()
    without.enter_context(patch.object(pl.LightningModule, "log_dict", _nothing))
    without.enter_context(patch.object(pl, "Trainer", partial(pl.Trainer, enable_progress_bar=False)))
    return without


def _no_norms() -> AbstractContextManager[Any]:
    """torchgan reads the sum of each weight's squared gradients in every iteration."""
    return patch("torchgan.logging.visualize.GradientVisualize.update_grads", _nothing)


CHANGES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "as it is": nullcontext,
    "freed memory is kept": _memory_kept,
    "Adam is fused": _fused_adam,
    "pictures are in memory": _data_in_memory,
    "no log_dict, no bar": _no_curves,
    "no sums of gradients": _no_norms,
}


def theirs(peer: str, places: Places, change: str, pace: Pace) -> tuple[Trained, int]:
    """A side that is a peer's own loop, in a process of its own; and the arithmetic of its last iteration.

    Args:
        peer: a name of `LOOPS`.
        places: folders of the user's.
        change: a name of `CHANGES`.
        pace: of the race.
    """
    torch.set_num_threads(1)
    multiprocessing.current_process().daemon = False  # a daemon could not start the workers of its loaders
    multiprocessing.set_start_method("fork", force=True)  # of those workers, as in a script on Linux
    return played(peer, places, change, pace)


def played(peer: str, places: Places, change: str, pace: Pace) -> tuple[Trained, int]:
    """The same in this process, whose threads and start method are left alone."""
    let_in_packages(places)
    beat = Beat(pace)
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(redirect_stdout(nowhere))
        stack.enter_context(redirect_stderr(nowhere))
        stack.enter_context(elsewhere(places))
        stack.enter_context(CHANGES[change]())
        stack.enter_context(suppress(Finished))
        LOOPS[peer](places, beat)
    return Trained(distances(beat.start, beat.weights()), pace.peak), beat.products.flops
