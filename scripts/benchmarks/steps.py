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
from benchmarks.cases import COMPILED, CPU, CUDA, WAYS, Case
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


def steps(scale: Scale) -> list[Claim]:
    """Every case, in the ways that something is claimed of; on a GPU in all of them, and peak memory."""
    return _of(CUDA if scale.device == "cuda" else CPU, scale)


def compiled(scale: Scale) -> list[Claim]:
    """Small networks with compile=iteration. What compiles them is warm once a run has gone by."""
    return _of(COMPILED, scale)


def _of(cases: Mapping[str, Case], scale: Scale) -> list[Claim]:
    chosen = scale.chosen(cases)
    claims = []
    with tempfile.TemporaryDirectory() as folder:
        for name, case in chosen.items():
            course = Course(scale.of(case.iterations, 2), scale.of(case.turn, 1))
            sides = _sides(case, scale, course, Path(folder))
            taken: dict[str, list[float]] = {side: [] for side in sides}
            peaks: dict[str, list[float]] = {side: [] for side in sides}
            for repeat in range(scale.repeats):
                finish = race(sides, course)
                if not scale.quick:
                    see_that_all_do_the_same({side: at.end for side, at in finish.items()})
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
        ways = {name: check(compose("train", [*words, *WAYS[name]])) for name in WAYS if name in wanted}
        config = check(compose("train", words))
    loss, device = case.game or case.loss, torch.device(scale.device)
    sides: dict[str, Callable[[Pace], Trained]] = {
        "best": partial(by_hand, hand_written.best, loss, config, device),
        "best bf16": partial(by_hand, partial(hand_written.best, bf16=True), loss, config, device),
        **{name: partial(by_gan_lab, way, folder) for name, way in ways.items()},
    }
    return {name: side for name, side in sides.items() if name in wanted}


def _small(case: Case) -> list[str]:
    """Overrides for a quick look: few pictures and narrow networks."""
    narrow = {"model=mlp": "hidden=[8]", "model=dcgan": "channels=4", "model=sngan_cnn": "channels=4"}
    words = [f"model.{role}.{narrow[model]}" for model in case.overrides if model in narrow
             for role in ("generator", "discriminator")]  # fmt: skip
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
    return Trained(distances(start, dict(module.named_parameters())), pace.peak)


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
    return Trained(distances(start, weights), pace.peak)


def distances(start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> dict[str, float]:
    """How far the weights of each player have gone."""
    ways = {}
    for player in ("generator", "discriminator"):
        differences = [end[key].detach().cpu() - start[key].detach().cpu() for key in start if key.startswith(player)]
        ways[player] = get_total_norm(differences).item()
    return ways


def see_that_all_do_the_same(ends: Mapping[str, Trained], apart: float = 0.2) -> None:
    """Both networks must go about as far from where they began, but for a share of ``apart``.

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
            if not (1 - apart) * usual < way < (1 + apart) * usual:
                raise RuntimeError(f"{name} moves the {player} by {way:.3g}, {first} by {usual:.3g}")


def _pictures(folder: Path, side: int, count: int) -> Path:
    """Random square pictures: what they show does not matter to a clock."""
    file = folder / f"pictures_{side}.npz"
    if not file.exists():
        np.savez(file, samples=np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))
    return file
