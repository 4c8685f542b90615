"""What every recipe does on the ring of 8 Gaussians under a matched budget: the measured table of the README.

uv run python scripts/loss_table.py                         # run the sweep (about half an hour), print the table
uv run python scripts/loss_table.py --write                 # and put it into README.md, between its markers
uv run python scripts/loss_table.py --sweep FOLDER --write  # of a sweep that was run before
"""

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"
SEEDS, ITERATIONS = 3, 5000
OVERRIDES = [
    "loss=glob(*)",
    f"seed=range({SEEDS})",
    "dataset=ring8",
    "protocol=matched",
    f"iterations={ITERATIONS}",
    "threads=1",
    "evaluation.samples=10000",  # four times the field's habit: less sampling error
]
BLOCK = re.compile(r"(<!-- loss_table -->\n).*?(<!-- /loss_table -->)", re.DOTALL)


def read(sweep: Path) -> tuple[dict[str, list[dict[str, Any]]], dict[str, int]]:
    """The results of a sweep's runs by loss, and how many runs of each loss have none."""
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    lost: dict[str, int] = defaultdict(int)
    for status in sorted(sweep.glob("*/status.json")):
        file = status.with_name("result.json")
        named = re.search(r"(?:_|,)loss=(\w+)", status.parent.name)
        if file.is_file():
            result = json.loads(file.read_text())
            results[result["loss"]].append(result)
        else:
            lost[named[1] if named else status.parent.name] += 1
    if not results:
        sys.exit(f"loss_table: {sweep}: no finished run in it")
    budgets = {
        (run["budget"]["iterations"], run["dataset"], run["protocol"]) for runs in results.values() for run in runs
    }
    if len(budgets) > 1:
        sys.exit(f"loss_table: {sweep}: its runs differ in iterations, dataset or protocol: {sorted(budgets)}")
    return results, lost


def spread(values: list[float], digits: int) -> str:
    """Mean ± standard error of the mean."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{statistics.fmean(values):.{digits}f} ± {error:.{digits}f}"


def table(sweep: Path) -> str:
    """The Markdown table, best reverse KL first; the last row is what real data scores."""
    results, lost = read(sweep)
    lines = [
        "| `loss=` | modes of 8 | high quality, % | reverse KL, nats | Fréchet distance | runs |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    order = sorted(results, key=lambda loss: statistics.fmean(r["metrics"]["reverse_kl"] for r in results[loss]))
    for loss in order:
        runs = results[loss]

        def column(name: str, scale: float = 1.0, runs: list[dict[str, Any]] = runs) -> list[float]:
            return [scale * run["metrics"][name] for run in runs]

        finished = f"{len(runs)}" + (f", {lost[loss]} lost" if lost[loss] else "")
        lines.append(
            f"| `{loss}` | {spread(column('modes'), 1)} | {spread(column('high_quality', 100), 1)} "
            f"| {spread(column('reverse_kl'), 3)} | {spread(column('fd_points'), 4)} | {finished} |"
        )
    lines += [f"| `{loss}` | | | | | 0, {lost[loss]} lost |" for loss in sorted(lost.keys() - results.keys())]
    floor = results[order[0]][0]["floor"]
    lines.append(
        f"| *real data* | {floor['modes']:.1f} | {100 * floor['high_quality']:.1f} | {floor['reverse_kl']:.4f} "
        f"| {floor['fd_points']:.4f} | |"
    )
    one = results[order[0]][0]
    budget = f"{one['budget']['iterations']:,} iterations, {one['budget']['real_images']:,} real samples a run"
    machine = f"torch {one['environment']['torch']}, {one['environment']['threads']} CPU thread"
    return f"{budget}; {machine}; mean ± standard error over seeds.\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", type=Path, help="a sweep's folder; without it the sweep is run")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    sweep = arguments.sweep
    if sweep is None:
        sweep = Path("outputs") / f"loss_table_{datetime.now():%Y-%m-%d_%H-%M-%S}"  # never one that was run before
        command = [sys.executable, "-c", "from gan_lab.train import main; main()", "-m", *OVERRIDES]
        subprocess.run([*command, f"hydra.sweep.dir={sweep}"], check=False)  # lost runs are counted in the table
    text = table(sweep)
    print(text)
    if arguments.write:
        page, found = BLOCK.subn(lambda block: f"{block[1]}{text}{block[2]}", README.read_text())
        if found != 1:
            sys.exit(f"loss_table: {README.name} has {found} places marked <!-- loss_table -->, expected 1")
        README.write_text(page)


if __name__ == "__main__":
    main()
