"""The networks of the peers, taken from their own files and packages, which lie in a folder of the user's.

Nothing of the peers is copied here. A script is executed up to its first batch; by then it has made its networks.
"""

import sys
import types
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from unittest.mock import patch

import torch
import torchvision
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

Networks = dict[str, nn.Module]
"""generator and discriminator."""


class Finished(BaseException):
    """Ends a peer's script or trainer from its loader of batches; no Exception, which the peer might catch."""


@dataclass(frozen=True)
class Places:
    """Folders of the user's.

    Args:
        peers: the peers' repositories, or the files below at their places in them, and ``packages``.
        data: holds ``MNIST/raw``.
    """

    peers: str
    data: str


@dataclass(frozen=True)
class Script:
    """A peer that is a file.

    Args:
        file: below the folder of the peers: the name of its repository and the path in it.
        words: its command line.
        generator, discriminator: the names of its networks.
    """

    file: str
    words: tuple[str, ...] = ()
    generator: str = "generator"
    discriminator: str = "discriminator"

    def run(self, places: Places, names: dict[str, Any], loader: type[DataLoader[Any]]) -> None:
        """Execute it in this process, until the loader ends it.

        Args:
            places: folders of the user's.
            names: get what the script defines.
            loader: what it takes for PyTorch's.
        """
        source = Path(places.peers) / self.file
        text = source.read_text().replace("lightning.pytorch", "pytorch_lightning")  # the same package by its own name
        names.update(__name__="peer", __file__=str(source))
        with ExitStack() as stack:
            stack.enter_context(patch.object(sys, "argv", [source.name, *self.words]))
            stack.enter_context(patch.object(torch.utils.data, "DataLoader", loader))
            stack.enter_context(suppress(Finished))
            exec(compile(text, str(source), "exec"), names)

    def networks(self, names: dict[str, Any]) -> Networks:
        """Its networks, once it has made them."""
        return {"generator": names[self.generator], "discriminator": names[self.discriminator]}


LIGHTNING = Script("pytorch-lightning/examples/pytorch/domain_templates/generative_adversarial_net.py")
SCRIPTS = {
    "PyTorch-GAN, gan": Script("PyTorch-GAN/implementations/gan/gan.py"),
    "PyTorch-GAN, dcgan": Script("PyTorch-GAN/implementations/dcgan/dcgan.py"),
    "PyTorch's example": Script(
        "examples/dcgan/main.py", ("--dataset=mnist", "--dataroot=.", "--manualSeed=0"), "netG", "netD"
    ),
}
PACKAGES = {"torchgan": "torchgan/trainer", "mimicry": "torch_mimicry/training"}
"""Peers that are packages, with a part of each by which it is found."""
TORCHGAN = {
    "generator": {"out_channels": 1, "step_channels": 16},
    "discriminator": {"in_channels": 1, "step_channels": 16},
}
MIMICRY = {"generator": {"ngf": 32}, "discriminator": {"ndf": 16}}
"""An eighth of its widths: with its own, an iteration takes a core a minute or more."""


class _Unread(DataLoader[Any]):
    """A loader that ends the script instead of reading."""

    def __iter__(self) -> NoReturn:
        raise Finished


def own_networks(peer: str, places: Places) -> Networks:
    """New networks of a peer, initialised in its own way."""
    if peer in PACKAGES:
        return {"torchgan": _torchgan, "mimicry": _mimicry}[peer](places)
    script = SCRIPTS.get(peer, LIGHTNING)
    names: dict[str, Any] = {}
    with elsewhere(places), redirect_stdout(StringIO()):
        script.run(places, names, _Unread)
    if script is LIGHTNING:
        return {"generator": names["Generator"](), "discriminator": names["Discriminator"]((1, 28, 28))}
    return script.networks(names)


def _torchgan(places: Places) -> Networks:
    let_in_packages(places)
    from torchgan.models import DCGANDiscriminator, DCGANGenerator

    return {
        "generator": DCGANGenerator(**TORCHGAN["generator"]),
        "discriminator": DCGANDiscriminator(**TORCHGAN["discriminator"]),
    }


def _mimicry(places: Places) -> Networks:
    let_in_packages(places)
    from torch_mimicry.nets import sngan

    return {
        "generator": sngan.SNGANGenerator32(**MIMICRY["generator"]),
        "discriminator": sngan.SNGANDiscriminator32(**MIMICRY["discriminator"]),
    }


def generator(peer: str, peers: str, data: str) -> nn.Module:
    """A peer's generator as gan_lab takes it: latents ``[B, L]`` → samples."""
    network = own_networks(peer, Places(peers, data))["generator"]
    return nn.Sequential(nn.Unflatten(1, (-1, 1, 1)), network) if peer == "PyTorch's example" else network


def discriminator(peer: str, peers: str, data: str) -> nn.Module:
    """A peer's discriminator as gan_lab takes it: samples → logits, without a sigmoid at its end."""
    network = own_networks(peer, Places(peers, data))["discriminator"]
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Sigmoid):
                setattr(module, name, nn.Identity())
    if peer == "PyTorch-GAN, dcgan":  # it flattens by `view`, which needs the channels first
        network.get_submodule("model").register_forward_hook(_channels_first)
    if peer == "mimicry":  # by torch.nn.utils.spectral_norm a layer's weight keeps the graph of the last pass
        network.register_forward_hook(_without_graph)
    return network


def _channels_first(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.contiguous()


def _without_graph(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """Networks with such weights could not be copied, as gan_lab does."""
    for layer in module.modules():
        if "weight_orig" in layer._parameters:
            layer.weight = layer.weight.detach()  # type: ignore[assignment]


def let_in_packages(places: Places) -> None:
    """Make the packages in the user's folder importable, whose other requirements are those of ours.

    What mimicry imports and does not train with is left out: metrics, which need TensorFlow, datasets, which need a
    PyTorch of 2022, and scikit-image, with which it reads pictures.
    """
    folder = str(Path(places.peers) / "packages")
    if folder not in sys.path:
        sys.path.append(folder)
    reader = types.ModuleType("skimage")
    reader.io = None  # type: ignore[attr-defined]
    sys.modules.setdefault("skimage", reader)
    for part in ("metrics", "datasets"):
        sys.modules.setdefault(f"torch_mimicry.{part}", types.ModuleType(part))


@contextmanager
def elsewhere(places: Places) -> Iterator[None]:
    """Inside, the working directory is a new one, as scripts write beside them, and MNIST that of the user's folder."""
    read = partial(_mnist, torchvision.datasets.MNIST, places.data)
    with TemporaryDirectory() as path:
        folder = Path(path) / "two" / "below"  # scripts go up twice
        folder.mkdir(parents=True)
        with chdir(folder), patch.object(torchvision.datasets, "MNIST", read):
            yield


def _mnist(
    kind: type[Dataset[Any]], folder: str, root: str, train: bool = True, transform: Any = None, download: bool = False
) -> Dataset[Any]:
    """torchvision's set, whatever folder is asked for; nothing is downloaded."""
    return kind(folder, train=train, transform=transform)  # type: ignore[call-arg]
