"""Timed claims, as ratios measured side by side: A B A B ... in one run, medians of the repeats.

uv run python scripts/benchmark.py steps --data FOLDER             # an iteration, against the best loop by hand
uv run python scripts/benchmark.py steps --data FOLDER --threads 2
uv run python scripts/benchmark.py steps --data FOLDER --device cuda --case StyleGAN2
uv run python scripts/benchmark.py compiled                        # the same of small networks, compile=iteration
uv run python scripts/benchmark.py all --data FOLDER --out benchmark.json
uv run python scripts/benchmark.py peers causes --data FOLDER --peers FOLDER --repeats 2 --markdown  # docs/speed.md

Leave the machine alone meanwhile. Times of single runs mean little elsewhere; ratios travel better. What is compared
is in scripts/benchmarks/, the loop by hand in scripts/benchmarks/hand_written.py.
"""

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import Claim, Scale, as_markdown
from rich.console import Console
from rich.table import Table

BENCHMARKS = ("steps", "compiled", "start", "evaluation", "growth", "ddp", "sweep", "stacked")
OF_PEERS = ("peers", "causes")
"""They need programs of others."""


def main(words: list[str] | None = None) -> None:
    """The command; ``words`` are its arguments, those of the process if None."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=[*BENCHMARKS, *OF_PEERS, "all"], nargs="+", help="which claims")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each side (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default: 1)")
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="of the steps and the sweep (default: cpu)"
    )
    parser.add_argument(
        "--case",
        default="",
        help="a part of the names of the cases of steps, compiled and stacked (default: all of them)",
    )
    parser.add_argument("--data", default=os.environ.get("GAN_LAB_DATA", "data"), help="folder that holds MNIST/raw")
    parser.add_argument("--peers", default="peers", help="folder of the peers' programs, see docs/speed.md")
    parser.add_argument("--markdown", action="store_true", help="print the figures as a table in Markdown as well")
    parser.add_argument("--quick", action="store_true", help="see that all of it runs, judge nothing")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args(words)
    repeats = 1 if arguments.quick else arguments.repeats
    where = (arguments.device, arguments.threads, arguments.data, arguments.peers, arguments.case)
    scale = Scale(repeats, arguments.quick, *where)
    import torch  # and all else that takes seconds to import
    from benchmarks import parts, peers, steps, together

    torch.set_num_threads(scale.threads)
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"  # Lightning's 1 would slow the loop by hand down
    chosen = BENCHMARKS if "all" in arguments.what else arguments.what
    if arguments.case and len(chosen) > 1:
        parser.error("--case: expected one benchmark with it")
    modules = {
        name: module
        for module in (steps, parts, together, peers)
        for name in (*BENCHMARKS, *OF_PEERS)
        if hasattr(module, name)
    }
    tables = [getattr(modules[name], name)(scale) for name in chosen]
    claims = [claim for table in tables for claim in table]
    show(claims, scale)
    if arguments.markdown:
        print(*map(as_markdown, tables), sep="\n\n")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(as_json(claims, scale), indent=2) + "\n")


def show(claims: list[Claim], scale: Scale) -> None:
    """Print a table."""
    table = Table(title=f"{os.cpu_count()} cores, {scale.threads} threads, medians of {scale.repeats}")
    for heading in ("what", "medians", "ratio", "claimed", ""):
        table.add_column(heading)
    for claim in claims:
        both = " / ".join(f"{value:.3g}" for value in claim.medians.values())
        verdict = "" if scale.quick or claim.holds is None else "holds" if claim.holds else "fails"
        table.add_row(claim.name, f"{both} {claim.unit}", f"{claim.ratio:.3f}", claim.claimed, verdict)
    Console(width=140).print(table)


def as_json(claims: list[Claim], scale: Scale) -> dict[str, object]:
    """The figures, and what they were measured on."""
    return {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "torch": version("torch")},
        "scale": vars(scale) | {"data": None, "peers": None},
        "claims": [
            {
                "name": c.name,
                "measured": {side: list(values) for side, values in c.sides.items()},
                "medians": c.medians,
                "unit": c.unit,
                "ratio": c.ratio,
                "claimed": c.claimed,
            }
            for c in claims
        ],
    }


if __name__ == "__main__":
    main()
