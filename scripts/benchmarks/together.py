"""Several processes: of one run, and of one sweep."""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measuring import Claim, Scale, in_turn, tell
from benchmarks.parts import COMMAND, composed, seconds, trained

# a part of the ring study, at its own length
RING = ["experiment=ring_all_losses", "loss=non_saturating,lsgan,rsgan,wgan_gp", "seed=0,1"]


def ddp(scale: Scale) -> list[Claim]:
    """Two processes with half a batch each against one."""
    words = [f"dataset.root={scale.data}", "dataset=mnist", "model=mlp", "loss=rsgan", "trainer=cpu", "threads=1"]
    words += ["evaluation/extractor=pixels", "evaluation.samples=100", "evaluation.kid_subset_size=50"]
    words += [*scale.run_of(100), "batch_size=256"]
    one, two = composed(*words), composed(*words, "trainer.devices=2")
    sides = {"two processes": lambda: 1000 * trained(two), "one process": lambda: 1000 * trained(one)}
    taken = in_turn(sides, scale.repeats)
    return [Claim("RSGAN, mlp, batch 256: two processes / one process", taken, at_most=1.0)]


def stacked(scale: Scale) -> list[Claim]:
    """Seeds of one loss on the ring as one program, and one after another: whole sweeps; on a GPU a seed's iteration.

    Of whole sweeps evaluation, files and the report are part; what is compiled is in the cache already. On a GPU
    nothing is compiled, and one run stands for those one after another.
    """
    where, counts = ("gpu", (10, 100)) if scale.device == "cuda" else ("cpu", (10,))
    claims = []
    cases = {"32 wide": (32, 0.35), "128 wide": (128, 0.75)}
    for width, bound in list(scale.chosen(cases).values())[: 1 if scale.quick else 2]:
        words = [f"model.{player}.hidden=[{width},{width},{width}]" for player in ("generator", "discriminator")]
        words += ["dataset=ring8", f"trainer={where}", "threads=1"]
        words += ["evaluation.samples=100"] if scale.quick else []
        for seeds in (2,) if scale.quick else counts:
            many, long = f"seed=range({seeds})", f"iterations={scale.of(5000)}"
            if scale.device == "cpu":
                compiled = [*words, many, "compile=iteration"]
                swept("vectorized", [*compiled, "iterations=2"])
                sides = {
                    "vectorized, compile=iteration": partial(swept, "vectorized", [*compiled, long]),
                    "basic": partial(swept, "basic", [*words, many, long]),
                }
                whole = in_turn({name: lambda side=side: side().seconds for name, side in sides.items()}, scale.repeats)
                claims.append(Claim(f"{seeds} seeds on the ring, {width} wide: sweep", whole, "s", at_most=bound))
            else:
                sides = {
                    "stacked": partial(swept, "vectorized", [*words, many, long]),
                    "alone": partial(swept, "basic", [*words, "seed=0", long]),
                }
                each = in_turn({name: lambda side=side: side().each for name, side in sides.items()}, scale.repeats)
                claims.append(Claim(f"{seeds} seeds on the ring, {width} wide: a seed's iteration", each))
    return claims


@dataclass(frozen=True)
class Swept:
    """What a sweep took.

    Args:
        seconds: from the command to its report.
        each: a run's milliseconds an iteration, by its own record.
    """

    seconds: float
    each: float


def swept(launcher: str, words: list[str]) -> Swept:
    """Run a sweep in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-c", COMMAND, "-m", *words, f"hydra/launcher={launcher}"]
        line += [f"hydra.sweep.dir={folder}/sweep"]

        def run() -> None:
            subprocess.run(line, check=True, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        taken = seconds(run)
        budgets = [json.loads(file.read_text())["budget"] for file in Path(folder).rglob("result.json")]
    each = [1000 * one["train_seconds"] / one["iterations"] for one in budgets]
    return Swept(taken, statistics.fmean(each))


def sweep(scale: Scale) -> list[Claim]:
    """The ring study's runs one after another, and side by side, and a sweep's cost; on a GPU they share it."""
    where = "gpu" if scale.device == "cuda" else "cpu"
    few = ["loss=non_saturating", "seed=0,1", "evaluation.samples=100"] if scale.quick else []

    def side(launcher: str) -> Callable[[], float]:
        def work() -> float:
            with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()):
                words = [*RING, *few, f"iterations={scale.of(5000)}", f"trainer={where}", f"hydra/launcher={launcher}"]
                line = [sys.executable, "-c", COMMAND, "-m", *words, f"hydra.sweep.dir={folder}/sweep"]
                return seconds(lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL, env=os.environ))

        return work

    taken = in_turn({"basic": side("basic"), "parallel": side("parallel")}, scale.repeats)
    return [Claim("sweep of 8 runs on the ring", taken, "s", at_least=1.7), *_costs(scale, where)]


def _costs(scale: Scale, where: str) -> list[Claim]:
    """Four seeds on the ring: a whole sweep, with evaluation, files and the report, over its runs' training seconds."""
    claims = []
    for launcher in ("basic", "parallel", "vectorized"):
        words = ["dataset=ring8", "seed=0,1,2,3", f"iterations={scale.of(5000)}", f"trainer={where}", "threads=1"]
        sides: dict[str, list[float]] = {"sweep": [], "training": []}
        for repeat in range(scale.repeats):
            done = swept(launcher, words)
            sides["sweep"].append(done.seconds)
            sides["training"].append(4 * scale.of(5000) * done.each / 1000)
            tell(repeat, scale.repeats, sides)
        claims.append(Claim(f"{launcher}, 4 seeds on the ring: sweep / training", sides, "s"))
    return claims
