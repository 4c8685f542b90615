"""Kill a run again and again, go on each time, and see that it ends bit for bit as one that nobody disturbed.

uv run python scripts/torture.py                         # 30 SIGKILLs, then 10 SIGTERMs, then 10 SIGINTs
uv run python scripts/torture.py --kills 3 --signals 2   # the short form that the tests run
uv run python scripts/torture.py --keep FOLDER loss=wgan_gp ema_decay=0.99   # any run: overrides of gan-lab

Of the SIGKILLs every second one strikes as the process is about to open, rename or remove a file of the run, or has
written one and not yet renamed it; the others at any moment, set-up included. Compared are the last checkpoint
(weights, optimizers, random states and all else but clocks), metrics.csv, the pictures, the metrics in result.json, and
what TensorBoard shows.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a forked child has but the thread that forked it

OVERRIDES = [
    "loss=non_saturating",
    "model=mlp",
    "model.generator.hidden=[64]",
    "model.discriminator.hidden=[64]",
    "n_critic=2",
    "ema_decay=0.99",
    "penalty=r1",
    "loss.penalties.r1.every=4",
    "lr_schedule=cosine",
    "log_every=7",
    "checkpoint.every=20",
    "pictures.every=50",
    "pictures.samples=9",
    "evaluation.every=90",
    "evaluation.samples=100",
    "evaluation.kid_subset_size=50",
    "trainer=cpu",
    "threads=1",
]
_FILE_EVENTS = ("open", "os.rename", "os.remove", "os.symlink", "os.mkdir")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30, help="SIGKILLs of one run (default 30)")
    parser.add_argument("--signals", type=int, default=10, help="SIGTERMs, and SIGINTs, of one run each (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--keep", type=Path, help="a new folder for the runs (default: one that is removed)")
    parser.add_argument("overrides", nargs="*", help="of gan-lab, after those of a small run on digits")
    arguments = parser.parse_args()

    import gan_lab.cli.train
    import gan_lab.training.build  # noqa: F401  # PyTorch and Lightning, once for all attempts

    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        calm = folder / "undisturbed"
        # enough for the run not to end before its last kill
        overrides = [f"iterations={300 + 90 * max(arguments.kills, arguments.signals)}", *arguments.overrides]
        if wait(start(calm, overrides)) != 0:
            raise SystemExit(f"the undisturbed run failed; see {calm}.log")
        print(f"undisturbed: {_last_iteration(calm)} iterations", flush=True)
        failed = 0
        for number, times in [
            (signal.SIGKILL, arguments.kills),
            (signal.SIGTERM, arguments.signals),
            (signal.SIGINT, arguments.signals),
        ]:
            run = folder / number.name
            if not times:
                continue
            tally = disturb(run, number, times, _last_iteration(calm), moments, overrides)
            found = differences(calm, run)
            print(f"{number.name}: {tally}: {'; '.join(found) or 'bit-equal'}", flush=True)
            failed += bool(found)
    return 1 if failed else 0


def disturb(
    run: Path, number: signal.Signals, times: int, iterations: int, moments: random.Random, overrides: list[str]
) -> str:
    """Stop the run of so many iterations so many times, and let it end; what happened, in words."""
    stride = 2 * iterations // times
    ends: Counter[str] = Counter()
    stopped = 0
    while stopped < times:
        at_file = number == signal.SIGKILL and stopped % 2 == 1
        child = start(run, overrides, die_at_event=moments.randint(1, 60) if at_file else None)
        status = None
        if not at_file:
            target = _last_iteration(run) + moments.randint(-stride // 2, stride)
            target = min(target, iterations * (stopped + 1) // (times + 1))  # leave some for the next
            status = wait(child, moments.uniform(0, 0.5))  # set-up takes about as long
            while status is None and _last_iteration(run) < target:
                status = wait(child, 0.02)
            if status is None:
                os.kill(child, number)
        status = wait(child) if status is None else status
        if status == 0:
            raise SystemExit(f"{number.name}: the run ended after {stopped} of {times}: give it more iterations")
        if status not in (-number, 128 + number):
            raise SystemExit(f"{number.name}: an attempt ended with status {status}; see {run}.log")
        stopped += 1
        ends["at a file operation" if at_file else f"status {status}"] += 1
    if (status := wait(start(run, overrides))) != 0:
        raise SystemExit(f"{number.name}: the last attempt ended with status {status}; see {run}.log")
    return f"{times} times ({', '.join(f'{count} {end}' for end, count in ends.items())})"


def start(run: Path, overrides: list[str], die_at_event: int | None = None) -> int:
    """``gan-lab … resume=auto`` in a fork of this process, its output beside the run's folder; the child's id."""
    child = os.fork()
    if child:
        return child
    run.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(f"{run}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if die_at_event is not None:
        _die_at_event(run, die_at_event)
    return run_and_exit("train", [*OVERRIDES, *overrides, f"hydra.run.dir={run}", "resume=auto"])


def run_and_exit(command: str, words: list[str]) -> NoReturn:
    """Run a command, a module of `gan_lab.cli`, and end this process, which is a fork, with its status."""
    sys.argv = ["gan-lab", *words]
    status: Any = 1
    try:
        import_module(f"gan_lab.cli.{command}").main()
        status = 0
    except SystemExit as stop:
        status = stop.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
        os._exit(status)


def wait(child: int, limit: float = 600.0) -> int | None:
    """The status a child ended with, minus the signal if one ended it; None if it still runs after so many seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def _die_at_event(run: Path, event: int) -> None:
    """Have this process kill itself before its so-manyth operation on the run's files, or with one just written."""
    left = event

    def count(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if name in _FILE_EVENTS and str(run) in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def fsync(descriptor: int, really: Callable[[int], None] = os.fsync) -> None:
        count("open", (str(run),))
        really(descriptor)

    os.fsync = fsync
    sys.addaudithook(count)


def _last_iteration(run: Path) -> int:
    """The iteration of the last row of metrics.csv; −1 if there is none yet."""
    file = run / "metrics.csv"
    rows = file.read_text().splitlines()[1:-1] if file.exists() else []  # the last may be half a row
    return int(rows[-1].partition(",")[0]) if rows else -1


def differences(expected: Path, actual: Path) -> list[str]:
    """What two runs' folders do not have in common, clocks aside; nothing if they are the same bit for bit."""
    from gan_lab.runs.folder import RunFolder

    one, other = RunFolder(expected), RunFolder(actual)
    found = []
    if one.metrics_file.read_bytes() != other.metrics_file.read_bytes():
        found.append("metrics.csv")
    pictures = [{file.name: file.read_bytes() for file in run.samples.iterdir()} for run in (one, other)]
    found += [f"samples/{name}" for name in {**pictures[0], **pictures[1]} if _either(*pictures, name)]
    checkpoints = [_without_clocks(run.last_checkpoint) for run in (one, other)]
    found += [f"checkpoint: {where}" for where in unequal(*checkpoints)]
    for key in ("metrics", "best", "signals", "verdict", "skipped_updates"):
        if one.result()[key] != other.result()[key]:
            found.append(f"result.json: {key}")
    shown = [_tensorboard(run.path) for run in (one, other)]
    found += [f"TensorBoard: {tag}" for tag in {**shown[0], **shown[1]} if _either(*shown, tag)]
    return found


def _either(one: dict[str, Any], other: dict[str, Any], key: str) -> bool:
    return one.get(key) != other.get(key)


def _without_clocks(file: Path) -> dict[str, Any]:
    import torch

    checkpoint = torch.load(file, weights_only=True)
    del checkpoint["callbacks"]["Stopwatch"], checkpoint["callbacks"]["Curves"]["seconds"]
    checkpoint["loops"] = checkpoint["loops"]["fit_loop"]["state_dict"]  # of the rest, counters of Lightning's own
    return checkpoint


def unequal(one: Any, other: Any, where: str = "") -> list[str]:
    """The places at which two nests of containers and tensors differ."""
    import torch

    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [place for key in one for place in unequal(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [
            place for i, pair in enumerate(zip(one, other, strict=True)) for place in unequal(*pair, f"{where}.{i}")
        ]
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return [] if torch.equal(one, other) else [where]
    return [] if one == other else [where]


def _tensorboard(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """What TensorBoard shows, by tag: each step with its value."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()
    scalars = {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if not tag.startswith("time/")
    }
    return scalars | {
        tag: [(picture.step, picture.encoded_image_string) for picture in events.Images(tag)]
        for tag in events.Tags()["images"]
    }


if __name__ == "__main__":
    sys.exit(main())
