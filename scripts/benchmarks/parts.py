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

import torch
import torchvision
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from torch.utils.data import DataLoader
from torchmetrics.image.fid import FrechetInceptionDistance

from benchmarks.measuring import Claim, Scale, medians
from benchmarks.steps import trained
from gan_lab import training
from gan_lab.callbacks.evaluation import Evaluation
from gan_lab.datasets import BatchStream, mnist
from gan_lab.metrics.frechet import Moments, frechet_distance
from gan_lab.recording import recorded
from gan_lab.run_folder import RunFolder

COMMAND = "import sys; sys.argv[0] = 'gan-lab'; from gan_lab.train import main; main()"


def composed(*words: str) -> DictConfig:
    """The configuration of a command line."""
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        return compose("train", list(words))


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

    return [Claim("batch of 64, MNIST", medians({"torchvision": theirs, "gan_lab": ours}, scale.repeats), at_least=50)]


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

    whole = medians({"trainer=debug": debug, "2 x imports + 3 s": imports}, scale.repeats)
    cpu = medians({"--cfg job, CPU": processor, "1 s": lambda: 1.0}, scale.repeats)
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
    config = composed(f"iterations={scale.of(1500)}", f"threads={scale.threads}", "trainer=cpu")
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
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
        run = RunFolder(Path(folder) / "run")
        run.create()
        with recorded(run, config) as stop:
            names = dict.fromkeys(("loss", "model", "dataset", "protocol"), "benchmark")
            whole = seconds(lambda: training.train(config, run, names, stop))
    Evaluation.act, training.build_evaluator = act, build_evaluator

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

    both = medians({"gan_lab": ours, "torchmetrics": theirs}, scale.repeats)
    return [
        Claim("evaluation, default cadence", {"evaluation": evaluating, "run": whole}, "s", at_most=0.1),
        Claim(f"Fréchet distance, {count} x {width}", both, "s", at_most=1.0),
    ]


def growth(scale: Scale) -> list[Claim]:
    """Seconds an iteration with ten and a hundred times as many iterations, or samples."""
    claims = []
    base = ["dataset=ring8", "trainer=cpu", f"threads={scale.threads}", "evaluation.samples=100"]
    lengths = [scale.of(100, 2) * factor for factor in (1, 10, 100)][: 2 if scale.quick else 3]
    sizes = [f"dataset.max_samples={1000 * factor}" for factor in (1, 10, 100)]
    with tempfile.TemporaryDirectory() as folder:

        def side(*words: str) -> Callable[[], float]:
            return lambda: 1000 * trained(composed(*base, *words), Path(folder)).seconds

        by_length = {f"{n} iterations": side(f"iterations={n}", f"log_every={n // 2}") for n in lengths}
        by_size = {size: side(f"iterations={scale.of(1000)}", f"log_every={scale.of(500, 2)}", size) for size in sizes}
        for sides in (by_length, by_size):
            taken = medians(sides, scale.repeats)
            least, *more = taken
            claims += [
                Claim(f"{name} / {least}", {name: taken[name], least: taken[least]}, at_most=1.15) for name in more
            ]
    return claims
