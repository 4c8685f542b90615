"""Two commits' runs are compared to the byte: every difference is told by run, file, key and both values."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parent.parent.parent / "scripts"))
import same_results

RESULT = {
    "config_hash": "0123",
    "seed": 0,
    "budget": {"iterations": 10, "train_seconds": 1.5},
    "metrics": {"kid": 0.25, "fd": 3.0},
    "best": {"value": 0.125},
    "verdict": {"kind": "healthy", "reasons": []},
    "environment": {"torch": "2.15"},
}
METRICS = "iteration,name,value\n5,loss/generator,0.5\n10,loss/generator,0.25\n"
TABLE = "rank,group,mean,train_seconds\n1,rsgan,0.25,1.5\n2,wgan_gp,0.5,1.25\n"
PAGE = """# Report of today

## ring8: ranking by kid (lower is better)

| rank | group | kid |
| --- | --- | --- |
| 1 | rsgan | 0.25 |

| group | training seconds |
| --- | --- |
| rsgan | 1.5 |
"""


def _save(run: Path, weight: float = 1.0) -> None:
    """A checkpoint, and what is kept of it."""
    file = run / "checkpoints" / "last.ckpt"
    file.parent.mkdir(exist_ok=True)
    state = {"generator.weight": torch.tensor([[weight, 2.0]]), "generator.count": torch.tensor(3)}
    torch.save({"state_dict": state}, file)
    (run / "weights.json").write_text(_weights(file))


def _weights(file: Path) -> str:
    """What `same_results.weights` says, without a process of its own, which takes seconds to import torch."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.setattr(sys, "argv", ["", str(file)])
        exec(same_results._WEIGHTS, {})
    return said.getvalue()


@pytest.fixture(scope="module")
def made_up(tmp_path_factory) -> Path:
    """A sweep of one run, as a commit leaves it."""
    folder = tmp_path_factory.mktemp("made_up")
    run, report = folder / "sweep" / "seed=0", folder / "sweep" / "report"
    run.mkdir(parents=True)
    report.mkdir()
    _save(run)
    (run / "metrics.csv").write_text(METRICS)
    (run / "result.json").write_text(json.dumps(RESULT))
    (report / "table.csv").write_text(TABLE)
    (report / "report.md").write_text(PAGE)
    return folder


@pytest.fixture
def sides(made_up, tmp_path) -> tuple[Path, Path]:
    """Two commits' folders, which hold the same."""
    for side in ("old", "new"):
        shutil.copytree(made_up, tmp_path / side)
    return tmp_path / "old", tmp_path / "new"


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / "sweep" / name
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))

    return edit


def _change_result(**fields: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "sweep" / "seed=0" / "result.json").write_text(json.dumps(RESULT | fields))

    return change


RUN = "sweep/seed=0"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_edit("seed=0/metrics.csv", "0.25", "0.26"), f"{RUN}: metrics.csv: line 3: {METRICS.split()[2]!r} -> "),
        (_edit("seed=0/metrics.csv", "5\n1", "5\r\n1"), f"{RUN}: metrics.csv: line 2: "),
        (_change_result(metrics={"kid": 0.25, "fd": 3.5}), f"{RUN}: result.json: metrics.fd: 3.0 -> 3.5"),
        (_change_result(metrics={"kid": 0.25}), f"{RUN}: result.json: metrics.fd: 3.0 -> absent"),
        (_change_result(best={"value": 0.125, "at": 5}), f"{RUN}: result.json: best.at: absent -> 5"),
        (_change_result(verdict={"kind": "healthy", "reasons": ["x"]}), f"{RUN}: result.json: verdict.reasons: [] -> "),
        (_change_result(budget={"iterations": 11}), f"{RUN}: result.json: budget.iterations: 10 -> 11"),
        (_edit("report/table.csv", "2,wgan_gp,0.5", "2,wgan_gp,0.51"), "sweep/report/table.csv: line 3: "),
        (_edit("report/report.md", "0.25", "0.26"), "sweep/report/report.md: line 5: "),
    ],
)
def test_a_difference_is_told(sides, change, told):
    old, new = sides
    change(new)
    (found,) = same_results.differences(old, new)
    assert found.startswith(told)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: None,
        _change_result(config_hash="4567", environment={"torch": "2.16"}),
        _change_result(budget={"iterations": 10, "train_seconds": 2.5}),
        _change_result(version="0.2"),  # a field of its own: fields may be added
        _edit("report/table.csv", "0.25,1.5", "0.25,2.5"),  # seconds
        _edit("report/report.md", "rsgan | 1.5", "rsgan | 2.5"),
        _edit("report/report.md", "today", "tomorrow"),
    ],
)
def test_what_may_differ_is_no_difference(sides, change):
    old, new = sides
    change(new)
    assert list(same_results.differences(old, new)) == []


def test_one_bit_of_one_weight_is_told_by_name(sides):
    old, new = sides
    _save(new / RUN, weight=1 + 2**-23)  # the next float32 after 1
    file = new / RUN / "checkpoints" / "last.ckpt"
    assert same_results.weights(Path(sys.executable), file) == (new / RUN / "weights.json").read_text()
    (found,) = same_results.differences(old, new)
    assert found.startswith(f"{RUN}: weights: generator.weight: torch.float32 [1, 2] ")


def test_a_run_or_report_that_is_missing_is_told(sides):
    old, new = sides
    shutil.rmtree(new / "sweep" / "report")
    assert len(list(same_results.differences(old, new))) == 2  # the table and the page
    shutil.rmtree(new / RUN)
    assert list(same_results.differences(old, new)) == [f"runs: {RUN} -> "]


def test_a_resumed_run_is_compared_with_an_undisturbed_one(sides):
    for side in sides:
        for name in ("undisturbed", "killed"):
            shutil.copytree(side / RUN, side / name)
        shutil.rmtree(side / "sweep")
        (side / "killed" / "metrics.csv").write_text(METRICS.replace("0.5", "0.75"))  # in both commits alike
    found = list(same_results.differences(*sides))
    assert [line.partition(":")[0] for line in found] == [
        f"{side}, undisturbed -> killed and resumed" for side in ("OLD", "NEW")
    ]


def test_many_differences_are_counted():
    old = {f"w{i}": "a" for i in range(9)}
    assert same_results._changed(old, old | {"w8": "b"}) == ["w8: a -> b"]
    assert same_results._changed(old, dict.fromkeys(old, "b"))[-1] == "and 4 more"


def test_both_sides_are_made_once(made_up, tmp_path, monkeypatch, capsys):
    """With a `gan-lab` that copies a run; killed, it has a checkpoint and no result."""
    run = made_up / RUN
    program = f"""#!/bin/sh
        echo "$1" >> {tmp_path}/calls
        case "$1" in
            hydra.run.dir=undisturbed) cp -r {run} undisturbed;;
            hydra.run.dir=killed) mkdir -p killed/checkpoints; touch killed/checkpoints/last.ckpt; exec sleep 60;;
            resume=killed) rm -r killed; cp -r {run} killed;;
        esac
    """

    def install(commit, checkout):
        file = checkout / ".venv" / "bin" / "gan-lab"
        file.parent.mkdir(parents=True)
        file.write_text(program)
        file.chmod(0o755)

    words = [word for command in same_results.RUNS["resumed"] for word in command.split() if "killed" in word]
    assert words == ["hydra.run.dir=killed", "resume=killed"]
    lines = ["hydra.run.dir=undisturbed", *words]
    monkeypatch.setattr(same_results, "RUNS", {"resumed": [f"gan-lab {line}" for line in lines]})
    monkeypatch.setattr(same_results, "install", install)
    monkeypatch.setattr(same_results, "weights", lambda *_: "{}")
    commits = {"old": "a" * 40, "new": "b" * 40}
    monkeypatch.setattr(same_results, "_git", lambda *arguments: commits[arguments[-1].partition("^")[0]])
    for _ in range(2):
        assert same_results.main(["old", "new", "--keep", str(tmp_path / "kept")]) == 0
        assert "1 of 1 the same" in capsys.readouterr().out
    assert (tmp_path / "calls").read_text().split() == 2 * lines  # of each commit once
    metrics = tmp_path / "kept" / commits["new"][:12] / "resumed" / "killed" / "metrics.csv"
    metrics.write_text(METRICS.replace("0.5", "0.75"))
    assert same_results.main(["old", "new", "--keep", str(tmp_path / "kept")]) == 1
    assert "killed: metrics.csv: line 2" in capsys.readouterr().out


def test_list(capsys):
    assert same_results.main(["--list", "--only", "default", "sweep"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("default: gan-lab ")
    assert second.startswith("sweep: gan-lab -m ")
