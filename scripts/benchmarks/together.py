"""Several processes: of one run, and of one sweep."""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from pytorch_lightning.strategies import DDPStrategy

from benchmarks.measuring import Claim, Scale, in_turn
from benchmarks.parts import COMMAND, composed, seconds, trained
from gan_lab.algorithms import gan as adversary
from gan_lab.distributed import launcher as processes
from gan_lab.training import build as lightning_parts
from gan_lab.training import run as training

# a part of the ring study, at its own length
RING = ["experiment=ring_all_losses", "loss=non_saturating,lsgan,rsgan,wgan_gp", "seed=0,1"]


def ddp(scale: Scale) -> list[Claim]:
    """Two processes with half a batch each against one, and our strategy against Lightning's general one."""
    words = [f"dataset.root={scale.data}", "dataset=mnist", "model=mlp", "loss=rsgan", "trainer=cpu", "threads=1"]
    words += ["evaluation/extractor=pixels", "evaluation.samples=100", "evaluation.kid_subset_size=50"]
    words += [*scale.run_of(100), "batch_size=256"]
    one, two = composed(*words), composed(*words, "trainer.devices=2")
    with tempfile.TemporaryDirectory() as folder:

        def searching() -> float:
            ours = (lightning_parts.SharedBatch, training.assist)
            search_for_unused()
            try:
                return 1000 * trained(two, Path(folder))
            finally:
                lightning_parts.SharedBatch, training.assist = ours
                adversary.GAN.descend = _descend
                adversary.average = _average

        sides: dict[str, Callable[[], float]] = {
            "two processes": lambda: 1000 * trained(two, Path(folder)),
            "find_unused_parameters": searching,
            "one process": lambda: 1000 * trained(one, Path(folder)),
        }
        taken = in_turn(sides, scale.repeats)
    first = "two processes"
    return [
        Claim(f"RSGAN, mlp, batch 256: {first} / {other}", {first: taken[first], other: taken[other]}, at_most=1.0)
        for other in ("one process", "find_unused_parameters")
    ]


_descend, _average = adversary.GAN.descend, adversary.average
_assist = training.assist


class Searching(processes.SharedBatch):
    """Lightning's own wrapper, which looks for unused weights in every backward pass."""

    configure_ddp = DDPStrategy.configure_ddp

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, find_unused_parameters=True)


def search_for_unused() -> None:
    """Train as the wrapper asks for, in this process."""

    def descend(self: adversary.GAN, loss: Any, name: str) -> None:
        self.trainer.strategy.pre_backward(loss)
        _descend(self, loss, name)

    adversary.GAN.descend = descend
    adversary.average = lambda gradients: None  # the wrapper has averaged them
    lightning_parts.SharedBatch, training.assist = Searching, assist_searching


def assist_searching(*arguments: Any) -> None:
    """What the other process does."""
    search_for_unused()
    _assist(*arguments)


def sweep(scale: Scale) -> list[Claim]:
    """The ring study's runs one after another, and side by side; on a GPU they share it."""
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
    return [Claim("sweep of 8 runs on the ring", taken, "s", at_least=1.7)]
