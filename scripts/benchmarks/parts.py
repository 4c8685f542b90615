"""The start, what is not training, and how cost grows."""

import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_module
from omegaconf import DictConfig

from benchmarks.measuring import Claim, Scale, in_turn, tell
from benchmarks.steps import NAMES
from gan_lab.config.checks import check
from gan_lab.runs.components import build_dataset
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.measuring import build_evaluator
from gan_lab.runs.request import RunRequest
from gan_lab.training.build import build_module
from gan_lab.training.run import execute

COMMAND = "import sys; sys.argv[0] = 'gan-lab'; from gan_lab.cli.train import main; main()"


def composed(*words: str) -> DictConfig:
    """The configuration of a command line."""
    with initialize_config_module("gan_lab.conf", version_base="1.3"):
        return check(compose("train", list(words)))


@contextmanager
def finished(config: DictConfig) -> Iterator[RunFolder]:
    """The folder of a run as `gan-lab` makes it, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as path, redirect_stderr(io.StringIO()):
        run = RunFolder(Path(path) / "run")
        run.create()
        execute(RunRequest(config, run, NAMES))
        yield run


def trained(config: DictConfig) -> float:
    """Seconds an iteration took, in the second half of a run, by the run's own record."""
    with finished(config) as run:
        rows = [line.split(",") for line in run.times_file.read_text().splitlines()[1:]]
    seconds = {int(i): float(value) for i, name, value in rows if name == "time/train_seconds"}
    middle, end = config.iterations // 2, config.iterations
    return (seconds[end] - seconds[middle]) / (end - middle)


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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


def evaluation(scale: Scale) -> list[Claim]:
    """What is not training in a run of the default kind: set-up, evaluation, pictures and checkpoints."""
    config = composed(*scale.run_of(1500), f"threads={scale.threads}", "trainer=cpu")
    rest, whole = [], []
    for repeat in range(scale.repeats):
        begun = time.perf_counter()
        with finished(config) as run:
            whole.append(time.perf_counter() - begun)
            rest.append(whole[-1] - run.result()["budget"]["train_seconds"])
        tell(repeat, scale.repeats, {"not training": rest, "run": whole})
    whole_run = Claim("default run: not training / whole", {"not training": rest, "run": whole}, "s", at_most=0.1)
    datasets = ("digits", "ring8") if scale.quick else ("digits", "ring8", "mnist")  # whose classifier takes a minute
    return [whole_run, *(_evaluations(dataset, scale) for dataset in datasets)]


def _evaluations(dataset: str, scale: Scale) -> Claim:
    """All evaluations of a default run of a dataset, against its training."""
    words = [f"dataset={dataset}", "trainer=cpu", f"threads={scale.threads}"]
    words += [f"dataset.root={scale.data}"] if dataset == "mnist" else []
    usual, short = composed(*words), composed(*words, *scale.run_of(500))
    data = build_dataset(usual)
    module = build_module(usual, data.sample_shape, 1, data.class_counts)
    evaluator = build_evaluator(usual, data)
    evaluator.evaluate(module.sampler)  # what is known of the real samples from then on
    times = usual.iterations // usual.evaluation.every
    sides = {
        "evaluations": lambda: times * seconds(lambda: evaluator.evaluate(module.sampler)),
        "training": lambda: usual.iterations * trained(short),
    }
    return Claim(f"default run, {dataset}: evaluations / training", in_turn(sides, scale.repeats), "s", at_most=0.05)


def growth(scale: Scale) -> list[Claim]:
    """What further iterations cost, whole runs with all they write, and an iteration with ever more samples."""
    words = ["dataset=ring8", "trainer=cpu", f"threads={scale.threads}", "evaluation.samples=100"]
    lengths = [4, 8, 16] if scale.quick else [100, 1_000, 10_000]
    sizes = [1_000, 10_000, 100_000]
    # so that every further iteration brings its share of all that is done now and then
    often = [f"{what}.every={lengths[0]}" for what in ("evaluation", "pictures", "checkpoint")]
    often.append(f"log_every={lengths[0] // 2}")

    def run(*further: str) -> float:
        return trained(composed(*words, *further))

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
