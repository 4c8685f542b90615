"""Measure whether a run's memory stays flat: resident memory late against early, evaluation and pictures on.

uv run python scripts/memory.py                                  # ring8: 10,000 iterations against 2,000
uv run python scripts/memory.py --late 4000 loss=wgan_gp         # any run: overrides of gan-lab

Exit status 1 if the two differ by more than the limit. Linux only.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from torch import Tensor

from gan_lab.algorithms.gan import GAN
from gan_lab.cli.train import main as gan_lab


class Memory:
    """Notes the process's resident memory, in bytes, every so many iterations, when all else of them is done."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.iterations = 0
        self.resident: dict[int, int] = {}

    def before_iteration(self) -> None:
        if self.iterations and self.iterations % self.every == 0:
            self.resident[self.iterations] = resident()
            print(f"\niteration {self.iterations}: {resident() / 2**20:.1f} MiB", flush=True)
        self.iterations += 1


def resident() -> int:
    """The process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--early", type=int, default=2000, help="iteration (default 2000)")
    parser.add_argument("--late", type=int, default=10_000, help="iteration, the run's last but one (default 10000)")
    parser.add_argument("--limit", type=float, default=2.0, help="percent they may differ by (default 2)")
    parser.add_argument("overrides", nargs="*", help="of gan-lab, after dataset=ring8 trainer=cpu threads=1")
    arguments = parser.parse_args()
    if not 0 < arguments.early < arguments.late or arguments.late % arguments.early:
        parser.error("expected --late to be a multiple of --early")
    memory = Memory(arguments.early)
    step = GAN.training_step

    def watched(self: GAN, dataloader_iter: Iterator[Any]) -> dict[str, Tensor]:
        memory.before_iteration()
        return step(self, dataloader_iter)  # Lightning looks at its name

    GAN.training_step = watched  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        line = ["dataset=ring8", "trainer=cpu", "threads=1", *arguments.overrides]
        sys.argv = ["gan-lab", *line, f"iterations={arguments.late + 1}", f"hydra.run.dir={folder}/run"]
        gan_lab()
    early, late = memory.resident[arguments.early], memory.resident[arguments.late]
    grown = 100 * (late / early - 1)
    print(
        f"resident memory: {early / 2**20:.1f} MiB at iteration {arguments.early}, {late / 2**20:.1f} MiB at "
        f"{arguments.late}: {grown:+.2f} %, allowed ±{arguments.limit} %"
    )
    return int(abs(grown) > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
