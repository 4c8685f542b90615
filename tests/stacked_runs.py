"""Small runs on the ring that train as one program, inside the test's own process."""

from collections.abc import Sequence
from pathlib import Path

from configurations import composed_of
from training_runs import NAMES, OFTEN, SMALL

from gan_lab.config.checks import check
from gan_lab.runs.folder import RunFolder
from gan_lab.runs.request import RunRequest
from gan_lab.training.stacked import execute_stacked

RING = ["dataset=ring8", *SMALL, *OFTEN, "threads=1", "trainer.precision=64-true"]


def stack_in(path: Path, seeds: Sequence[int], words: Sequence[str], resume: bool = False) -> list:
    """Train all seeds together, each in a folder of its name; what each ended with."""
    requests = []
    for seed in seeds:
        folder = RunFolder(path / f"{seed}")
        if not resume:
            folder.create()
        requests.append(RunRequest(check(composed_of(*RING, *words, f"seed={seed}")), folder, NAMES, resume))
    return execute_stacked(requests)
