"""An iteration of gan_lab against the same by hand."""

import copy
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.utils import get_total_norm

from benchmarks import hand_written
from benchmarks.hand_written import GAMES
from benchmarks.measuring import Claim, Scale, tell
from benchmarks.turns import Course, Pace, race
from gan_lab.algorithms.gan import GAN
from gan_lab.config.checks import check
from gan_lab.runs.components import build_dataset
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.training.build import build_module
from gan_lab.training.run import execute
from gan_lab.training.runtime import library_settings

NAMES = dict.fromkeys(("loss", "model", "dataset", "protocol"), "benchmark")
_UNJUDGED = ["evaluation/extractor=pixels", "evaluation.samples=100", "evaluation.kid_subset_size=50"]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Args:
        loss: a recipe, and a game of `hand_written` unless ``game`` is one.
        overrides: dataset and model.
        iterations: that are measured; a multiple of log_every, as it is shipped.
        turn: iterations until it is the next side's turn, which finds its caches cold: half a second's worth or more.
        bounds: largest ratio of a side to another, by their names.
        batch_size: samples an update.
        side: of the pictures of dataset=npz.
        ways: of running gan_lab on a GPU that are measured; names of `_WAYS`.
        game: what is played by hand; empty for that of the recipe's name.
    """

    loss: str
    overrides: tuple[str, ...]
    iterations: int
    turn: int
    bounds: dict[tuple[str, str], float]
    batch_size: int = 64
    side: int = 64
    ways: tuple[str, ...] = ("gan_lab", "gan_lab bf16", "gan_lab compile", "gan_lab bf16 compile", "gan_lab cudagraph")
    game: str = ""

    @property
    def reference(self) -> str:
        """The side that all are compared with on a GPU: the loop by hand, where the loss is written out for it."""
        return "best" if (self.game or self.loss) in GAMES else "gan_lab"


def _ring(width: int, bounds: dict[tuple[str, str], float], r1: bool = False) -> Case:
    """The non-saturating GAN on the ring, with networks of three hidden layers."""
    hidden = [f"model.{role}.hidden=[{width},{width},{width}]" for role in ("generator", "discriminator")]
    words, game = (("penalty=[r1]",), "non_saturating and R1") if r1 else ((), "")
    return Case(
        "non_saturating", ("dataset=ring8", "evaluation.samples=100", *hidden, *words), 1000, 250, bounds, game=game
    )


CPU = {
    "RSGAN, mlp, MNIST": Case(
        "rsgan",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        100,
        25,
        {("gan_lab", "best"): 1.05, ("gan_lab bf16", "best bf16"): 1.05},
    ),
    "WGAN-GP, mlp, MNIST": Case(
        "wgan_gp",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        50,
        10,
        {("gan_lab", "best"): 1.05},
    ),
    "DCGAN, MNIST": Case(
        "non_saturating",
        ("dataset=mnist", "model=dcgan", *_UNJUDGED),
        50,
        5,
        {("gan_lab", "best"): 1.03},
    ),
    "SN-GAN's CNN, 32x32, batch 16": Case(
        "non_saturating",
        ("dataset=npz", "model=sngan_cnn", *_UNJUDGED),
        20,
        4,
        {("gan_lab", "best"): 1.05},
        batch_size=16,
        side=32,
    ),
    "non-saturating, mlp 128, ring": _ring(128, {("gan_lab", "best"): 1.30}),
}
COMPILED = {
    f"non-saturating{' and R1' if r1 else ''}, mlp {width}, ring": _ring(
        width, {("gan_lab compile=iteration", "best"): bound}, r1
    )
    for width, bound in ((128, 0.85), (32, 0.60))
    for r1 in (False, True)
}
CUDA = {
    "RSGAN, mlp, MNIST": Case(
        "rsgan",
        ("dataset=mnist", "model=mlp", *_UNJUDGED),
        1000,
        100,
        {("gan_lab", "best"): 1.30, ("gan_lab cudagraph", "best"): 0.5},
    ),
    "DCGAN 64x64, batch 128": Case(
        "non_saturating",
        ("dataset=npz", "model=dcgan", *_UNJUDGED),
        200,
        50,
        {("gan_lab", "best"): 1.03, ("gan_lab bf16 compile", "best"): 1 / 1.3},
        batch_size=128,
    ),
    "non-saturating, mlp 128, ring": Case(
        "non_saturating",
        ("dataset=ring8", "evaluation.samples=100"),
        1000,
        250,
        {("gan_lab", "best"): 1.30},
        ways=("gan_lab", "gan_lab compile", "gan_lab cudagraph"),
    ),
    "SN-GAN's CNN, 32x32, batch 128": Case(
        "sngan",
        ("dataset=npz", "model=sngan_cnn", "n_critic=1", "generator_batch_factor=2", *_UNJUDGED),
        200,
        50,
        {},
        batch_size=128,
        side=32,
        ways=("gan_lab", "gan_lab TF32", "gan_lab bf16", "gan_lab cudagraph", "gan_lab TF32 cudagraph"),
    ),
    "StyleGAN2 64x64, batch 32": Case(
        "stylegan2",
        ("dataset=npz", "model=stylegan2", *_UNJUDGED),
        80,
        16,
        {},
        batch_size=32,
        ways=("gan_lab", "gan_lab TF32", "gan_lab bf16", "gan_lab compile", "gan_lab bf16 compile"),
    ),
}
_WAYS = {  # of running gan_lab, on top of the case
    "gan_lab": (),
    "gan_lab TF32": ("matmul_precision=high",),
    "gan_lab bf16": ("trainer.precision=bf16-mixed",),
    "gan_lab compile": ("compile=true",),
    "gan_lab bf16 compile": ("trainer.precision=bf16-mixed", "compile=true"),
    "gan_lab compile=iteration": ("compile=iteration",),
    "gan_lab cudagraph": ("compile=cudagraph",),
    "gan_lab TF32 cudagraph": ("matmul_precision=high", "compile=cudagraph"),
    "gan_lab bf16 cudagraph": ("trainer.precision=bf16-mixed", "compile=cudagraph"),
}


def steps(scale: Scale) -> list[Claim]:
    """Every case, in the ways that something is claimed of; on a GPU in all of them, and peak memory."""
    return _of(CUDA if scale.device == "cuda" else CPU, scale)


def compiled(scale: Scale) -> list[Claim]:
    """Small networks with compile=iteration. What compiles them is warm once a run has gone by."""
    return _of(COMPILED, scale)


def _of(cases: Mapping[str, Case], scale: Scale) -> list[Claim]:
    claims = []
    with tempfile.TemporaryDirectory() as folder:
        for name, case in cases.items():
            course = Course(scale.of(case.iterations, 2), scale.of(case.turn, 1))
            sides = _sides(case, scale, course, Path(folder))
            taken: dict[str, list[float]] = {side: [] for side in sides}
            peaks: dict[str, list[float]] = {side: [] for side in sides}
            for repeat in range(scale.repeats):
                finish = race(sides, course)
                if not scale.quick:
                    _see_that_all_do_the_same({side: at.end for side, at in finish.items()})
                for side, at in finish.items():
                    taken[side].append(1000 * at.seconds)
                    peaks[side].append(at.end.peak)
                tell(repeat, scale.repeats, taken)
            for (ours, theirs), bound in case.bounds.items():
                both = {side: taken[side] for side in (ours, theirs)}
                claims.append(Claim(f"{name}: {ours} / {theirs}", both, at_most=bound))
            if scale.device == "cuda":
                claims += _on_gpu(name, case, taken, peaks)
    return claims


def _on_gpu(name: str, case: Case, taken: dict[str, list[float]], peaks: dict[str, list[float]]) -> list[Claim]:
    """Every side beside the reference: seconds where nothing is claimed of them, and memory."""
    claims = []
    for side in taken:
        pair = (side, case.reference)
        if side != case.reference:
            if pair not in case.bounds:
                claims.append(Claim(f"{name}: {side} / {case.reference}", {one: taken[one] for one in pair}))
            bound = 1.1 if pair == ("gan_lab", "best") else None
            memory = {one: peaks[one] for one in pair}
            claims.append(Claim(f"{name}: {side}, peak memory", memory, unit="MiB", at_most=bound))
    return claims


@dataclass
class Trained:
    """What became of a side.

    Args:
        ways: how far each player's weights are from where they began.
        peak: see `Pace`.
    """

    ways: dict[str, float]
    peak: float


def _sides(case: Case, scale: Scale, course: Course, folder: Path) -> dict[str, Callable[[Pace], Trained]]:
    """What is run: on a CPU, whatever something is claimed of."""
    words = [*case.overrides, f"loss={case.loss}", f"iterations={course.length}", f"batch_size={case.batch_size}"]
    words += [f"trainer={'gpu' if scale.device == 'cuda' else 'cpu'}", f"threads={scale.threads}"]
    # what else is done now and then has benchmarks of its own
    words += [f"{what}.every={course.length}" for what in ("evaluation", "pictures", "checkpoint")]
    if "dataset=mnist" in case.overrides:
        words.append(f"dataset.root={scale.data}")
    if scale.quick:
        words += _small(case)
    if "dataset=npz" in case.overrides:
        words.append(f"dataset.path={_pictures(folder, case.side, scale.of(10_000, 200))}")
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        wanted = {side for pair in case.bounds for side in pair}
        if scale.device == "cuda":
            wanted |= {*case.ways, case.reference}
        ways = {name: check(compose("train", [*words, *_WAYS[name]])) for name in _WAYS if name in wanted}
    loss, config, device = case.game or case.loss, ways["gan_lab"], torch.device(scale.device)
    sides: dict[str, Callable[[Pace], Trained]] = {
        "best": partial(by_hand, hand_written.best, loss, config, device),
        "best bf16": partial(by_hand, partial(hand_written.best, bf16=True), loss, config, device),
        **{name: partial(by_gan_lab, way, folder) for name, way in ways.items()},
    }
    return {name: side for name, side in sides.items() if name in wanted}


def _small(case: Case) -> list[str]:
    """Overrides for a quick look: few pictures, narrow networks, and no Fréchet distance in 3072 dimensions."""
    narrow = {"model=mlp": "hidden=[8]", "model=dcgan": "channels=4", "model=sngan_cnn": "channels=4"}
    words = [f"model.{role}.{narrow[model]}" for model in case.overrides if model in narrow
             for role in ("generator", "discriminator")]  # fmt: skip
    words += ["evaluation.metrics=[prdc]"] if words else []  # of pictures
    return [*words, "batch_size=4", *(["dataset.max_samples=200"] if "dataset=mnist" in case.overrides else [])]


def by_hand(loop: Callable[..., None], loss: str, config: DictConfig, device: torch.device, pace: Pace) -> Trained:
    """A side that is the loop of `hand_written`, with PyTorch and the heap set as for a run of gan_lab."""
    torch.set_num_threads(config.threads)
    dataset = build_dataset(config)
    module = build_module(config, dataset.sample_shape).to(device)
    start = copy.deepcopy(dict(module.named_parameters()))
    with redirect_stdout(io.StringIO()), library_settings(config.trainer, config.threads, config.matmul_precision):
        sizes = (config.batch_size, config.latent_dim, config.iterations)
        loop(GAMES[loss], module.generator, module.discriminator, dataset.train, *sizes, device, pace)
    return Trained(_ways(start, dict(module.named_parameters())), pace.peak)


def by_gan_lab(config: DictConfig, folder: Path, pace: Pace) -> Trained:
    """A side that is a run as `gan-lab` makes it."""
    step = GAN.training_step

    def training_step(self: GAN, dataloader_iter: Iterator[Any]) -> dict[str, Tensor]:
        pace()
        return step(self, dataloader_iter)

    GAN.training_step = training_step  # type: ignore[method-assign]
    start = dict(build_module(config, build_dataset(config).sample_shape).named_parameters())
    with tempfile.TemporaryDirectory(dir=folder) as path, redirect_stderr(io.StringIO()):
        run = RunFolder(Path(path) / "run")
        run.create()
        execute(RunRequest(config, run, NAMES))
        weights = torch.load(run.last_checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    return Trained(_ways(start, weights), pace.peak)


def _ways(start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> dict[str, float]:
    """How far the weights of each player have gone."""
    ways = {}
    for player in ("generator", "discriminator"):
        differences = [end[key].detach().cpu() - start[key].detach().cpu() for key in start if key.startswith(player)]
        ways[player] = get_total_norm(differences).item()
    return ways


def _see_that_all_do_the_same(ends: dict[str, Trained]) -> None:
    """Both networks must go about as far from where they began.

    Losses would not tell: on the ring they end where they begin, elsewhere they differ by half from one order of the
    data to another. The way that Adam takes follows from the number and the size of its steps; the sides' differ by 5 %
    at most, bfloat16's included.

    Raises:
        RuntimeError: if a side does something else.
    """
    (first, reference), *others = ends.items()
    for name, end in others:
        for player, way in end.ways.items():
            usual = reference.ways[player]
            if not 0.8 * usual < way < 1.2 * usual:
                raise RuntimeError(f"{name} moves the {player} by {way:.3g}, {first} by {usual:.3g}")


def _pictures(folder: Path, side: int, count: int) -> Path:
    """Random square pictures: what they show does not matter to a clock."""
    file = folder / f"pictures_{side}.npz"
    if not file.exists():
        np.savez(file, samples=np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))
    return file
