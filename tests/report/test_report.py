"""Reports on planted sweeps: what they say, what they refuse, and that nothing is dropped."""

import csv
import json
import os
import re
import subprocess
import sys
import time

import pytest

from gan_lab.errors import ConfigError
from gan_lab.report import axes, comparison
from gan_lab.report.reading import SILENCE, read
from gan_lab.report.writing import write_report


def page(folder, **options) -> str:
    return write_report([folder], **options).read_text()


def answers(text: str) -> str:
    """The text of the answers, without markup."""
    return " ".join(re.findall(r'class="card answer">.*?<p>(.*?)</p>', text, re.DOTALL))


def rows(folder) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "report" / "table.csv").open()))


def test_a_settled_order_is_said_with_margin_certainty_and_cost(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 5)
    answer = answers(page(tmp_path))
    assert "rsgan is better than lsgan on ring8" in answer
    assert "0.3 lower than lsgan [0.3, 0.3], paired by seed" in answer
    assert "probability 100 % [64 %, 100 %]" in answer
    assert "10 s of training a run" in answer
    best = rows(tmp_path)[0]
    assert (best["group"], best["rank"], best["finished"]) == ("rsgan", "1", "5")


def test_overlapping_groups_are_not_settled(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.205, "rsgan": 0.2}, 5)
    assert "Which is best on ring8 is not settled" in answers(page(tmp_path))


@pytest.mark.parametrize("seeds", [1, 2])
def test_below_three_seeds_no_interval_and_the_page_says_so(tmp_path, sweep, seeds):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, seeds)
    text = page(tmp_path)
    assert "No interval: fewer than 3 seeds" in answers(text)
    assert "is not settled" in answers(text)
    assert all(row["low"] == "" for row in rows(tmp_path))


def test_three_seeds_have_intervals_but_settle_no_order(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 9.0, "rsgan": 0.2}, 3)
    assert "3 seeds a group cannot settle an order of 2 groups, however far apart they are: run 4 or more" in answers(
        page(tmp_path)
    )
    assert rows(tmp_path)[0]["low"] != ""


def test_one_run_alone(tmp_path, run):
    run(tmp_path / "only", {"loss": "lsgan"})
    assert "one group alone" in answers(page(tmp_path / "only"))


def test_no_finished_run_still_makes_a_page_with_the_reasons(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, state="failed", error="Traceback\nRuntimeError: boom")
    text = page(tmp_path)
    assert "No run has finished" in answers(text)
    assert "RuntimeError: boom" in text


def test_every_planted_failure_is_listed_with_its_reason(tmp_path, run, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 4)
    (runs[0] / "status.json").write_text('{"state": "do')
    (runs[1] / "result.json").write_text('{"schema": 1, "lo')
    run(tmp_path / "raised", {"loss": "rsgan", "seed": 4}, state="failed", error="Traceback\nRuntimeError: boom")
    run(tmp_path / "nan", {"loss": "rsgan", "seed": 5}, state="diverged", error="diverged at iteration 7: x is nan")
    killed = run(tmp_path / "killed", {"loss": "rsgan", "seed": 6}, state="running")
    for name in ("status.json", "metrics.csv"):
        os.utime(killed / name, (time.time() - 2 * SILENCE,) * 2)
    run(tmp_path / "alive", {"loss": "rsgan", "seed": 7}, state="running")
    run(tmp_path / "never", {"loss": "rsgan", "seed": 8}, state="running")
    (tmp_path / "never" / "status.json").unlink()
    (tmp_path / "holiday").mkdir()
    found = read([tmp_path])
    states = {entry.name: (entry.state, entry.reason) for entry in found.runs if not entry.done}
    assert states["000_loss=lsgan,seed=0"][0] == "unreadable"
    assert states["000_loss=lsgan,seed=0"][1].startswith("status.json cannot be read")
    assert states["001_loss=lsgan,seed=1"][1].startswith("result.json cannot be read")
    assert states["raised"] == ("failed", "RuntimeError: boom")
    assert states["nan"] == ("diverged", "diverged at iteration 7: x is nan")
    assert states["killed"][0] == "killed"
    assert "20 minutes" in states["killed"][1]
    assert states["alive"][0] == "running"
    assert states["never"] == ("unreadable", "status.json is missing")
    assert [(entry.path, entry.reason[:16]) for entry in found.skipped] == [("holiday", "not a run folder")]
    text = page(tmp_path)
    for words in ("RuntimeError: boom", "diverged at iteration 7", "holiday", "3 of 7", "status.json is missing"):
        assert words in text
    row = next(row for row in rows(tmp_path) if row["group"] == "rsgan" and row["ranked_by"] == "True")
    assert (row["runs"], row["finished"], row["lost"], row["unfinished"]) == ("9", "4", "3", "2")
    assert float(row["mean"]) == pytest.approx(0.2, abs=1e-12)  # of the finished, and the page says of whom


def test_more_than_a_quarter_lost_ranks_after_all_that_finish(tmp_path, run, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 4)
    for seed in (5, 6):
        run(tmp_path / f"lost{seed}", {"loss": "rsgan", "seed": seed}, state="diverged", error="diverged")
    page(tmp_path)
    assert [row["group"] for row in rows(tmp_path) if row["ranked_by"] == "True"] == ["lsgan", "rsgan"]


def test_a_torn_curve_and_a_torn_picture_do_no_harm(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2, picture=True)
    curve = runs[0] / "metrics.csv"
    curve.write_text(curve.read_text() + "1100,metric/reverse_kl,9")  # of 9.5e-05, say
    (runs[0] / "samples" / "final.png").write_bytes((runs[0] / "samples" / "final.png").read_bytes()[:200])
    assert "cannot be read" in page(tmp_path)
    assert read([tmp_path]).runs[0].curves["metric/reverse_kl"][0][-1] == 1000


def test_intervals_end_where_the_metric_does(tmp_path, sweep):
    """Student's t of 0.4, 0.8, 1.2 reaches to −0.19; the reverse KL does not, and no ninth mode is there."""
    sweep(tmp_path, {"lsgan": 0.8}, 3, spread=0.4)
    page(tmp_path)
    by_metric = {row["metric"]: row for row in rows(tmp_path)}
    assert float(by_metric["reverse_kl"]["low"]) == 0
    assert float(by_metric["reverse_kl"]["high"]) == pytest.approx(0.8 + 4.302653 * 0.4 / 3**0.5, abs=1e-5)
    assert float(by_metric["modes"]["high"]) == 8


def test_a_name_is_no_formula_of_a_spreadsheet(tmp_path, run):
    run(tmp_path / "a", {"loss": "=1+1"})
    page(tmp_path)
    assert {row["group"] for row in rows(tmp_path)} == {"'=1+1"}


def test_mixed_fingerprints_are_refused_in_one_table_with_the_reason(tmp_path, run, sweep):
    sweep(tmp_path, {"lsgan": 0.5}, 3)
    other = {"extractor": "points", "weights": None, "samples": 999, "reference": "test", "data": "abc", "ema": False}
    for seed in range(3):
        run(tmp_path / f"other{seed}", {"loss": "rsgan", "seed": seed}, fingerprint=other)
    text = page(tmp_path)
    assert "because samples differs: 2500 in lsgan; 999 in rsgan." in text
    assert {(row["table"], row["group"]) for row in rows(tmp_path)} == {("1", "lsgan"), ("2", "rsgan")}


def test_different_metrics_are_refused_in_one_table(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, {"fd_points": 1.0})
    run(tmp_path / "b", {"loss": "rsgan"}, {"fd_points": 1.0, "kid_points": 2.0})
    assert "because the set of metrics differs: fd_points in lsgan; fd_points and kid_points in rsgan." in page(
        tmp_path
    )


def test_a_later_evaluation_of_one_fingerprint_makes_a_table(tmp_path, run):
    again = {"fingerprint": {"extractor": "classifier"}, "metrics": {"fd_classifier": 3.0}, "floor": {}, "ceiling": {}}
    for seed in range(3):
        for loss in ("lsgan", "rsgan"):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, result={"evaluations": [again]})
    text = page(tmp_path)
    assert "evaluated again" in text
    assert "Not comparable" not in text
    assert {row["metric"] for row in rows(tmp_path) if row["table"] == "2"} == {"fd_classifier"}


def test_budgets_that_differ_are_warned_of(tmp_path, run, sweep):
    sweep(tmp_path, {"lsgan": 0.5}, 3)
    budget = {"iterations": 1000, "discriminator_updates": 5000, "generator_updates": 1000, "real_images": 64000}
    run(tmp_path / "x", {"loss": "wgan", "seed": 0}, result={"budget": budget | {"train_seconds": 21.0}})
    text = page(tmp_path)
    assert "Budgets differ in D updates: 1,000 for lsgan; 5,000 for wgan." in text
    assert "Budgets differ in training seconds: from 10 a run (lsgan) to 21 (wgan)." in text


def test_axes_are_what_was_asked_for_not_what_followed(tmp_path, run):
    for dataset in ("ring8", "grid25"):
        for loss in ("lsgan", "wgan"):
            for seed in range(2):
                name = f"{dataset}{loss}{seed}"
                extra = {"optimizer.generator.lr": 1e-4} if loss == "wgan" else {}
                run(tmp_path / name, {"loss": loss, "dataset": dataset, "seed": seed}, config=extra)
    found = read([tmp_path])
    assert axes.find(found.runs).keys == ["loss", "dataset"]
    assert "optimizer.generator.lr" in axes.find(found.runs).varied
    page(tmp_path)
    assert {(row["dataset"], row["group"]) for row in rows(tmp_path)} == {
        (dataset, loss) for dataset in ("ring8", "grid25") for loss in ("lsgan", "wgan")
    }


def test_runs_whose_overrides_do_not_tell_them_apart_are_told_by_their_configurations(tmp_path, run):
    for number, size in enumerate((64, 128)):
        run(tmp_path / str(number), {"loss": "lsgan", "seed": 0}, config={"batch_size": size})
    found = axes.find(read([tmp_path]).runs)
    assert found.keys == ["batch_size"]


def test_a_numeric_axis_becomes_a_line(tmp_path, run):
    for weight in ("0.1", "1", "1e1"):
        for seed in range(3):
            overrides = {"loss": "nsgan_r1", "loss.penalties.r1.weight": weight, "seed": seed}
            run(tmp_path / f"{weight}_{seed}", overrides)
    found = axes.find(read([tmp_path]).runs)
    assert found.numeric() == "loss.penalties.r1.weight"
    assert found.numbers("loss.penalties.r1.weight") == [0.1, 1.0, 10.0]
    assert "r1 weight 10" in page(tmp_path)
    assert (tmp_path / "report" / "figures" / "axis.svg").is_file()


def test_copies_are_no_further_seeds(tmp_path, run):
    for name in ("a", "b"):
        run(tmp_path / name, {"loss": "lsgan", "seed": 0})
    found = read([tmp_path])
    assert len(found.runs) == 1
    assert "same configuration and seed" in found.skipped[0].reason


def test_a_higher_metric_ranks_the_other_way(tmp_path, run):
    for loss, modes in (("few", 3.0), ("many", 8.0)):
        run(tmp_path / loss, {"loss": loss}, {"modes": modes, "reverse_kl": 1.0})
    page(tmp_path, metric="modes")
    assert next(row for row in rows(tmp_path) if row["rank"] == "1")["group"] == "many"


def test_seconds_come_from_the_clock_or_else_from_the_budget(tmp_path, run):
    from gan_lab.report.curves import group_curves

    for clock in (True, False):
        folder = tmp_path / str(clock)
        run(folder / "a", {"loss": "lsgan"}, train_seconds=20.0, clock=clock)
        found = read([folder])
        board = comparison.boards(found.runs, axes.find(found.runs), None)[0]
        assert group_curves(board, "seconds", 1)[0].x.tolist() == pytest.approx([2.0 * i for i in range(1, 11)])


def test_names_with_special_characters_are_escaped_everywhere(tmp_path, run):
    name = "<script>alert(1)</script>&$x_1|y%"
    for seed in range(2):
        run(tmp_path / str(seed), {"loss": name, "seed": seed})
    run(tmp_path / "lost", {"loss": name, "seed": 3}, state="failed", error="<b>boom</b>")
    text = page(tmp_path)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "<b>boom" not in text
    escaped = r"\textless{}script\textgreater{}alert(1)\textless{}/script\textgreater{}\&\$x\_1|y\%"
    assert escaped in (tmp_path / "report" / "table.tex").read_text()
    md = (tmp_path / "report" / "report.md").read_text()
    assert "<script" not in md
    assert r"x\_1\|y%" in md


def test_a_second_report_replaces_the_first_whole(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2)
    page(tmp_path)
    stale = tmp_path / "report" / "figures" / "axis.png"
    stale.write_bytes(b"of an earlier report")
    (runs[0] / "result.json").unlink()
    assert "result.json is missing" in page(tmp_path)
    assert not stale.exists()


def test_the_same_runs_give_the_same_figures(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 4)
    first = {}
    for _ in range(2):
        page(tmp_path)
        files = {file.name: file.read_bytes() for file in (tmp_path / "report" / "figures").iterdir()}
        assert files == (first or files)
        first = files
    assert {"ranking.png", "ranking.svg", "curves_iterations.svg", "curves_seconds.svg"} <= first.keys()


def test_values_that_are_null_count_as_lost(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 4)
    result = json.loads((runs[0] / "result.json").read_text())
    result["metrics"]["reverse_kl"] = None
    (runs[0] / "result.json").write_text(json.dumps(result))
    found = read([tmp_path])
    board = comparison.boards(found.runs, axes.find(found.runs), None)[0]
    assert sorted(board.losses(board.rows[0]))[-1] == float("inf")
    assert "without a value of reverse_kl (1 of lsgan)" in page(tmp_path)


def test_a_dataset_without_a_finished_run_is_missed_aloud(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan", "dataset": "ring8"})
    run(tmp_path / "b", {"loss": "lsgan", "dataset": "grid25"}, state="failed", error="boom")
    assert "Dataset grid25 is in no table: none of its runs has finished." in page(tmp_path)


def test_an_unknown_metric_has_no_direction(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan"}, {"beauty": 1.0})
    assert "none of its metrics has a known direction" in page(tmp_path)
    with pytest.raises(ConfigError, match="whether more of it is better is not known"):
        write_report([tmp_path], metric="beauty")


def test_neither_torch_nor_lightning_is_imported(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 3)
    program = (
        "import sys; sys.argv = ['gan-lab-report', sys.argv[1]]\n"
        "from gan_lab.report.command import main; main()\n"
        "found = {'torch', 'pytorch_lightning', 'lightning', 'torchvision'} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
