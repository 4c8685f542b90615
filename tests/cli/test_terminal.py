"""Terminals that are closed, full, or cannot show a character: no run ends by them."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from gan_lab.cli.summary import _fitting_table
from gan_lab.cli.train import main
from gan_lab.distributed.forkserver import forkserver
from gan_lab.runs.terminal import one_sentence, prepare_streams, unimportant_output

TINY = ["dataset=ring8", "trainer=debug", "evaluation.samples=100", "model.generator.hidden=[8]"]


def _closed(folder):
    """A run in a process whose stdout is ASCII, and whose stdin and stderr are closed, as an interpreter begins so."""
    os.chdir(folder)
    os.dup2(os.open("out", os.O_WRONLY | os.O_CREAT), 1)
    sys.stdout.reconfigure(encoding="ascii")
    for number, name in ((0, "stdin"), (2, "stderr")):
        os.close(number)
        setattr(sys, name, None)
    sys.argv = ["gan-lab", *TINY, "hydra.run.dir=run"]
    main()


def test_a_run_whose_terminal_is_closed_and_knows_no_letters_ends_well(tmp_path):
    """With stderr closed, a file that is opened would get its number, and libraries' warnings."""
    process = forkserver().Process(target=_closed, args=(tmp_path,))
    process.start()
    process.join(600)
    assert process.exitcode == 0
    out = (tmp_path / "out").read_bytes().decode("ascii")
    assert "ring8 - mlp_2d - non_saturating - seed 0" in out
    assert "curves   tensorboard --logdir" in out
    for name in ("status.json", "metrics.csv", "result.json"):
        assert "Warning" not in (tmp_path / "run" / name).read_text()


def test_no_settings_of_matplotlib_are_read_from_the_working_directory(place):
    """A process that opens the pipe waits for ever. In a file there could be programs to run.

    `test_wheel.py` looks at gan-lab itself, `report/test_report.py` at gan-lab-report.
    """
    os.mkfifo(place / "matplotlibrc")
    program = "import sys; sys.argv = ['', 'run=run', 'out=x.png']; from gan_lab.cli.sample import main; main()"
    subprocess.run([sys.executable, "-P", "-c", program], cwd=place, timeout=120, check=True)
    assert (place / "x.png").is_file()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", "a - Frechet -> 95 % ?"), ("cp932", "a - Frechet → 95 % 日"), ("utf-8", "a · Fréchet → 95 % 日")],
)
def test_what_a_terminal_cannot_show_is_said_plainly(monkeypatch, encoding, expected):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    prepare_streams()
    print("a · Fréchet → 95 % 日", flush=True)
    assert written.getvalue().decode(encoding).rstrip() == expected


class Full(io.StringIO):
    """A stream to a disk without space, or to a pipe without a reader."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def write(self, text):
        raise self.kind(28, "No space left on device")


@pytest.mark.parametrize("kind", [OSError, BrokenPipeError])
def test_output_that_fails_does_not_end_a_run(monkeypatch, kind):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Full(kind))
    before = sys.stdout, sys.stderr
    with unimportant_output():
        print("one", flush=True)
        print("two", file=sys.stderr)
        assert not sys.stderr.isatty()
    assert (sys.stdout, sys.stderr) == before


def test_an_answer_that_cannot_be_written_is_an_error(monkeypatch):
    """Of --cfg or gan-lab-evaluate the output is what was asked for."""
    monkeypatch.setattr(sys, "stdout", Full(OSError))
    with pytest.raises(SystemExit) as stop:
        one_sentence(lambda: print("the answer"))
    assert stop.value.code == "gan-lab: the output cannot be written: No space left on device"


NAMES = ("fd_classifier", "kid_classifier", "precision_classifier")
SUMMED_UP = {
    "dataset": "ring8",
    "model": "mlp_2d",
    "loss": "lsgan",
    "seed": 0,
    "metrics": dict.fromkeys(NAMES, -0.0123456),
    "best": {name: {"value": -0.0234567, "iteration": 25000} for name in NAMES},
    "floor": dict.fromkeys(NAMES, -0.0345678),
    "ceiling": {"fd_classifier": 0.456789},
}


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (100, ["metric", "final", "best", "at iteration", "floor", "ceiling"]),
        (70, ["metric", "final", "at iteration", "floor"]),
        (60, ["metric", "final", "floor"]),
        (40, ["metric", "final"]),
        (24, ["metric", "final"]),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns_and_whole_numbers(width, headings):
    console = Console(width=width, file=io.StringIO(), soft_wrap=True)
    table = _fitting_table(SUMMED_UP, console)
    console.print(table)
    assert [column.header for column in table.columns] == headings
    text = console.file.getvalue()
    assert text.count("-0.01235") == 3
    assert "…" not in text
