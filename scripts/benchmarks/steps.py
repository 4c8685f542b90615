"""An iteration of gan_lab against the same by hand."""

import io
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torchvision
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch import Tensor

from benchmarks import hand_written
from benchmarks.hand_written import GAMES
from benchmarks.measuring import Claim, Scale, medians
from gan_lab.building import build_dataset
from gan_lab.lightning_parts import build_module
from gan_lab.recording import recorded
from gan_lab.run_folder import RunFolder
from gan_lab.training import train

_NAMES = dict.fromkeys(("loss", "model", "dataset", "protocol"), "benchmark")
_UNJUDGED = ["evaluation/extractor=pixels", "evaluation.samples=100", "evaluation.kid_subset_size=50"]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Args:
        loss: a recipe, and a game of `hand_written`.
        overrides: dataset and model.
        batch_size: samples an update.
        iterations: of which the second half is timed; half of them is a multiple of log_every, as it is shipped.
        bounds: largest ratio of a side to another, by their names.
    """

    loss: str
    overrides: tuple[str, ...]
    iterations: int
    bounds: dict[tuple[str, str], float]
    batch_size: int = 64


CPU = {
    "RSGAN, mlp, MNIST": Case(
        "rsgan",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        200,
        {
            ("gan_lab", "plain"): 0.62,
            ("gan_lab", "best"): 1.05,
            ("gan_lab bf16", "plain"): 0.50,
            ("gan_lab bf16", "best bf16"): 1.05,
        },
    ),
    "WGAN-GP, mlp, MNIST": Case(
        "wgan_gp",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        100,
        {("gan_lab", "plain"): 0.72, ("gan_lab", "best"): 1.05},
    ),
    "DCGAN, MNIST": Case(
        "non_saturating",
        ("dataset=mnist", "model=dcgan", *_UNJUDGED),
        100,
        {("gan_lab", "plain"): 0.95, ("gan_lab", "best"): 1.03},
    ),
    "non-saturating, mlp 128, ring": Case(
        "non_saturating", ("dataset=ring8", "evaluation.samples=100"), 2000, {("gan_lab", "best"): 1.30}
    ),
}
CUDA = {
    "RSGAN, mlp, MNIST": Case(
        "rsgan",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        2000,
        {("gan_lab", "best"): 1.30, ("gan_lab cudagraph", "best"): 0.5},
    ),
    "DCGAN 64x64, batch 128": Case(
        "non_saturating",
        ("dataset=npz", "model=dcgan", *_UNJUDGED),
        400,
        {("gan_lab", "best"): 1.03, ("gan_lab bf16 compile", "best"): 1 / 1.3},
        batch_size=128,
    ),
}
_WAYS = {  # of running gan_lab, on top of the case
    "gan_lab": (),
    "gan_lab bf16": ("trainer.precision=bf16-mixed",),
    "gan_lab compile": ("compile=true",),
    "gan_lab bf16 compile": ("trainer.precision=bf16-mixed", "compile=true"),
    "gan_lab cudagraph": ("compile=cudagraph",),
}


def steps(scale: Scale) -> list[Claim]:
    """Every case, in the ways that something is claimed of; on a GPU in all of them, and peak memory."""
    claims = []
    with tempfile.TemporaryDirectory() as folder:
        for name, case in (CUDA if scale.device == "cuda" else CPU).items():
            start, sides = _sides(case, scale, Path(folder))
            watch = _Watch(start, judges=not scale.quick)
            taken = medians({side: watch.over(side, run) for side, run in sides.items()}, scale.repeats)
            for (ours, theirs), bound in case.bounds.items():
                both = {side: 1000 * taken[side] for side in (ours, theirs)}
                claims.append(Claim(f"{name}: {ours} / {theirs}", both, at_most=bound))
            if scale.device == "cuda":
                claims += [
                    Claim(f"{name}: {side} / best", {side: 1000 * taken[side], "best": 1000 * taken["best"]})
                    for side in taken
                    if (side, "best") not in case.bounds and side != "best"
                ]
                memory = {side: watch.peaks[side] for side in ("gan_lab", "best")}
                claims.append(Claim(f"{name}: peak memory", memory, unit="MiB", at_most=1.1))
    return claims


@dataclass
class Trained:
    """Seconds an iteration took, in the second half of them, and the weights of both networks at the end."""

    seconds: float
    weights: dict[str, Tensor]


def _sides(case: Case, scale: Scale, folder: Path) -> tuple[dict[str, Tensor], dict[str, Callable[[], Trained]]]:
    """The weights that all begin with, and what trains them."""
    words = [*case.overrides, f"loss={case.loss}", *scale.run_of(case.iterations), f"batch_size={case.batch_size}"]
    words += [f"trainer={'gpu' if scale.device == 'cuda' else 'cpu'}", f"threads={scale.threads}"]
    if "dataset=mnist" in case.overrides:
        words.append(f"dataset.root={scale.data}")
    if "dataset=npz" in case.overrides:
        words.append(f"dataset.path={_pictures(folder)}")
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        config = compose("train", words)
        ways = {name: compose("train", [*words, *further]) for name, further in _WAYS.items()}
    dataset = build_dataset(config)
    game, device = GAMES[case.loss], torch.device(scale.device)

    def by_hand(loop: Callable[..., float], data: object, **settings: bool) -> Trained:
        module = build_module(config, dataset.sample_shape).to(device)
        if loop is hand_written.plain:
            module = module.to(memory_format=torch.contiguous_format)
        networks = (module.generator, module.discriminator)
        with redirect_stdout(io.StringIO()):
            sizes = (case.batch_size, config.latent_dim, config.iterations)
            taken = loop(game, *networks, data, *sizes, device, **settings)
        return Trained(taken, module.state_dict())

    sides: dict[str, Callable[[], Trained]] = {}
    wanted = {side for pair in case.bounds for side in pair}
    if scale.device == "cuda":
        wanted |= {*_WAYS, "best"}
    if "plain" in wanted:
        transforms = torchvision.transforms.Compose(
            [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize((0.5,), (0.5,))]
        )
        usual = torchvision.datasets.MNIST(scale.data, transform=transforms)
        sides["plain"] = lambda: by_hand(hand_written.plain, usual)
    sides["best"] = lambda: by_hand(hand_written.best, dataset.train)
    if "best bf16" in wanted:
        sides["best bf16"] = lambda: by_hand(hand_written.best, dataset.train, bf16=True)
    for name, way in ways.items():
        if name in wanted:
            sides[name] = lambda way=way: trained(way, folder)
    start = build_module(config, dataset.sample_shape).named_parameters()
    return {key: weight.detach() for key, weight in start}, sides


def trained(config: DictConfig, folder: Path) -> Trained:
    """A run as `gan-lab` makes it; seconds are of the second half's iterations, by the run's own record."""
    with tempfile.TemporaryDirectory(dir=folder) as path, redirect_stderr(io.StringIO()):
        run = RunFolder(Path(path) / "run")
        run.create()
        with recorded(run, config) as stop:
            train(config, run, _NAMES, stop)
        rows = [line.split(",") for line in run.times_file.read_text().splitlines()[1:]]
        seconds = {int(i): float(value) for i, name, value in rows if name == "time/train_seconds"}
        weights = torch.load(run.last_checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    middle, end = config.iterations // 2, config.iterations
    return Trained((seconds[end] - seconds[middle]) / (end - middle), weights)


class _Watch:
    """Sees that all sides do the same: both networks must go about as far from where they began.

    Losses would not tell: on the ring they end where they begin, elsewhere they differ by half from one order of the
    data to another. The way that Adam takes follows from the number and the size of its steps; the sides' differ by 5 %
    at most, bfloat16's included. Of a few iterations, nothing is judged.

    Args:
        start: the weights that all begin with.
        judges: raise RuntimeError if a side does something else.

    Attributes:
        peaks: the sides' peak memory in MiB.
    """

    _SHARE = 0.2

    def __init__(self, start: dict[str, Tensor], judges: bool) -> None:
        self.start = start
        self.judges = judges
        self.peaks: dict[str, float] = {}
        self.ways: dict[str, float] = {}

    def over(self, name: str, run: Callable[[], Trained]) -> Callable[[], float]:
        """The side's seconds an iteration."""

        def side() -> float:
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            timed = run()
            if torch.cuda.is_available():
                self.peaks[name] = torch.cuda.max_memory_allocated() / 2**20
            if self.judges:
                self._judge(name, timed.weights)
            return timed.seconds

        return side

    def _judge(self, name: str, weights: dict[str, Tensor]) -> None:
        for player in ("generator", "discriminator"):
            keys = [key for key in self.start if key.startswith(player)]
            way = sum((weights[key].cpu() - self.start[key]).square().sum().item() for key in keys) ** 0.5
            first = self.ways.setdefault(player, way)
            if not (1 - self._SHARE) * first < way < (1 + self._SHARE) * first:
                raise RuntimeError(f"{name} moves the {player} by {way:.3g}, the first side by {first:.3g}")


def _pictures(folder: Path) -> Path:
    """10 000 random pictures of 64×64: what they show does not matter to a clock."""
    file = folder / "pictures.npz"
    if not file.exists():
        np.savez(file, samples=np.random.default_rng(0).integers(0, 256, (10_000, 64, 64, 3), dtype=np.uint8))
    return file
