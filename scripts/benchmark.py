"""Timed claims, as ratios measured side by side: A B A B ... in one run, medians of the repeats.

uv run python scripts/benchmark.py sweep              # a sweep with hydra/launcher=parallel against basic
uv run python scripts/benchmark.py sweep --repeats 5 --out benchmark.json

Leave the machine alone meanwhile. Times of single runs mean little elsewhere; ratios travel better.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

# a part of the ring study, long enough that imports do not matter
RING = ["experiment=ring_all_losses", "loss=non_saturating,lsgan,rsgan,wgan_gp", "seed=0,1", "iterations=2500"]


def gan_lab(*words: str) -> float:
    """Seconds that a line of gan-lab takes, which must succeed."""
    start = time.perf_counter()
    program = "import sys; sys.argv[0] = 'gan-lab'; from gan_lab.train import main; main()"
    subprocess.run([sys.executable, "-c", program, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def sweep(repeats: int) -> list[dict[str, Any]]:
    """The ring study's runs one after another, and side by side."""
    seconds: dict[str, list[float]] = {"basic": [], "parallel": []}
    for repeat in range(repeats):
        for launcher, taken in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                words = [*RING, f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}/sweep"]
                taken.append(gan_lab("-m", *words))
            print(f"  {repeat + 1} of {repeats}: {launcher} {taken[-1]:.1f} s", file=sys.stderr)
    return [
        row("ring study, 8 runs: basic over parallel", seconds["basic"], seconds["parallel"], ">= 1.7 on two cores")
    ]


def row(name: str, ours: list[float], theirs: list[float], target: str) -> dict[str, Any]:
    """A line of the table: the ratio of the medians, and what it should be."""
    first, second = statistics.median(ours), statistics.median(theirs)
    return {"name": name, "seconds": [first, second], "ratio": first / second, "target": target}


BENCHMARKS = {"sweep": sweep}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=BENCHMARKS, nargs="+", help="which claims")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each side (default: 5)")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    rows = [entry for name in arguments.what for entry in BENCHMARKS[name](arguments.repeats)]
    table = Table(title=f"{os.cpu_count()} cores, medians of {arguments.repeats}")
    for heading in ("what", "seconds", "ratio", "target"):
        table.add_column(heading)
    for entry in rows:
        first, second = entry["seconds"]
        table.add_row(entry["name"], f"{first:.2f} / {second:.2f}", f"{entry['ratio']:.2f}", entry["target"])
    Console().print(table)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps({"cores": os.cpu_count(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
