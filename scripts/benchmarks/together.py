"""Several processes: of one run, and of one sweep."""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr

from benchmarks.measuring import Claim, Scale, in_turn
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
