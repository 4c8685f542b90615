"""Runs that failed, diverged or were killed: counted, listed with their reasons, never dropped."""

import json
import os
import time

import pytest
from pages import answers, board, page, rows

from gan_lab.report.collect import read
from gan_lab.report.run import SILENCE
from gan_lab.runs.folder import RunFolder


def test_a_killed_run_is_lost_whoever_noticed(tmp_path, sweep, run):
    sweep(tmp_path, {"lsgan": 0.2, "rsgan": 0.5}, 4)
    run(tmp_path / "child", {"loss": "rsgan", "seed": 8}, state="failed", error="killed by SIGKILL")
    whole = run(tmp_path / "whole", {"loss": "rsgan", "seed": 9}, state="running")
    for name in ("status.json", "metrics.csv"):
        os.utime(whole / name, (time.time() - 2 * SILENCE,) * 2)
    run(tmp_path / "stopped", {"loss": "rsgan", "seed": 10}, state="interrupted", error="stopped by SIGINT")
    text = page(tmp_path)
    row = next(row for row in rows(tmp_path) if row["group"] == "rsgan" and row["ranked_by"] == "True")
    assert (row["finished"], row["lost"], row["unfinished"]) == ("4", "2", "1")
    assert "2 of 7 of rsgan): they failed, diverged or were killed." in text


def test_a_silent_run_that_a_process_holds_is_not_lost(tmp_path, run):
    """As while it evaluates many samples."""
    folder = RunFolder(run(tmp_path / "silent", {"loss": "lsgan"}, state="running"))
    for name in ("status.json", "metrics.csv"):
        os.utime(folder.path / name, (time.time() - 2 * SILENCE,) * 2)
    with folder.held():
        (found,) = read([tmp_path]).runs
        assert (found.state, found.reason) == ("running", "still running: last wrote 20 minutes ago")
    assert [one.state for one in read([tmp_path]).runs] == ["killed"]


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
    assert states["never"] == ("waiting", "has not begun, or was killed before it could record anything")
    assert [(entry.path, entry.reason[:16]) for entry in found.skipped] == [("holiday", "not a run folder")]
    text = page(tmp_path)
    for words in ("RuntimeError: boom", "diverged at iteration 7", "holiday", "3 of 7", "has not begun"):
        assert words in text
    row = next(row for row in rows(tmp_path) if row["group"] == "rsgan" and row["ranked_by"] == "True")
    assert (row["runs"], row["finished"], row["lost"], row["unfinished"]) == ("9", "4", "3", "2")
    assert float(row["mean"]) == pytest.approx(0.2, abs=1e-12)  # of the finished, and the page says of whom


def test_a_result_without_a_status_is_no_run_that_waits(tmp_path, run):
    (run(tmp_path, {"loss": "lsgan"}) / "status.json").unlink()
    (found,) = read([tmp_path]).runs
    assert (found.state, found.reason) == ("unreadable", "status.json is missing")


@pytest.mark.parametrize("lost", [1, 2])
def test_a_group_that_lost_a_run_ranks_after_all_that_lost_none(tmp_path, run, sweep, lost):
    """Whatever the others reached; a fourth seed does not hide what shows among three."""
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 4)
    for seed in range(5, 5 + lost):
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


def test_values_that_are_null_count_as_lost(tmp_path, sweep):
    runs = sweep(tmp_path, {"lsgan": 0.5}, 4)
    result = json.loads((runs[0] / "result.json").read_text())
    result["metrics"]["reverse_kl"] = None
    (runs[0] / "result.json").write_text(json.dumps(result))
    found = board(tmp_path)
    assert sorted(found.losses(found.rows[0]))[-1] == float("inf")
    assert "without a value of reverse_kl (1 of lsgan)" in page(tmp_path)


def test_a_dataset_without_a_finished_run_is_missed_aloud(tmp_path, run):
    run(tmp_path / "a", {"loss": "lsgan", "dataset": "ring8"})
    run(tmp_path / "b", {"loss": "lsgan", "dataset": "grid25"}, state="failed", error="boom")
    assert "Dataset grid25 is in no table: none of its runs has finished." in page(tmp_path)
