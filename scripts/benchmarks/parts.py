"""The loader, the start, evaluation, and how cost grows."""

import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch.utils.data import DataLoader
from torchmetrics.image.fid import FrechetInceptionDistance

from benchmarks.measuring import Claim, Scale, in_turn
from benchmarks.steps import NAMES
from gan_lab.callbacks.evaluation import Evaluation
from gan_lab.datasets import BatchStream, mnist
from gan_lab.metrics.frechet import Moments, frechet_distance
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.status import recorded
from gan_lab.training import run as training

COMMAND = "import sys; sys.argv[0] = 'gan-lab'; from gan_lab.cli.train import main; main()"


def composed(*words: str) -> DictConfig:
    """The configuration of a command line."""
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        return compose("train", list(words))


def trained(config: DictConfig, folder: Path) -> float:
    """Seconds an iteration took, in the second half of a run as `gan-lab` makes it, by the run's own record."""
    with tempfile.TemporaryDirectory(dir=folder) as path, redirect_stderr(io.StringIO()):
        run = RunFolder(Path(path) / "run")
        run.create()
        with recorded(run, config) as stop:
            training.train(config, run, NAMES, stop)
        rows = [line.split(",") for line in run.times_file.read_text().splitlines()[1:]]
    seconds = {int(i): float(value) for i, name, value in rows if name == "time/train_seconds"}
    middle, end = config.iterations // 2, config.iterations
    return (seconds[end] - seconds[middle]) / (end - middle)


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def loader(scale: Scale) -> list[Claim]:
    """Batches of 64 of MNIST, from torchvision's transforms and from memory."""
    transforms = torchvision.transforms.Compose(
        [torchvision.transforms.ToTensor(), torchvision.transforms.Normalize((0.5,), (0.5,))]
    )
    usual = torchvision.datasets.MNIST(scale.data, transform=transforms)
    samples = mnist(scale.data).train
    few, many = scale.of(200), scale.of(5000)

    def theirs() -> float:
        return 1000 * seconds(lambda: list(islice(DataLoader(usual, 64, shuffle=True), few))) / few

    def ours() -> float:
        return 1000 * seconds(lambda: [None for _ in BatchStream(samples, 64, many, 0)]) / many

    return [Claim("batch of 64, MNIST", in_turn({"torchvision": theirs, "gan_lab": ours}, scale.repeats), at_least=50)]


def start(scale: Scale) -> list[Claim]:
    """The command, from nothing: processor time to print a configuration, and a whole debug run."""

    def processor() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", COMMAND, "--cfg", "job"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def imports() -> float:
        line = [sys.executable, "-c", "import torch, pytorch_lightning"]
        return 2 * seconds(lambda: subprocess.run(line, check=True)) + 3

    def debug() -> float:
        with tempfile.TemporaryDirectory() as folder:
            line = [sys.executable, "-c", COMMAND, "trainer=debug", f"hydra.run.dir={folder}/run"]
            return seconds(lambda: subprocess.run(line, check=True, capture_output=True))

    whole = in_turn({"trainer=debug": debug, "2 x imports + 3 s": imports}, scale.repeats)
    cpu = in_turn({"--cfg job, CPU": processor, "1 s": lambda: 1.0}, scale.repeats)
    return [Claim("gan-lab --cfg job", cpu, "s", at_most=1.0), Claim("gan-lab trainer=debug", whole, "s", at_most=1.0)]


class _Features(torch.nn.Module):
    """Features as they come, for torchmetrics."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def evaluation(scale: Scale) -> list[Claim]:
    """Evaluation's share of a run of the default kind, set-up included, and the Fréchet distance of 50 000 samples."""
    config = composed(*scale.run_of(1500), f"threads={scale.threads}", "trainer=cpu")
    shares = [_share_of_evaluation(config) for _ in range(scale.repeats)]
    evaluating, whole = map(list, zip(*shares, strict=True))

    count, width = scale.of(50_000, 500), scale.of(2048, 64)
    real, fake = (torch.randn(count, width, generator=torch.Generator().manual_seed(i)) for i in range(2))

    def ours() -> float:
        return seconds(lambda: frechet_distance(Moments.of(real), Moments.of(fake)))

    def theirs() -> float:
        metric = FrechetInceptionDistance(feature=_Features(width), input_img_size=(1, 1, 1)).set_dtype(torch.float64)

        def work() -> None:
            for features, is_real in ((real, True), (fake, False)):
                for chunk in features.split(1000):
                    metric.update(chunk, real=is_real)
            metric.compute()

        return seconds(work)

    both = in_turn({"gan_lab": ours, "torchmetrics": theirs}, scale.repeats)
    return [
        Claim("evaluation, default cadence", {"evaluation": evaluating, "run": whole}, "s", at_most=0.1),
        Claim(f"Fréchet distance, {count} x {width}", both, "s", at_most=1.0),
    ]


def _share_of_evaluation(config: DictConfig) -> tuple[float, float]:
    """Seconds of evaluation, and of the run."""
    evaluating = 0.0

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def working(*arguments: object) -> Any:
            nonlocal evaluating
            start = time.perf_counter()
            try:
                return work(*arguments)
            finally:
                evaluating += time.perf_counter() - start

        return working

    act, build_evaluator = Evaluation.act, training.build_evaluator
    Evaluation.act, training.build_evaluator = timed(act), timed(build_evaluator)
    with tempfile.TemporaryDirectory() as folder:
        whole = seconds(lambda: trained(config, Path(folder)))
    Evaluation.act, training.build_evaluator = act, build_evaluator
    return evaluating, whole


def growth(scale: Scale) -> list[Claim]:
    """What further iterations cost, whole runs with all they write, and an iteration with ever more samples."""
    words = ["dataset=ring8", "trainer=cpu", f"threads={scale.threads}", "evaluation.samples=100"]
    lengths = [20, 100, 400] if scale.quick else [100, 1_000, 10_000]
    sizes = [1_000, 10_000, 100_000]
    # so that every further iteration brings its share of all that is done now and then
    often = [f"{what}.every={lengths[0]}" for what in ("evaluation", "pictures", "checkpoint")]
    often.append(f"log_every={lengths[0] // 2}")
    with tempfile.TemporaryDirectory() as folder:

        def run(*further: str) -> float:
            return trained(composed(*words, *further), Path(folder))

        def whole(length: int) -> Callable[[], float]:
            return lambda: 1000 * seconds(lambda: run(f"iterations={length}", *often))

        def iteration(size: int) -> Callable[[], float]:
            return lambda: 1000 * run(*scale.run_of(1000), f"dataset.max_samples={size}")

        by_length = in_turn({str(length): whole(length) for length in lengths}, scale.repeats)
        by_size = in_turn({str(size): iteration(size) for size in sizes}, scale.repeats)
    few, some, many = map(np.array, by_length.values())
    first, more = (some - few) / (lengths[1] - lengths[0]), (many - some) / (lengths[2] - lengths[1])
    least, *others = by_size.items()
    return [
        Claim(
            f"an iteration, the {lengths[1]:,}th to the {lengths[2]:,}th / those before",
            {"later": more.tolist(), "earlier": first.tolist()},
            at_most=1.15,
        ),
        *(
            Claim(
                f"an iteration, {int(size):,} samples / {int(least[0]):,}",
                {size: taken, least[0]: least[1]},
                at_most=1.15,
            )
            for size, taken in others
        ),
    ]
