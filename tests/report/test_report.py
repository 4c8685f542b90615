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
from gan_lab.report.content import content
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


def test_groups_that_are_level_are_not_told_apart(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.2, "rsgan": 0.2, "wgan": 0.5}, 4)
    answer = answers(page(tmp_path))
    assert "lsgan and rsgan are level, Reverse KL (nats) 0.2 [" in answer
    assert "0 lower" not in answer
    assert "probability" not in answer


def test_a_group_without_a_finished_run_is_no_second(tmp_path, sweep, run):
    sweep(tmp_path, {"lsgan": 0.2}, 4)
    for seed in range(4):
        run(tmp_path / f"boom{seed}", {"loss": "boom", "seed": seed}, state="failed", error="boom")
    answer = answers(page(tmp_path))
    assert "lsgan alone has finished runs, and reaches Reverse KL (nats) 0.2 [" in answer
    assert "every run of boom was lost" in answer
    assert "100 %" not in answer


def test_only_what_survives_the_correction_is_better(tmp_path, sweep):
    """Five seeds without overlap settle one pair (p = 2/252), four pairs (4p = 0.03), but not seven (7p = 0.06)."""
    sections = []
    for name, others in (("few", 4), ("many", 7)):
        sweep(tmp_path / name, {"lsgan": 0.2} | {f"l{place}": 0.5 + 0.2 * place for place in range(others)}, 5)
        sections += content(read([tmp_path / name]), None).sections
    few, many = sections
    assert "lsgan is better than l0, l1, l2 and l3 on ring8" in few.answer
    assert [row.standing for row in few.rows] == ["", *["behind"] * 4]
    assert "is not settled" in many.answer
    assert (
        "5 seeds a group cannot settle an order of 8 groups, however far apart they are: run 6 or more" in many.answer
    )
    assert [row.standing for row in many.rows] == ["", *["not settled"] * 7]


def test_no_claim_against_its_own_interval(tmp_path, run):
    """rsgan is better in all but one of eight seeds: Mann & Whitney's p is 0.01, the difference's interval holds 0."""
    ours, theirs = (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 9.0), (2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7)
    for loss, values in (("rsgan", ours), ("lsgan", theirs)):
        for seed, value in enumerate(values):
            run(tmp_path / f"{loss}{seed}", {"loss": loss, "seed": seed}, {"modes": 1.0, "reverse_kl": value})
    (section,) = content(read([tmp_path]), None).sections
    assert "is not settled" in section.answer
    assert "an interval that holds 0; a run of rsgan beats one of lsgan with probability 88 %" in section.answer
    assert "which alone does not settle it" in section.answer


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


def test_two_runs_of_one_seed_both_count_and_are_told(tmp_path, run):
    for name, seed, kl in (("a", 0, 0.1), ("b", 0, 0.3), ("c", 1, 0.2), ("d", 2, 0.4)):
        folder = run(tmp_path / name, {"loss": "lsgan", "seed": seed}, {"modes": 8.0, "reverse_kl": kl})
        for file in (folder / ".hydra").iterdir():
            file.unlink()  # then nothing tells them apart but their names
    text = page(tmp_path)
    row = next(row for row in rows(tmp_path) if row["metric"] == "reverse_kl")
    assert float(row["mean"]) == pytest.approx(0.25, abs=1e-12)
    assert "without a value" not in text
    assert "Runs have the seed of another one in their group (1 of lsgan)" in text
    board = comparison.boards(read([tmp_path]).runs, axes.find(read([tmp_path]).runs), None)[0]
    assert board.rows[0].by_seed("reverse_kl") == pytest.approx({0: 0.2, 1: 0.2, 2: 0.4}, abs=1e-12)
    assert "1 more" in text


def test_several_datasets_are_summed_up(tmp_path, run):
    """By hand: lsgan is first of two on ring8 and of three on grid25, where rsgan is third; wgan is on one alone."""
    levels = {("ring8", "lsgan"): 0.1, ("ring8", "rsgan"): 0.5, ("grid25", "lsgan"): 0.3, ("grid25", "rsgan"): 0.7}
    levels[("grid25", "wgan")] = 0.5
    for (dataset, loss), level in levels.items():
        for seed in range(5):
            metrics = {"modes": 8.0, "reverse_kl": level + 0.01 * seed}
            run(tmp_path / f"{dataset}{loss}{seed}", {"loss": loss, "dataset": dataset, "seed": seed}, metrics)
    assert "Over 2 datasets" in page(tmp_path)
    md = (tmp_path / "report" / "report.md").read_text()
    assert "| group | mean rank | grid25 | ring8 | the first beats it | mean Reverse KL (nats) |" in md
    (told,) = re.findall(r"\| lsgan \| 1 \| 1 \| 1 \|  \| 0.22 \\\[(.*), (.*)\\\] \|", md)
    half = (
        2.306 * (2 * 0.01**2 * 2.5 / 5) ** 0.5 / 2
    )  # Student's t for 8 degrees; the bootstrap may go a little further
    assert 0.22 - 1.2 * half < float(told[0]) <= 0.2201 - half
    assert 0.2199 + half <= float(told[1]) < 0.22 + 1.2 * half
    assert "| rsgan | 2 | 2 | 2 | 100 % | 0.62 " in md
    assert "Over 1" not in page(tmp_path / "ring8lsgan0")


def test_one_dataset_has_no_table_over_datasets(tmp_path, sweep):
    sweep(tmp_path, {"lsgan": 0.5, "rsgan": 0.2}, 2)
    assert "datasets</h2>" not in page(tmp_path)


def test_seconds_curves_end_with_the_final_values(tmp_path, run):
    """Three seeds of 10, 20 and 60 seconds, each half as long as it is good: the mean ends at 30 s, where all have."""
    from gan_lab.report.curves import group_curves

    for seed, seconds in enumerate((10.0, 20.0, 60.0)):
        metrics = {"modes": 8.0, "reverse_kl": 0.1 * (seed + 1)}
        run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, metrics, train_seconds=seconds)
    found = read([tmp_path])
    board = comparison.boards(found.runs, axes.find(found.runs), None)[0]
    (curve,) = group_curves(board, "seconds", 1)
    assert curve.x.tolist() == pytest.approx([3.0 * step for step in range(1, 11)], rel=1e-9)
    assert curve.mean[-1] == pytest.approx(0.2, abs=1e-12)


def test_a_reverse_kl_goes_no_further_than_its_modes(tmp_path, run):
    """ln 8 = 2.0794 is what one mode of eight leaves; Student's t of these reaches 3.4."""
    for seed, kl in enumerate((0.2, 1.2, 2.0)):
        run(tmp_path / str(seed), {"loss": "lsgan", "seed": seed}, {"modes": 4.0, "reverse_kl": kl})
    page(tmp_path)
    row = next(row for row in rows(tmp_path) if row["metric"] == "reverse_kl")
    assert float(row["high"]) == pytest.approx(2.0794415, abs=1e-6)


def test_hundreds_of_groups_take_seconds(tmp_path, run):
    """100 groups of 3, of whose pairs only the first 24 groups' are shown; 334 took minutes when all were, twice."""
    for group in range(100):
        for seed in range(3):
            metrics = {"modes": 8.0, "reverse_kl": 0.01 * group + 0.1 * seed}
            overrides = {"optimizer.generator.lr": f"{1e-5 * (group + 1):g}", "seed": seed}
            run(tmp_path / f"{group}_{seed}", overrides, metrics, points=3)
    found = read([tmp_path])
    start = time.process_time()
    (section,) = content(found, None).sections
    assert time.process_time() - start < 3
    assert len(section.rows) == 100
    assert len(section.matrix) == len(section.ranks) == 24
    assert section.more == 76


def test_the_matrix_says_the_same_of_a_pair_from_both_sides(tmp_path, sweep):
    """lsgan's five runs lie one step of seeds before rsgan's: by hand it wins 15 of 25 pairs, and ties in 4."""
    sweep(tmp_path, {"lsgan": 20.0, "rsgan": 22.0}, 5, spread=2.0)
    (section,) = content(read([tmp_path]), None).sections
    (_, (_, ours)), (_, (theirs, _)) = section.matrix
    assert (ours.text, ours.note) == ("68 %", "33 %–90 %")
    assert (theirs.text, theirs.note) == ("32 %", "10 %–67 %")
    assert (ours.hint, theirs.hint) == (
        "difference −2 [−2, −2], paired by seed",
        "difference 2 [2, 2], paired by seed",
    )


def test_names_of_several_lines_stay_on_one_in_latex(tmp_path, run):
    run(tmp_path / "a", {"loss": "two\nlines", "dataset": "ring\n8"})
    page(tmp_path)
    text = (tmp_path / "report" / "table.tex").read_text()
    assert "% ring 8: mean" in text
    assert "two lines &" in text


def test_real_data_out_of_sight_are_not_in_the_legend(tmp_path, sweep):
    from gan_lab.report.figures import figures

    found = []
    for name, level in (("near", 0.002), ("far", 0.5)):
        sweep(tmp_path / name, {"lsgan": level, "rsgan": level + 0.002}, 2, spread=0.0)
        runs = read([tmp_path / name]).runs
        drawn = figures(comparison.boards(runs, axes.find(runs), None)[0], axes.find(runs))["best_of_budget"]
        found.append("real data" in [text.get_text() for text in drawn.legends[0].get_texts()])
    assert found == [True, False]


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
