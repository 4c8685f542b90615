"""Damage run folders and sweeps, type odd values, and see that gan-lab ends as it should.

uv run python scripts/fuzz.py                        # 2 000 cases
uv run python scripts/fuzz.py --cases 6 --seed 349   # the short form that the tests run
uv run python scripts/fuzz.py --seed 7 --only 1234   # one case again, with what it printed

A case is one command: on a copy of a run or a sweep of which some files were damaged, or with an odd value for a real
key. Every case must hold:

- it ends within a minute (a sweep within three), with exit status 0 or 1, without a traceback;
- it prints no control characters;
- if it fails, it says one sentence;
- nothing outside the copy has changed, and after a refused sample, evaluate or resume nothing in it;
- if damage changes a report's table, the report names a damaged run.
"""

import argparse
import hashlib
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.damages import DAMAGES, READABLE
from torture import run_and_exit

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a forked child has but the thread that forked it

LIMIT = 60.0
"""Seconds in which a case must end; a sweep, which makes several runs, in three times as many."""
TINY = [
    "dataset=ring8", "trainer=debug", "model.generator.hidden=[8]", "model.discriminator.hidden=[8]",
    "evaluation.samples=100", "evaluation.kid_subset_size=50", "evaluation.kid_subsets=2", "pictures.samples=4",
    "ema_decay=0.9",
]  # fmt: skip
SWEEP = ["loss=lsgan,hinge", "seed=0,1,2"]
TEXT = [
    "", " ", "null", "nan", "-inf", "1e999", "-1", "0", "99999999999999999999", "true", "[]", "[null]", "[[]]", "{}",
    "{a:1}", "${seed}", "${nope}", "../../x", "/etc/passwd", "a" * 300, "'\x1b[31mred'", "'a\nb'", "'\u202e'",
    "<script>", "=1+1", "0x10", "1_0", "1e-400", "'üñ'", "hydra", "???", "[1,2", "'", "0.5", "choice(1,2)", "glob(*)",
]  # fmt: skip
_SHARES = {"report": 8, "sample": 3, "evaluate": 3, "resume": 8, "value": 8, "sweep": 1}
"""How often each kind of case is drawn; a sweep takes as long as twenty others."""


@dataclass
class Case:
    """One command, and what was damaged before it.

    Args:
        command: the module of the command in `gan_lab.cli`.
        words: its arguments.
        place: the folder to run it in; whatever belongs to the case lies below it.
        damaged: the files that were damaged, and how.
        readable: whether a damaged file may still hold valid, wrong values, which nobody can know of.
    """

    command: str
    words: list[str]
    place: Path
    damaged: list[str] = field(default_factory=list)
    readable: bool = False

    @property
    def limit(self) -> float:
        """Seconds in which it must end."""
        return 3 * LIMIT if "-m" in self.words else LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="how many (default 2 000)")
    parser.add_argument("--seed", type=int, default=0, help="of all choices (default 0)")
    parser.add_argument("--only", type=int, help="this case alone, with what it printed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="cases at a time (default: the cores)")
    arguments = parser.parse_args()

    import gan_lab.cli.train
    import gan_lab.report.render
    import gan_lab.sweeps.checks
    import gan_lab.sweeps.worker
    import gan_lab.training.build  # PyTorch and Lightning, once for all cases

    for starter in (gan_lab.sweeps.checks, gan_lab.sweeps.worker):
        starter.forkserver = lambda: multiprocessing.get_context("fork")  # type: ignore[attr-defined]

    numbers = range(arguments.cases) if arguments.only is None else [arguments.only]
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        os.environ["GAN_LAB_CACHE"] = str(home / "cache")
        models = Models.made_in(home)
        fuzz = Fuzz(home, models, arguments.seed)
        faults = fuzz.all(list(numbers), arguments.jobs)
        if arguments.only is not None:
            print((home / "cases" / str(arguments.only) / "output").read_text(errors="replace"))
    print(f"{len(numbers)} cases: {fuzz.tally}")
    for number, fault in sorted(faults.items()):
        print(f"case {number}: {fault}")
    return 1 if faults else 0


@dataclass
class Models:
    """The undamaged folders: a finished run, one that was stopped, a sweep, and the sweep's table and page."""

    run: Path
    stopped: Path
    sweep: Path
    table: str
    keys: list[str]

    @classmethod
    def made_in(cls, home: Path) -> "Models":
        run, stopped, sweep = home / "run", home / "stopped", home / "sweep"
        _must("train", [*TINY, f"hydra.run.dir={run}"], home)
        shutil.copytree(run, stopped, symlinks=True)
        _stop_half_way(stopped)
        _must("train", ["-m", *TINY, *SWEEP, f"hydra.sweep.dir={sweep}"], home)
        for name in ("loss=lsgan,seed=0", "loss=hinge,seed=1"):  # in the middle of the names' order
            assert (sweep / name).is_dir(), sorted(path.name for path in sweep.iterdir())
        from omegaconf import OmegaConf

        from gan_lab.config.leaves import leaves

        config: Any = OmegaConf.to_container(OmegaConf.load(run / ".hydra" / "config.yaml"))
        keys = [
            *(key for key, _ in leaves(config)),
            *config,
            "hydra.run.dir",
            "hydra.job.name",
            "experiment",
            "penalty",
        ]
        return cls(run, stopped, sweep, (sweep / "report" / "table.csv").read_text(), keys)


def _stop_half_way(run: Path) -> None:
    """Turn a finished run into one that was interrupted after its first checkpoint."""
    from gan_lab.runs.folder import RunFolder

    folder = RunFolder(run)
    first = folder.saved_iterations()[0]
    folder.cut_back(first)
    for broken in folder.checkpoints.glob("*.broken"):
        broken.unlink()
    folder.point_last_checkpoint(first)
    folder.result_file.unlink()
    folder.update_status(state="interrupted", error="stopped by SIGINT", iteration=first)


class Fuzz:
    """Draws cases, runs them, and looks at how they ended.

    Args:
        home: everything lies below it.
        models: the undamaged folders.
        seed: of the cases; a case depends on it and on its number alone.
    """

    def __init__(self, home: Path, models: Models, seed: int) -> None:
        self.home = home
        self.models = models
        self.seed = seed
        self.tally = ""
        self.outside = home / "outside"  # what damaged folders have links to
        self.outside.mkdir()
        (self.outside / "precious.png").write_bytes(b"precious")
        (self.outside / "status.json").write_text("{}")

    def all(self, numbers: list[int], jobs: int) -> dict[int, str]:
        """Run the cases; the faults that were found, by the case's number."""
        faults: dict[int, str] = {}
        kinds: Counter[str] = Counter()
        running: dict[int, tuple[int, Case, dict[str, str], float]] = {}
        waiting = list(reversed(numbers))
        precious = contents(self.outside)
        while waiting or running:
            while waiting and len(running) < jobs:
                number = waiting.pop()
                case = self.case(number)
                before = contents(case.place)
                running[_start(case)] = number, case, before, time.monotonic()
            for child, (number, case, before, started) in list(running.items()):
                done, status = os.waitpid(child, os.WNOHANG)
                late = time.monotonic() - started > case.limit
                if not done and not late:
                    continue
                if late and not done:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                del running[child]
                code = None if not done else os.waitstatus_to_exitcode(status)
                kinds[f"{case.command} {'ok' if code == 0 else 'refused' if code == 1 else code}"] += 1
                if fault := self.fault(case, code, before) or ("" if contents(self.outside) == precious else "outside"):
                    print(f"case {number}: {fault}", file=sys.stderr, flush=True)
                    faults[number] = f"{fault} | {case.command} {' '.join(case.words)} | {'; '.join(case.damaged)}"
                elif len(numbers) > 1:
                    shutil.rmtree(case.place)
            time.sleep(0.005)
        self.tally = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        return faults

    def case(self, number: int) -> Case:
        draw = random.Random(f"{self.seed} {number}")
        place = self.home / "cases" / str(number)
        place.mkdir(parents=True)
        kind = draw.choices(list(_SHARES), list(_SHARES.values()))[0]
        if kind == "value":
            return self._odd_value(draw, place)
        model = {"report": self.models.sweep, "sweep": self.models.sweep}.get(kind, self.models.run)
        if kind == "resume" and draw.random() < 0.7:
            model = self.models.stopped
        copy = place / "folder"
        shutil.copytree(model, copy, symlinks=True)
        command, words = {
            "report": ("report", [str(copy)]),
            "sweep": ("train", ["-m", *TINY, *SWEEP, f"hydra.sweep.dir={copy}"]),
            "sample": ("sample", [f"run={copy}", "num=2", f"out={place / 'new.png'}"]),
            "evaluate": ("evaluate", [str(copy)]),
            "resume": ("train", [f"resume={copy}", *(["iterations=12"] if model is self.models.run else [])]),
        }[kind]
        case = Case(command, words, place)
        files = [file for file in sorted(copy.rglob("*")) if file.is_file() or file.is_symlink()]
        files = [file for file in files if "events.out" not in file.name]  # of which only TensorBoard reads
        for file in draw.sample(files, draw.choice([1, 1, 1, 2, 3])):
            # an earlier damage may have taken its folder away, or led it out
            if file.exists() and file.parent.resolve().is_relative_to(place.resolve()):
                self._damage(draw, file, case)
        return case

    def _odd_value(self, draw: random.Random, place: Path) -> Case:
        key, value = draw.choice(self.models.keys), draw.choice(TEXT)
        prefix = draw.choice(["", "", "", "+", "++", "~"])
        word = f"{prefix}{key}" if prefix == "~" and draw.random() < 0.5 else f"{prefix}{key}={value}"
        folder = [] if key == "hydra.run.dir" else [f"hydra.run.dir={place / 'new'}"]
        return Case("train", [*TINY, *folder, word], place, readable=True)

    def _damage(self, draw: random.Random, file: Path, case: Case) -> None:
        how = draw.choice(DAMAGES)
        name = file.relative_to(case.place)
        told = how(draw, file, self.outside)
        case.damaged.append(f"{name}: {told}")
        case.readable |= how in READABLE

    def fault(self, case: Case, code: int | None, before: dict[str, str]) -> str:
        """What is wrong with the way a case ended, or an empty string."""
        output = (case.place / "output").read_text(errors="replace")
        if code is None:
            return f"hangs for {case.limit:.0f} s"
        if code not in (0, 1) or "Traceback" in output:
            return f"status {code}, {_last_line(output)}"
        if found := re.search(r"[^\n\r\t -~\u00a0-\ud7ff\ue000-\uffff\U00010000-]|[\x80-\x9f\u202a-\u202e]", output):
            return f"prints {found[0]!r}"
        if code == 1 and not any(line.startswith("gan-lab: ") for line in output.splitlines()):
            return f"fails without a sentence: {_last_line(output)}"
        if code == 1 and "-m" not in case.words and case.command != "report":
            after = contents(case.place)
            kept = {name for name in {*before, *after} if not name.endswith((".lock", ".log", "output"))}
            changed = sorted(name for name in kept if after.get(name) != before.get(name))
            if changed and "diverged" not in output:
                return f"was refused and changed {', '.join(changed[:3])}: {_last_line(output)}"
        if code == 0 and case.command == "report" and not case.readable:
            return self._untold(case)
        return ""

    def _untold(self, case: Case) -> str:
        """The damage that changed a report and that its page does not tell of."""
        folder = case.place / "folder"
        if (folder / "report" / "table.csv").read_text() == self.models.table:
            return ""
        page = (folder / "report" / "report.md").read_text().replace("\\", "")
        runs = {damage.partition("/")[2].partition("/")[0] for damage in case.damaged}
        silent = [run for run in runs if run.startswith("loss=") and page.count(run) == 0]
        # of several damaged runs one alone may have changed the table
        return f"the report does not tell of {', '.join(silent)}" if len(silent) == len(runs) else ""


def contents(folder: Path) -> dict[str, str]:
    """What is in a folder: by name, a hash of the content, or where a link leads."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "special"
    return found


def _start(case: Case) -> int:
    """Run a case in a fork of this process; the child's id."""
    child = os.fork()
    if child:
        return child
    os.chdir(case.place)
    output = os.open(case.place / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    return run_and_exit(case.command, case.words)


def _must(command: str, words: list[str], home: Path) -> None:
    """Run a command that has to succeed."""
    case = Case(command, words, home)
    _, status = os.waitpid(_start(case), 0)
    if status:
        raise SystemExit(f"{' '.join(words)}:\n{(home / 'output').read_text()}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    sys.exit(main())
